// A token bucket for each flow: what its README promises, and the same against another formulation of it.
import { expect, test } from "vitest";
import { Random, fragments, icmpError, loadNf, udp } from "@nfactor/sdk/test";

const HERE = import.meta.dirname;
const FLOW = "udp 10.0.0.1:1000 > 10.0.0.2:53";
const forth = udp("10.0.0.1:1000 > 10.0.0.2:53");
const back = udp("10.0.0.2:53 > 10.0.0.1:1000");
const PASSED = "FORWARD";
const DROPPED = "DROP rate";

const times = (n: number, frame = forth): Uint8Array[] => Array<Uint8Array>(n).fill(frame);

test("drops what exceeds the burst", async () => {
  const nf = await loadNf(HERE, { packetsPerSecond: 1, burst: 2 });
  expect(nf.send(times(3)).map(String)).toEqual([PASSED, PASSED, DROPPED]);
  expect(nf.flow(FLOW).state).toEqual({ credit: 0n, refilledNs: nf.now, dropped: 1n });
  expect(nf.packets).toEqual({ received: 3, sent: 2, emitted: 0, held: 0, dropped: { "rate_limiter.rate": 1 } });
});

test("credit comes back at the rate, up to the burst", async () => {
  const nf = await loadNf(HERE, { packetsPerSecond: 10, burst: 3 });
  nf.send(times(3));
  nf.advance(99);
  expect(String(nf.sendOne(forth))).toBe(DROPPED);
  nf.advance(1);
  expect(nf.send(times(2)).map(String)).toEqual([PASSED, DROPPED]);
  nf.advance(250);
  expect(nf.send(times(3)).map(String)).toEqual([PASSED, PASSED, DROPPED]);
  nf.advance(20_000);
  expect(nf.send(times(4)).map(String)).toEqual([PASSED, PASSED, PASSED, DROPPED]);
});

test("both directions share one bucket; each flow has its own", async () => {
  const nf = await loadNf(HERE, { packetsPerSecond: 1, burst: 2 });
  expect(nf.send([forth, back, forth, back]).map(String)).toEqual([PASSED, PASSED, DROPPED, DROPPED]);
  const others = ["10.0.0.1:1001 > 10.0.0.2:53", "[fd00::1]:1000 > [fd00::2]:53"];
  for (const path of others) expect(nf.send(times(3, udp(path))).map(String)).toEqual([PASSED, PASSED, DROPPED]);
});

test("fragments and ICMP errors count for their flow", async () => {
  const nf = await loadNf(HERE, { packetsPerSecond: 1, burst: 3 });
  const parts = fragments(udp("10.0.0.1:1000 > 10.0.0.2:53", { payload: "x".repeat(3000) }), 1400);
  expect(parts).toHaveLength(3);
  expect(nf.send([...parts, icmpError(forth)]).map(String)).toEqual([PASSED, PASSED, PASSED, DROPPED]);
});

test("a hundred at once and a thousand a second when nothing is said", async () => {
  const nf = await loadNf(HERE);
  expect(nf.send(times(101)).map(String)).toEqual([...Array<string>(100).fill(PASSED), DROPPED]);
  nf.advance(1);
  expect(nf.send(times(2)).map(String)).toEqual([PASSED, DROPPED]);
});

test("a rate of 0 lets only the burst pass, a burst of 0 nothing", async () => {
  const once = await loadNf(HERE, { packetsPerSecond: 0, burst: 1 });
  once.send(times(1));
  once.advance(29_000);
  expect(String(once.sendOne(forth))).toBe(DROPPED);
  const never = await loadNf(HERE, { burst: 0 });
  never.advance(1000);
  expect(String(never.sendOne(forth))).toBe(DROPPED);
});

test.each([
  // Rate × time is one below 2^64 here: a product that wrapped would look like no credit at all.
  [4_294_967_295, 1, 4_294.967297],
  [4_294_967_295, 4_294_967_295, 1000],
  [4_294_967_295, 7, 29_000],
  [1_000_000_000, 1, 18_446.744074],
])("rate %i, burst %i: full again after %d ms", async (packetsPerSecond, burst, ms) => {
  const nf = await loadNf(HERE, { packetsPerSecond, burst });
  const many = Math.min(burst, 40);
  expect(nf.send(times(many)).map(String)).toEqual(Array<string>(many).fill(PASSED));
  nf.advance(ms);
  expect(String(nf.sendOne(forth))).toBe(PASSED);
  expect(nf.flow(FLOW).state["credit"]).toBe((BigInt(burst) - 1n) * 1_000_000_000n);
});

test.each([
  [{ packetsPerSecond: -1 }, /packetsPerSecond/],
  [{ burst: 4_294_967_296 }, /burst/],
  [{ rate: 5 }, /rate/],
])("a configuration that makes no sense: %j", async (config, message) => {
  await expect(loadNf(HERE, config)).rejects.toThrow(message);
});

/** The generic cell rate algorithm (ITU-T I.371): by the time at which the next packet would be due, without any credit. */
class CellRate {
  readonly #intervalNs: number;
  readonly #toleranceNs: number;
  #dueNs = 0;
  constructor(packetsPerSecond: number, burst: number) {
    this.#intervalNs = 1_000_000_000 / packetsPerSecond;
    this.#toleranceNs = (burst - 1) * this.#intervalNs;
  }
  passes(nowNs: number): boolean {
    if (this.#dueNs - nowNs > this.#toleranceNs) return false;
    this.#dueNs = Math.max(this.#dueNs, nowNs) + this.#intervalNs;
    return true;
  }
}

test.each([
  [1, 1000, 5],
  [2, 50, 1],
  [3, 100_000, 64],
  [4, 8, 3],
])("seed %i: any traffic, %i packets a second, burst %i", async (seed, packetsPerSecond, burst) => {
  const r = new Random(seed);
  const nf = await loadNf(HERE, { packetsPerSecond, burst });
  const reference = new CellRate(packetsPerSecond, burst);
  const intervalUs = 1_000_000 / packetsPerSecond;
  let nowNs = 0;
  for (let i = 0; i < 400; i++) {
    const waitUs = r.pick([0, 1, Math.ceil(intervalUs), r.below(intervalUs * 2), r.below(intervalUs * burst)]);
    nf.advance(waitUs / 1000);
    nowNs += waitUs * 1000;
    const count = 1 + r.below(r.pick([1, 4, 2 * burst]));
    const sent = nf.send(Array.from({ length: count }, () => r.pick([forth, back]))).map(String);
    const expected = sent.map(() => (reference.passes(nowNs) ? PASSED : DROPPED));
    expect(sent, `seed ${seed}, step ${i}`).toEqual(expected);
  }
});
