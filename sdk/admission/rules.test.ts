/**
 * Each rule of admission with a module that breaks it and nothing else: spoiling one thing of the smallest valid artifact has to bring exactly one
 * refusal, with the measured value and the limit.
 */
import { describe, expect, it } from "vitest";
import { LIMITS, MODULE_BASE, PAGE_BYTES } from "../abi/gen/abi.ts";
import { concat, customSection } from "../pack/wasm_reader.ts";
import { checkComponent, checkCore, checkWorld } from "./check.ts";
import { RULES, Report, type RuleId } from "./rules.ts";
import { assembleComponent, bareComponent, section } from "./testing/artifact.ts";
import { END, I32, I64, addFunction, body, constant, data, encodeModule, exported, memory, type, u32, validModule } from "./testing/raw_module.ts";
import { DROP, NOP, RULE_CASES, type Spoil, branchTable, nested, times, valid } from "./testing/rule_cases.ts";

describe("a broken rule is named, alone, with the measured value and the limit", () => {
  it.each(RULE_CASES.map((c) => ({ ...c, title: `${c.rule}: ${c.name}` })))("$title", async ({ rule, bytes, value, limit }) => {
    const { ok, nf, refusals } = await checkComponent(bytes());
    expect([...new Set(refusals.map((r) => r.rule))]).toEqual([rule]);
    expect(ok).toBe(false);
    expect(nf).toBeUndefined();
    for (const refusal of refusals) {
      expect(refusal.fix).toBe(RULES[rule].fix);
      // eslint-disable-next-line no-control-regex
      expect(refusal.message).toMatch(/^[^\u0000-\u001f]{1,400}$/);
    }
    if (value !== undefined) expect(refusals[0]!.value).toBe(value);
    if (limit !== undefined) expect(refusals[0]!.limit).toBe(limit);
  });

  it("world: a module without what the world exports", async () => {
    const module = validModule();
    module.exports.splice(5, 1);
    const report = new Report();
    await checkWorld(encodeModule(module), report);
    expect(report.refusals).toMatchObject([{ rule: "world", message: expect.stringContaining("process-burst") as string }]);
  });

  it("every rule has a case", () => {
    // check_limits ends the check from outside: child.test.ts.
    const tested = new Set<RuleId>([...RULE_CASES.map(({ rule }) => rule), "world", "check_limits"]);
    expect(Object.keys(RULES).filter((rule) => !tested.has(rule as RuleId))).toEqual([]);
  });
});

describe("what is within the limits passes", () => {
  const PASSING: [string, Spoil][] = [
    ["the smallest module", () => undefined],
    ["as many types as allowed", (m) => m.types.push(...times(LIMITS.types_max - m.types.length, () => type([])))],
    [
      "as many parameters and results as allowed",
      (m) =>
        m.types.push(
          type(
            times(LIMITS.params_max, () => I32),
            times(LIMITS.type_results_max, () => I64),
          ),
        ),
    ],
    ["as many functions as allowed", (m) => times(LIMITS.functions_max - 7, () => m.functions.push(1) && m.bodies.push(body([])))],
    ["a body as long as allowed", (m) => addFunction(m, body(times(LIMITS.function_body_bytes_max - 2, () => NOP)))],
    ["as many locals as allowed", (m) => addFunction(m, body([], [[LIMITS.function_locals_max - 1, I32]]), type([I32]))],
    ["nested as deep as allowed", (m) => addFunction(m, body(nested(LIMITS.nesting_max)))],
    ["a br_table as large as allowed", (m) => addFunction(m, body(branchTable(LIMITS.br_table_targets_max)))],
    ["as many globals as allowed", (m) => m.globals.push(...times(LIMITS.globals_max, () => [I32, 1, ...constant(0), END]))],
    [
      "a table as large as allowed, and filled",
      (m) =>
        m.tables.push([0x70, 1, ...u32(LIMITS.table_elements_max), ...u32(LIMITS.table_elements_max)]) &&
        m.elements.push([0, ...constant(LIMITS.table_elements_max - 1), END, 1, 0]),
    ],
    ["as many data segments as allowed", (m) => m.data.push(...times(LIMITS.data_segments_max, () => data(MODULE_BASE, 1)))],
    ["data at both ends of the module area", (m) => m.data.push(data(MODULE_BASE, 1), data(MODULE_BASE + PAGE_BYTES - 1, 1))],
    [
      "all optional exports",
      (m) => m.exports.push(exported("tick", 0, addFunction(m, body([]), type([I64]))), exported("flow-left", 0, addFunction(m, body([]), type([I32, I32])))),
    ],
    [
      "sign extension, non-trapping conversions, multi-value blocks",
      (m) => addFunction(m, body([0x02, m.types.push(type([], [I32, I32])) - 1, ...constant(1), 0xc0, 0x43, 0, 0, 0, 0, 0xfc, 0, END, DROP, DROP])),
    ],
    ["memory.grow, which cannot grow anything", (m) => addFunction(m, body([...constant(1), 0x40, 0, DROP]))],
  ];

  it.each(PASSING)("%s", async (_name, change) => {
    const module = validModule();
    change(module);
    const core = encodeModule(module);
    const { refusals, nf } = await checkComponent(bareComponent(core));
    expect(refusals).toEqual([]);
    expect(nf).toMatchObject({ abiVersion: 1, stateBytes: 0, stateVersion: 0, heapPages: 1 });
    expect(nf!.core).toEqual(core);
  });
});

it("goes on after a refusal, and keeps some of each rule", async () => {
  const module = validModule();
  module.memories = [memory(1, 2)];
  module.bodies[0] = body(constant(9));
  for (let i = 0; i < 5; i++) module.exports.push(exported(`extra${i}`, 0, 0));
  addFunction(module, body([0xfd, 12, ...times(16, () => 0), DROP]));
  const { refusals, hidden } = await checkComponent(concat([bareComponent(encodeModule(module)), section(4, assembleComponent([]))]));
  const count = (rule: RuleId): number => refusals.filter((r) => r.rule === rule).length;
  expect(count("nested_component")).toBe(1);
  expect(count("memory_limits")).toBe(1);
  expect(count("feature")).toBe(1);
  expect(count("export_unknown")).toBe(3);
  expect(hidden).toBe(2);
});

it("measures what it compares", async () => {
  const report = new Report();
  await checkCore(valid(), report);
  expect(report.measured).toMatchObject({
    functions_max: { value: 7, limit: LIMITS.functions_max },
    exports_max: { value: 8, limit: LIMITS.exports_max },
    module_bytes_max: { value: valid().length, limit: LIMITS.module_bytes_max },
  });
});

it("does not mind custom sections of the core module, and takes them out", async () => {
  const core = concat([valid(), customSection("producers", new Uint8Array(50)), customSection("component-type:x", new Uint8Array(LIMITS.module_bytes_max))]);
  const { nf } = await checkComponent(bareComponent(core));
  expect(nf!.core).toEqual(valid());
});
