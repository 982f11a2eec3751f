// Ten thousand compiled rules decide as they do when read one after the other; and when a list is too much, that is said.
import { describe, expect, test } from "vitest";
import { buildNf } from "@nfactor/sdk/build";
import { readState } from "@nfactor/sdk/manifest";
import { StartError } from "@nfactor/sdk/simulator";
import { Random, type TestChain, icmp, ip, loadNf, tcp, udp } from "@nfactor/sdk/test";
import { type Asked, type Rule, addressText, firstRule, hasPorts, randomAsked, randomRule } from "./testing/rule_reference.ts";

const HERE = import.meta.dirname;

function frameOf(q: Asked): Uint8Array {
  const [from, to] = [addressText(q.family, q.from), addressText(q.family, q.to)];
  const path = q.family === 4 ? `${from}:${q.fromPort} > ${to}:${q.port}` : `[${from}]:${q.fromPort} > [${to}]:${q.port}`;
  if (q.protocol === 6) return tcp(path, { flags: "S" });
  if (q.protocol === 17) return udp(path);
  if (q.protocol === 1 || q.protocol === 58) return icmp(path, q.icmp >> 8, q.icmp & 255, [0, 1, 0, 0]);
  const ports = hasPorts(q.protocol) ? [q.fromPort >> 8, q.fromPort & 255, q.port >> 8, q.port & 255] : [];
  return ip(path, q.protocol, [...ports, ...Array<number>(12).fill(0)]);
}

/** Flows that differ, so that each has a first packet. ICMP errors open none. */
function manyAsked(r: Random, count: number): Asked[] {
  const known = new Set<string>();
  const isError = ({ protocol, icmp: value }: Asked) =>
    protocol === 1 ? [3, 4, 5, 11, 12].includes(value >> 8) : protocol === 58 && value >> 8 >= 1 && value >> 8 <= 4;
  const asked: Asked[] = [];
  while (asked.length < count) {
    const q = randomAsked(r);
    const l4 = q.protocol === 1 || q.protocol === 58 ? "" : `${[q.fromPort, q.port].sort().join()}`;
    const key = `${q.protocol} ${[q.from, q.to].map(String).sort().join()} ${l4}`;
    if (known.has(key) || isError(q)) continue;
    known.add(key);
    asked.push(q);
  }
  return asked;
}

/** Number of the rule that each flow met, as its state says. */
async function rulesMet(nf: TestChain, asked: readonly Asked[]): Promise<number[]> {
  const { stateSchema } = await buildNf(HERE);
  for (const side of [0, 1] as const) {
    const frames = asked.filter((q) => q.side === side).map(frameOf);
    for (let at = 0; at < frames.length; at += 512) nf.send(frames.slice(at, at + 512), { port: side === 0 ? "client" : "server" });
  }
  return nf.flows().map((flow) => readState(stateSchema, flow.states[0]!)["rule"] as number);
}

async function compare(seed: number, count: number, specific: boolean, flows: number): Promise<void> {
  const r = new Random(seed);
  const rules: Rule[] = Array.from({ length: count }, () => randomRule(r, specific));
  const asked = manyAsked(r, flows).sort((a, b) => a.side - b.side);
  const nf = await loadNf(HERE, { rules: rules.map(({ config }) => config) });
  const expected = asked.map((q) => firstRule(rules, q));
  const met = await rulesMet(nf, asked);
  expect(met.length).toBe(asked.length);
  const wrong = met.findIndex((rule, i) => rule !== expected[i]);
  expect(wrong === -1 ? "all agree" : { asked: asked[wrong], expected: expected[wrong], met: met[wrong] }).toBe("all agree");
  const blocked = expected.filter((rule) => rule > 0 && rules[rule - 1]!.config.action === "drop").length;
  expect(nf.packets.dropped).toEqual(blocked === 0 ? {} : { "firewall.policy": blocked });
}

describe("compiled rules agree with rules read one after the other", () => {
  test.each([
    [1, 1, false],
    [2, 5, false],
    [3, 20, false],
    [4, 200, false],
    [5, 200, true],
    [6, 2000, true],
  ])("seed %i: %i rules, specific: %s", async (seed, count, specific) => compare(seed, count, specific, 1500));

  test("10,000 rules", async () => compare(7, 10_000, true, 4000), 120_000);
});

test("10,000 rules that differ only in their ports", async () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => ({
    action: i % 2 === 0 ? "drop" : "allow",
    protocol: "udp",
    ports: i % 3 === 0 ? `${i}-${i + 40}` : i * 5,
  }));
  const nf = await loadNf(HERE, { default: "drop", rules });
  const holds = (rule: (typeof rules)[number], port: number) => {
    const [low, high] = String(rule.ports).split("-").map(Number);
    return low! <= port && port <= (high ?? low!);
  };
  const ports = Array.from({ length: 800 }, (_, i) => (i * 81) % 65_536);
  const verdicts = nf.send(ports.map((port) => udp(`10.0.0.1:1 > 10.0.0.2:${port}`)));
  const expected = ports.map((port) => (rules.find((rule) => holds(rule, port))?.action === "allow" ? "FORWARD" : "DROP policy"));
  expect(verdicts.map(String)).toEqual(expected);
}, 60_000);

test("a list that needs more memory than there is, is refused at the rule where it ended", async () => {
  // Each rule is cut into 64 × 30 pieces.
  const fromPorts = Array.from({ length: 64 }, (_, i) => `${i * 1024 + 1}-${i * 1024 + 1022}`).join(",");
  const rules = Array.from({ length: 500 }, (_, i) => ({ action: "drop", from: `10.0.${i >> 8}.${i & 255}`, fromPorts }));
  const error: unknown = await loadNf(HERE, { rules }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StartError);
  expect((error as StartError).lines).toEqual([expect.stringMatching(/^config rules\[\d+\]: config\.too_large: there is no memory/)]);
});
