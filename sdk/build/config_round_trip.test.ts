import { beforeAll, expect, test } from "vitest";
import { ConfigError, encodeConfig } from "../config/index.ts";
import type { BuiltNf } from "./build.ts";
import { type RunningNf, buildText, run } from "./testing/temporary_nf.ts";

const SOURCE = `import { NetworkFunction, NoState, Packet, Verdict, counter } from "@nfactor/sdk";

/** One of many. */
@config class Rule {
  name: string; // shown in logs
  @range(1, 100) weight: u8 = 5;
  ports: u16[] = [];
}
@config class Config {
  on: bool = true;
  small: i8 = -3;
  big: u64 = 1 << 40;
  negative: i64 = 0;
  ratio: f64 = 0.5;
  @oneOf("allow", "deny") policy: string = "allow";
  @limit(3) rules: Array<Rule> = [];
  grid: u32[][] = [];
  rule: Rule;
  @format("prefix") from: string = "0.0.0.0/0";
}

export class Probe extends NetworkFunction<NoState, Config> {
  configure(c: Config): u32 {
    counter(0).add(c.on ? 1 : 0);
    counter(1).add(<u64><i64>c.small);
    counter(2).add(c.big);
    counter(3).add(<u64>c.negative);
    counter(4).add(reinterpret<u64>(c.ratio));
    counter(5).add(c.policy == "deny" ? 1 : 0);
    counter(6).add(c.rules.length);
    for (let i = 0; i < c.rules.length; i++) {
      const rule = c.rules[i];
      counter(7).add(rule.weight);
      counter(8).add(rule.name.length);
      for (let k = 0; k < rule.ports.length; k++) counter(9).add(rule.ports[k]);
    }
    for (let i = 0; i < c.grid.length; i++) for (let k = 0; k < c.grid[i].length; k++) counter(10).add(c.grid[i][k]);
    counter(11).add(c.rule.name == "höst 😀" ? 1 : 0);
    counter(12).add(c.from == "10.0.0.0/8" ? 1 : 0);
    return c.rule.weight == 99 ? 77 : 0;
  }
  process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; }
}
`;

let nf: BuiltNf;
beforeAll(async () => {
  nf = await buildText(SOURCE);
});

async function configured(value: unknown): Promise<{ code: number; counters: bigint[]; nf: RunningNf }> {
  const running = await run(nf.core);
  const code = running.configure(encodeConfig(nf.configSchema, value));
  return { code, counters: Array.from({ length: 13 }, (_, i) => running.counter(i)), nf: running };
}

test("every kind of field arrives as it was written", async () => {
  const { code, counters } = await configured({
    on: false,
    small: -128,
    big: 18446744073709551615n,
    negative: "-9223372036854775808",
    ratio: 2.25,
    policy: "deny",
    rules: [{ name: "a" }, { name: "bcd", weight: 100, ports: [80, 65535] }],
    grid: [[1, 2], [], [4000000000]],
    rule: { name: "höst 😀" },
    from: "10.0.0.0/8",
  });
  expect(code).toBe(0);
  const ratio = new DataView(new ArrayBuffer(8));
  ratio.setFloat64(0, 2.25);
  expect(counters).toEqual([0n, 2n ** 64n - 128n, 2n ** 64n - 1n, 2n ** 63n, ratio.getBigUint64(0), 1n, 2n, 105n, 4n, 65615n, 4000000003n, 1n, 1n]);
});

test("what is left out keeps its default", async () => {
  const { code, counters } = await configured({ rule: { name: "x" } });
  expect(code).toBe(0);
  expect(counters.slice(0, 4)).toEqual([1n, 2n ** 64n - 3n, 1n << 40n, 0n]);
});

test("numbers between 32 and 64 bits arrive whole", async () => {
  for (const big of [2 ** 32, 2 ** 53 - 1, 5_000_000_000]) {
    const { code, counters } = await configured({ big, negative: -big, rule: { name: "x" } });
    expect([code, counters[2], BigInt.asIntN(64, counters[3]!)]).toEqual([0, BigInt(big), BigInt(-big)]);
  }
});

test("the NF's own code comes back", async () => {
  expect((await configured({ rule: { name: "x", weight: 99 } })).code).toBe(77);
});

test("the schema says types, defaults, bounds, words and the author's comments", () => {
  expect(nf.configSchema).toMatchObject({
    type: "object",
    title: "Config",
    required: ["rule"],
    properties: {
      big: { type: "integer", format: "u64", default: 2 ** 40 },
      small: { format: "i8", default: -3 },
      policy: { enum: ["allow", "deny"], default: "allow" },
      rules: {
        maxItems: 3,
        items: {
          description: "One of many.",
          required: ["name"],
          properties: { name: { description: "shown in logs" }, weight: { minimum: 1, maximum: 100, default: 5 } },
        },
      },
    },
  });
});

const WRONG: [unknown, string, (string | number)[]][] = [
  [{}, "config.field", []],
  [{ rule: { name: 5 } }, "config.field", ["rule", "name"]],
  [{ rule: { name: "x", weight: 101 } }, "config.field", ["rule", "weight"]],
  [{ rule: { name: "x" }, rules: [{ name: "a" }, { name: "b", ports: [1, 65536] }] }, "config.field", ["rules", 1, "ports", 1]],
  [{ rule: { name: "x" }, rules: [{}, {}, {}, {}] }, "config.field", ["rules"]],
  [{ rule: { name: "x" }, polcy: "deny" }, "config.field", ["polcy"]],
  [{ rule: { name: "x" }, policy: "block" }, "config.field", ["policy"]],
  [{ rule: { name: "x" }, big: 2 ** 60 }, "config.field", ["big"]],
  [{ rule: { name: "x" }, big: -1 }, "config.field", ["big"]],
  [{ rule: { name: "x" }, from: "10.0.0.0/33" }, "config.prefix", ["from"]],
  [{ rule: { name: "x" }, ratio: "1" }, "config.field", ["ratio"]],
  [{ rule: { name: "\ud800" } }, "config.field", ["rule", "name"]],
  [[], "config.field", []],
];

test.each(WRONG)("%j is refused with its path", (value, code, path) => {
  let caught: unknown;
  try {
    encodeConfig(nf.configSchema, value);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(ConfigError);
  expect((caught as ConfigError).code).toBe(code);
  expect((caught as ConfigError).path).toEqual(path);
});

test("a slip of the keyboard is told apart from an unknown word", () => {
  expect(() => encodeConfig(nf.configSchema, { rule: { name: "x" }, polcy: "deny" })).toThrow(expect.objectContaining({ fix: "Did you mean 'policy'?", at: "key" }));
});

test("bytes that are no configuration are refused by the NF, whatever they are", async () => {
  const good = encodeConfig(nf.configSchema, { rule: { name: "x" }, rules: [{ name: "abc", ports: [1, 2, 3] }] });
  const running = await run(nf.core);
  expect(running.configure(good)).toBe(0);
  for (let length = 1; length < good.length; length++) expect(running.configure(good.subarray(0, length))).toBeGreaterThan(0xffff0000);
  expect(running.configure(Uint8Array.from([...good, 0xc0]))).toBe(0xffff0001);
  let random = 1;
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from(good, (b) => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      return random % 5 === 0 ? random >>> 24 : b;
    });
    running.configure(bytes); // any code, no trap
  }
});

test("a configuration that is larger than the heap is refused, not a trap", async () => {
  const grid = Array.from({ length: 3000 }, () => [1, 2, 3, 4]);
  expect((await configured({ rule: { name: "x" }, grid })).code).toBe(0xffff0004);
});
