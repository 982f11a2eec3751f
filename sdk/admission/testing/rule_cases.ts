/** Artifacts that break one rule of admission each, by spoiling one thing of the smallest valid one. For tests. */
import { BASE_PAGES, LIMITS, MODULE_BASE, PAGE_BYTES } from "../../abi/gen/abi.ts";
import { concat, customSection } from "../../pack/wasm_reader.ts";
import type { RuleId } from "../rules.ts";
import { assembleComponent, bareComponent, coreSection, metadataOf, metadataSections, section, stateSchemaOf } from "./artifact.ts";
import {
  END,
  I32,
  I64,
  type RawModule,
  addFunction,
  body,
  constant,
  data,
  encodeModule,
  exported,
  memory,
  text,
  type,
  u32,
  validModule,
} from "./raw_module.ts";

export type Spoil = (module: RawModule) => void;
export interface Case {
  rule: RuleId;
  name: string;
  bytes: () => Uint8Array;
  value?: number | string;
  limit?: number | string;
}

export const valid = (): Uint8Array => encodeModule(validModule());
export const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
export const NOP = 0x01;
export const DROP = 0x1a;

function spoiled(rule: RuleId, name: string, spoil: Spoil, value?: number | string, limit?: number | string): Case {
  const bytes = (): Uint8Array => {
    const module = validModule();
    spoil(module);
    return bareComponent(encodeModule(module));
  };
  return { rule, name, bytes, ...(value !== undefined && { value }), ...(limit !== undefined && { limit }) };
}

/** A module with one more function of these instructions. */
function instructions(feature: string, ...code: number[]): Case {
  return spoiled("feature", feature, (m) => addFunction(m, body(code)), feature);
}

export const nested = (depth: number): number[] => [...times(depth, () => [0x02, 0x40]).flat(), ...times(depth, () => END)];
/** br_table with `targets` targets and a default. */
export const branchTable = (targets: number): number[] => [0x02, 0x40, ...constant(0), 0x0e, ...u32(targets), ...times(targets + 1, () => 0), END];

const COMPONENT_CASES: Case[] = [
  { rule: "component_malformed", name: "no WebAssembly", bytes: () => Buffer.from("#!/bin/sh\necho hello\n") },
  { rule: "component_malformed", name: "nothing at all", bytes: () => new Uint8Array() },
  { rule: "component_malformed", name: "a core module", bytes: valid },
  { rule: "component_malformed", name: "a native shared object", bytes: () => Buffer.concat([Buffer.from("\x7fELF"), Buffer.alloc(60)]) },
  { rule: "component_malformed", name: "an unknown section", bytes: () => concat([bareComponent(valid()), section(13, new Uint8Array(1))]) },
  { rule: "component_malformed", name: "a section that ends beyond the file", bytes: () => concat([bareComponent(valid()), Uint8Array.of(2, 100, 0)]) },
  { rule: "component_malformed", name: "metadata that is no JSON", bytes: () => withSection("nfactor.config", "{") },
  { rule: "component_malformed", name: "metadata of endless depth", bytes: () => withSection("nfactor.config", "[".repeat(60_000) + "]".repeat(60_000)) },
  {
    rule: "component_size",
    name: "padded beyond the limit",
    bytes: () => concat([bareComponent(valid()), customSection("padding", new Uint8Array(LIMITS.component_bytes_max))]),
    limit: LIMITS.component_bytes_max,
  },
  { rule: "core_modules", name: "no core module", bytes: () => assembleComponent(metadataSections(metadataOf())), value: 0 },
  { rule: "core_modules", name: "two core modules", bytes: () => concat([bareComponent(valid()), coreSection(valid())]), value: 2 },
  { rule: "nested_component", name: "a component inside", bytes: () => concat([bareComponent(valid()), section(4, assembleComponent([]))]), value: 1 },
  { rule: "metadata_missing", name: "no manifest", bytes: () => bareComponent(valid(), { ...metadataOf(), manifest: undefined }) },
  { rule: "metadata_missing", name: "no state schema", bytes: () => bareComponent(valid(), { ...metadataOf(), stateSchema: undefined }) },
  { rule: "metadata_missing", name: "no configuration schema", bytes: () => bareComponent(valid(), { ...metadataOf(), configSchema: undefined }) },
  { rule: "metadata_missing", name: "two manifests", bytes: () => concat([bareComponent(valid()), ...metadataSections({ manifest: metadataOf().manifest })]) },
  {
    rule: "metadata_size",
    name: "a huge configuration schema",
    bytes: () => withSection("nfactor.config", JSON.stringify({ type: "object", title: "x".repeat(LIMITS.metadata_bytes_max), properties: {} })),
    limit: LIMITS.metadata_bytes_max,
  },
  {
    rule: "manifest",
    name: "an unknown right",
    bytes: () => bareComponent(valid(), { ...metadataOf(), manifest: { ...(metadataOf({}).manifest as object), rights: { root: true } } }),
  },
  { rule: "manifest", name: "a name with control characters", bytes: () => bareComponent(valid(), metadataOf({ name: "\u001b[2Jx" })) },
  { rule: "manifest", name: "an array", bytes: () => bareComponent(valid(), { ...metadataOf(), manifest: [] }) },
  {
    rule: "state_schema",
    name: "of another size",
    bytes: () => bareComponent(valid(), { ...metadataOf(), stateSchema: stateSchemaOf(0, 8) }),
    value: 8,
    limit: 0,
  },
  {
    rule: "state_schema",
    name: "of another version",
    bytes: () => bareComponent(valid(), { ...metadataOf(), stateSchema: stateSchemaOf(7, 0) }),
    value: 7,
    limit: 0,
  },
  {
    rule: "state_schema",
    name: "a forged digest",
    bytes: () => bareComponent(valid(), { ...metadataOf(), stateSchema: { ...stateSchemaOf(0, 0), digest: "0".repeat(64) } }),
  },
  { rule: "config_schema", name: "a list", bytes: () => bareComponent(valid(), { ...metadataOf(), configSchema: [] }) },
  { rule: "config_schema", name: "an unknown type", bytes: () => bareComponent(valid(), { ...metadataOf(), configSchema: { type: "null" } }) },
];

function withSection(name: string, content: string): Uint8Array {
  const others = metadataSections({ manifest: metadataOf().manifest, stateSchema: metadataOf().stateSchema });
  return assembleComponent([coreSection(valid()), ...others, customSection(name, Buffer.from(content))]);
}

const PAGES = BASE_PAGES + 1;

const FORM_CASES: Case[] = [
  spoiled("module_malformed", "an unknown section", (m) => m.sections.push({ after: 11, id: 14, content: [0] })),
  spoiled("module_malformed", "sections out of order", (m) => m.sections.push({ after: 10, id: 4, content: [0] })),
  spoiled("module_malformed", "a section twice", (m) => m.sections.push({ after: 7, id: 7, content: [0] })),
  spoiled("module_malformed", "a section with bytes left over", (m) => m.sections.push({ after: 5, id: 6, content: [0, 0] })),
  spoiled("module_malformed", "a forged count", (m) => m.sections.push({ after: 3, id: 4, content: [0xff, 0xff, 0xff, 0xff, 0x0f] })),
  spoiled("module_malformed", "a number longer than its type", (m) => m.sections.push({ after: 3, id: 4, content: [0x80, 0x80, 0x80, 0x80, 0x80, 0x00] })),
  spoiled("module_malformed", "a body without its end", (m) => addFunction(m, [2, 0, NOP])),
  spoiled("module_malformed", "a body that goes on behind its end", (m) => addFunction(m, [4, 0, END, NOP, END])),
  spoiled("module_malformed", "an opcode that nobody defined", (m) => addFunction(m, body([0x27]))),
  spoiled("module_malformed", "more functions than bodies", (m) => m.functions.push(0), 7),
  spoiled("module_malformed", "a type that does not exist", (m) => {
    m.functions.push(99);
    m.bodies.push(body([]));
  }),
  spoiled("module_malformed", "a block type that does not exist", (m) => addFunction(m, body([0x02, 40, END]))),
  spoiled("module_malformed", "an i32.const of more than 32 bits", (m) => addFunction(m, body([0x41, 0xff, 0xff, 0xff, 0xff, 0x1f, DROP]))),
  spoiled("module_malformed", "an i64.const of more than 64 bits", (m) => addFunction(m, body([0x42, ...times(9, () => 0xff), 0x02, DROP]))),
  spoiled("module_malformed", "a name that is no UTF-8", (m) => m.exports.push([1, 0xff, 0, 0])),
  spoiled("module_malformed", "the same export twice", (m) => m.exports.push(m.exports[0]!)),
  spoiled("module_invalid", "an operand that is not there", (m) => addFunction(m, body([DROP]))),
  spoiled("module_invalid", "a call to a function that is not there", (m) => addFunction(m, body([0x10, 99]))),
  spoiled("module_invalid", "a local that is not there", (m) => addFunction(m, body([0x20, 5, DROP]))),
  spoiled("module_invalid", "a branch out of all blocks", (m) => addFunction(m, body([0x0c, 9]))),
  spoiled("module_invalid", "an alignment above the natural one", (m) => addFunction(m, body([...constant(0), 0x28, 5, 0, DROP]))),
  instructions("bulk memory", ...constant(0), ...constant(0), ...constant(0), 0xfc, 11, 0),
  instructions("bulk memory", 0xfc, 9, 0),
  instructions("SIMD", 0xfd, 12, ...times(16, () => 0), DROP),
  instructions("threads", 0xfe, 3, 0),
  instructions("reference types", 0xd0, 0x70, DROP),
  instructions("reference types", 0x02, 0x70, 0xd0, 0x70, END, DROP),
  instructions("tail calls", 0x12, 3),
  instructions("exceptions", 0x06, 0x40, END),
  instructions("garbage collection", 0xfb, 0, 0, DROP),
  instructions("several memories", ...constant(0), 0x28, 0x42, 0, 0, DROP),
  instructions("several memories", 0x3f, 1, DROP),
  spoiled("feature", "a shared memory", (m) => (m.memories = [[3, ...u32(BASE_PAGES + 1), ...u32(BASE_PAGES + 1)]]), "threads"),
  spoiled("feature", "a memory of 64 bits", (m) => (m.memories = [[5, ...u32(BASE_PAGES + 1), ...u32(BASE_PAGES + 1)]]), "memory64"),
  spoiled("feature", "a table of external references", (m) => m.tables.push([0x6f, 0, 1]), "reference types"),
  spoiled("feature", "a local of a vector type", (m) => addFunction(m, body([], [[1, 0x7b]])), "SIMD"),
  spoiled("feature", "a struct type", (m) => m.types.push([0x5f, 0]), "garbage collection"),
  spoiled("feature", "a tag", (m) => m.sections.push({ after: 5, id: 13, content: [1, 0, 0] }), "exceptions"),
  spoiled("feature", "a data count", (m) => m.sections.push({ after: 9, id: 12, content: [0] }), "bulk memory"),
  spoiled("feature", "a computed initial value", (m) => m.globals.push([I32, 0, ...constant(1), ...constant(1), 0x6a, END]), "extended constant expressions"),
  spoiled("imports", "a function of the environment", (m) => {
    m.imports.push([...text("env"), ...text("abort"), 0, 2]);
    m.exports = m.exports.map((entry) => (entry.at(-2) === 0 ? [...entry.slice(0, -1), entry.at(-1)! + 1] : entry));
  }),
  spoiled("imports", "a global", (m) => m.imports.push([...text("env"), ...text("base"), 3, I32, 0])),
  spoiled("start_section", "a start function", (m) => (m.start = addFunction(m, body([])))),
];

const COUNT_CASES: Case[] = [
  spoiled(
    "module_bytes",
    "too large",
    (m) => times(17, () => addFunction(m, body(times(LIMITS.function_body_bytes_max - 2, () => NOP)))),
    undefined,
    LIMITS.module_bytes_max,
  ),
  spoiled(
    "types",
    "too many",
    (m) => m.types.push(...times(LIMITS.types_max, () => type([]))),
    LIMITS.types_max + validModule().types.length,
    LIMITS.types_max,
  ),
  spoiled("params", "too many", (m) => m.types.push(type(times(LIMITS.params_max + 1, () => I32))), LIMITS.params_max + 1, LIMITS.params_max),
  spoiled(
    "type_results",
    "too many",
    (m) =>
      m.types.push(
        type(
          [],
          times(LIMITS.type_results_max + 1, () => I32),
        ),
      ),
    LIMITS.type_results_max + 1,
    LIMITS.type_results_max,
  ),
  spoiled(
    "functions",
    "too many",
    (m) => times(LIMITS.functions_max, () => m.functions.push(1) && m.bodies.push(body([]))),
    LIMITS.functions_max + 7,
    LIMITS.functions_max,
  ),
  spoiled("function_body", "too long", (m) => addFunction(m, body(times(LIMITS.function_body_bytes_max - 1, () => NOP))), LIMITS.function_body_bytes_max + 1),
  spoiled("locals", "one run too long", (m) => addFunction(m, body([], [[LIMITS.function_locals_max + 1, I32]])), LIMITS.function_locals_max + 1),
  spoiled(
    "locals",
    "two short runs",
    (m) =>
      addFunction(
        m,
        body(
          [],
          [
            [LIMITS.function_locals_max, I32],
            [1, 0x7c],
          ],
        ),
      ),
    LIMITS.function_locals_max + 1,
  ),
  spoiled("locals", "with its parameter", (m) => addFunction(m, body([], [[LIMITS.function_locals_max, I32]]), type([I32])), LIMITS.function_locals_max + 1),
  spoiled("nesting", "too deep", (m) => addFunction(m, body(nested(LIMITS.nesting_max + 1))), LIMITS.nesting_max + 1, LIMITS.nesting_max),
  spoiled("br_table", "too large", (m) => addFunction(m, body(branchTable(LIMITS.br_table_targets_max + 1))), LIMITS.br_table_targets_max + 1),
  spoiled("globals", "too many", (m) => m.globals.push(...times(LIMITS.globals_max + 1, () => [I32, 1, ...constant(0), END])), LIMITS.globals_max + 1),
  spoiled("table", "too large", (m) => m.tables.push([0x70, 0, ...u32(LIMITS.table_elements_max + 1)]), LIMITS.table_elements_max + 1),
  spoiled("table", "two of them", (m) => m.tables.push([0x70, 0, 1], [0x70, 0, 1]), 2, 1),
  spoiled("elements", "too many segments", (m) => {
    m.tables.push([0x70, 0, 1]);
    m.elements.push(...times(LIMITS.element_segments_max + 1, () => [0, ...constant(0), END, 0]));
  }),
  spoiled(
    "elements",
    "beyond the table",
    (m) => {
      m.tables.push([0x70, 0, 2]);
      m.elements.push([0, ...constant(1), END, 2, 0, 0]);
    },
    3,
    2,
  ),
  spoiled("elements", "before the table", (m) => {
    m.tables.push([0x70, 0, 2]);
    m.elements.push([0, ...constant(-1), END, 1, 0]);
  }),
  spoiled("elements", "a passive segment", (m) => m.elements.push([1, 0, 1, 0])),
  spoiled(
    "exports",
    "too many",
    (m) => m.exports.push(...times(LIMITS.exports_max, (i) => exported(`e${i}`, 0, 0))),
    LIMITS.exports_max + 8,
    LIMITS.exports_max,
  ),
  spoiled("data_segments", "too many", (m) => m.data.push(...times(LIMITS.data_segments_max + 1, () => data(MODULE_BASE, 0))), LIMITS.data_segments_max + 1),
  spoiled("data_place", "below the module area", (m) => m.data.push(data(MODULE_BASE - 1, 1))),
  spoiled("data_place", "at null", (m) => m.data.push(data(0, 4))),
  spoiled("data_place", "over the end of memory", (m) => m.data.push(data(MODULE_BASE + PAGE_BYTES - 1, 2))),
  spoiled("data_place", "around the end of the address space", (m) => m.data.push(data(-1, 2))),
  spoiled("data_place", "a passive segment", (m) => m.data.push([1, 1, 0])),
];

const SHAPE_CASES: Case[] = [
  spoiled(
    "memory_missing",
    "none",
    (m) => {
      m.memories = [];
      m.exports.pop();
    },
    0,
    1,
  ),
  spoiled("memory_missing", "two", (m) => m.memories.push(memory(1, 1)), 2, 1),
  spoiled("memory_export", "under no name", (m) => m.exports.pop()),
  spoiled("memory_export", "a function of that name", (m) => (m.exports[7] = exported("memory", 0, 0))),
  spoiled("memory_limits", "no maximum", (m) => (m.memories = [memory(PAGES)])),
  spoiled("memory_limits", "room to grow", (m) => (m.memories = [memory(PAGES, PAGES + 1)])),
  spoiled("memory_limits", "no heap page", (m) => (m.memories = [memory(BASE_PAGES, BASE_PAGES)])),
  spoiled("memory_limits", "a small memory", (m) => (m.memories = [memory(1, 1)])),
  spoiled("heap_pages", "more than the manifest says", (m) => (m.memories = [memory(PAGES + 1, PAGES + 1)]), 2, 1),
  spoiled("heap_pages", "the whole address space", (m) => (m.memories = [memory(65_536, 65_536)]), 65_536 - BASE_PAGES, 1),
  spoiled("export_missing", "process-burst", (m) => m.exports.splice(5, 1), "process-burst"),
  spoiled("export_type", "a wide result", (m) => {
    const index = addFunction(m, body([0x42, 0]), type([], [I64]));
    m.exports[3] = exported("init", 0, index);
  }),
  spoiled("export_type", "a parameter too many", (m) => (m.exports[5] = exported("process-burst", 0, 4))),
  spoiled("export_type", "an optional export of another type", (m) => m.exports.push(exported("tick", 0, 5))),
  spoiled("export_type", "a global of the name", (m) => {
    m.globals.push([I32, 0, ...constant(0), END]);
    m.exports[3] = exported("init", 3, 0);
  }),
  spoiled("export_unknown", "a function", (m) => m.exports.push(exported("debug", 0, 3)), "'debug'"),
  spoiled("export_unknown", "a mutable global", (m) => {
    m.globals.push([I32, 1, ...constant(0), END]);
    m.exports.push(exported("counter", 3, 0));
  }),
  spoiled("export_unknown", "a name with control characters", (m) => m.exports.push(exported("\u001b[31m\n", 0, 3)), "'?[31m?'"),
  spoiled("constant_export", "a computed version", (m) => (m.bodies[2] = body([...constant(1), ...constant(2), 0x6a]))),
  spoiled("constant_export", "a loop in state-bytes", (m) => (m.bodies[1] = body([0x03, 0x40, 0x0c, 0, END, 0x00]))),
  spoiled("constant_export", "a constant with locals", (m) => (m.bodies[2] = body(constant(0), [[1, I32]]))),
  spoiled("abi_version", "of the future", (m) => (m.bodies[0] = body(constant(2))), 2, 1),
  { ...spoiled("state_bytes", "too large", () => undefined), bytes: () => bareComponent(tooMuchState(), { ...metadataOf() }) },
];

function tooMuchState(): Uint8Array {
  const module = validModule();
  module.bodies[1] = body(constant(LIMITS.state_bytes_max + 1));
  return encodeModule(module);
}

export const RULE_CASES = [...COMPONENT_CASES, ...FORM_CASES, ...COUNT_CASES, ...SHAPE_CASES];
