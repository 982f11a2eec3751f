// How flows are spread: even or by weight, the same on every instance, and with few changes when the set of backends changes.
import { describe, expect, test } from "vitest";
import { Random } from "@nfactor/sdk/test";
import { type BackendConfig, VIP, backendsOf, choices, clients, countBy, service } from "./testing/choices.ts";

const FLOWS = 2500;
const config = (backends: BackendConfig[], rest: object = {}) => ({ services: [service(backends)], ...rest });
const nameOf = ({ address, port }: BackendConfig): string => `${address}:${port ?? 53}`;
const moved = (before: string[], after: string[], from?: string): number =>
  before.filter((name, i) => name !== after[i] && name !== from).length / before.length;
/** Six standard deviations of a binomial count, and what the table's slots may be unevenly dealt out. */
const tolerance = (share: number): number => 6 * Math.sqrt(FLOWS * share * (1 - share)) + 0.01 * FLOWS * share;

function shuffled<T>(r: Random, list: readonly T[]): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const k = r.below(i + 1);
    [copy[i], copy[k]] = [copy[k]!, copy[i]!];
  }
  return copy;
}

describe.each([1, 2])("seed %i", (seed) => {
  test.each([2, 5, 13, 60])("%i equal backends get equal parts, whatever their order", async (count) => {
    const r = new Random(seed * 100 + count);
    const [backends, flows] = [backendsOf(count), clients(r, FLOWS)];
    const chosen = await choices(config(backends), flows);
    const counts = countBy(chosen);
    for (const backend of backends) expect(Math.abs((counts.get(nameOf(backend)) ?? 0) - FLOWS / count), nameOf(backend)).toBeLessThan(tolerance(1 / count));
    expect(await choices(config(shuffled(r, backends)), flows)).toEqual(chosen);
  });

  test("parts follow the weights; weight 0 and unhealthy get nothing", async () => {
    const r = new Random(seed);
    const backends = backendsOf(8).map((backend, i) => ({ ...backend, weight: i === 0 ? 0 : r.pick([1, 2, 7, 50, 100]), healthy: i !== 1 }));
    const counts = countBy(await choices(config(backends), clients(r, FLOWS)));
    const sum = backends.slice(2).reduce((total, { weight }) => total + weight, 0);
    backends.forEach((backend, i) => {
      const share = i < 2 ? 0 : backend.weight / sum;
      expect(Math.abs((counts.get(nameOf(backend)) ?? 0) - FLOWS * share), `${nameOf(backend)} of weight ${backend.weight}`).toBeLessThanOrEqual(
        tolerance(share),
      );
    });
  });

  test.each([
    [3, 65_537],
    [10, 65_537],
    [10, 1009],
    [40, 65_537],
  ])("one of %i backends goes (table of %i): its flows move, of the others few; it comes back: all is as before", async (count, tableSize) => {
    const r = new Random(seed * 1000 + count);
    const [backends, flows] = [backendsOf(count), clients(r, FLOWS)];
    const gone = r.below(count);
    const before = await choices(config(backends, { tableSize }), flows);
    const without = await choices(
      config(
        backends.filter((_, i) => i !== gone),
        { tableSize },
      ),
      flows,
    );
    const name = nameOf(backends[gone]!);
    expect(without).not.toContain(name);
    // Of the flows that need not move.
    expect(moved(before, without, name)).toBeLessThan(0.05);
    for (const away of [{ healthy: false }, { weight: 0 }]) {
      const marked = backends.map((backend, i) => (i === gone ? { ...backend, ...away } : backend));
      expect(await choices(config(marked, { tableSize }), flows)).toEqual(without);
    }
  });

  test("with weights too, and when one is added or the heaviest goes", async () => {
    const r = new Random(seed + 50);
    const backends = backendsOf(10).map((backend, i) => ({ ...backend, weight: i === 0 ? 20 : 5 + r.below(10) }));
    const flows = clients(r, FLOWS);
    const before = await choices(config(backends), flows);
    const [heaviest, last] = [backends[0]!, backends[9]!];
    expect(moved(before, await choices(config(backends.slice(1)), flows), nameOf(heaviest))).toBeLessThan(0.08);
    expect(moved(before, await choices(config(backends.slice(0, 9)), flows), nameOf(last))).toBeLessThan(0.08);
  });

  test("flows of one client are spread too, and clients with one port", async () => {
    const backends = backendsOf(5);
    const ofOne = Array.from({ length: FLOWS }, (_, i) => `10.0.${seed}.1:${1024 + i} > ${VIP}:53`);
    const ofMany = Array.from({ length: FLOWS }, (_, i) => `10.${seed}.${i >> 8}.${i & 255}:1024 > ${VIP}:53`);
    for (const flows of [ofOne, ofMany]) {
      const counts = countBy(await choices(config(backends), flows));
      for (const backend of backends) expect(Math.abs((counts.get(nameOf(backend)) ?? 0) - FLOWS / 5), nameOf(backend)).toBeLessThan(tolerance(1 / 5));
    }
  });

  test("another hash seed deals otherwise, as evenly", async () => {
    const r = new Random(seed);
    const [backends, flows] = [backendsOf(4), clients(r, FLOWS)];
    const [one, other] = [await choices(config(backends, { hashSeed: 1 }), flows), await choices(config(backends, { hashSeed: 2 }), flows)];
    expect(moved(one, other)).toBeGreaterThan(0.65);
    for (const count of countBy(other).values()) expect(Math.abs(count - FLOWS / 4)).toBeLessThan(tolerance(1 / 4));
  });
});
