/**
 * What the corpus does to flows that move: two runtimes, and NFs around the hostile one that hear of everything that comes and goes. Flows stay whole
 * wherever they are, nothing leaves twice or changed, and only what waited for a flow that was refused is lost, counted.
 */
import { describe, expect, it } from "vitest";
import { faultKindName } from "@nfactor/sdk/abi";
import { MOVED_RUNS, buildHostile } from "./corpus.ts";
import { prepared, runNative, shipped } from "./native_run.ts";
import { buildNeighbour } from "./neighbour.ts";
import { type TestPacket, traffic } from "./traffic.ts";

const RUNTIMES = 2;
const OF_REFUSALS = ["move_abandoned", "flow_unknown"];

/** The same flows again and again, for some 100 polls. */
function longTraffic(): TestPacket[] {
  const once = traffic();
  return Array.from({ length: 25 }, (_, i) => once.map((packet) => ({ ...packet, timestampNs: packet.timestampNs + BigInt(i) * 300_000_000n }))).flat();
}
const hex = (packets: readonly Uint8Array[]): string[] => packets.map((bytes) => Buffer.from(bytes).toString("hex"));

describe("where flows move", () => {
  it.each(MOVED_RUNS)("$name: $tries", async ({ name, run }) => {
    const packets = longTraffic();
    const chain = [await shipped("flow_monitor"), await prepared("hostile", await buildHostile(name)), await prepared("neighbour", buildNeighbour())];
    const { counters, faults, sent, runtimes, result } = await runNative(chain, packets, RUNTIMES);

    const seen = [...new Set(faults.map(({ entry, kind, call }) => `${faultKindName(kind)} in ${call} of ${entry}`))];
    expect(seen).toEqual(run.fault === undefined ? [] : [`${run.fault} in ${run.in} of hostile`]);
    const total = (what: "movedIn" | "movedOut" | "nfAsked" | "nfMoves" | "nfMovesFailed" | "arrivalsRefused"): number =>
      runtimes.reduce((sum, status) => sum + Number(status[what]), 0);
    expect(total("nfAsked")).toBeGreaterThan(0);

    // The books, and every frame at most once, in its flow's order, as it came.
    const dropped = Object.values(counters.dropped).reduce((sum, n) => sum + n, 0n);
    expect(counters.received).toBe(BigInt(packets.length));
    expect(counters.sent + dropped).toBe(counters.received);
    expect(Object.keys(counters.dropped).filter((reason) => !OF_REFUSALS.includes(reason))).toEqual([]);
    const input = hex(packets.map(({ bytes }) => bytes));
    let at = 0;
    for (const frame of hex(sent)) {
      at = input.indexOf(frame, at) + 1;
      expect(at, "a frame that is not of the input, or out of order").toBeGreaterThan(0);
    }

    // Each flow lives once, and its other NFs have seen all that it sent.
    expect(result.flows).toHaveLength(3);
    expect(total("movedIn")).toBe(total("movedOut"));
    if (run.in === "flow-left") expect(total("movedIn")).toBeGreaterThan(0);
    else expect([total("movedIn"), Number(dropped) > 0 && total("arrivalsRefused") === 0]).toEqual([expect.any(Number), false]);
    if (run.in === "migration-target" || name === "migrate_everything") expect([total("movedIn"), total("nfMoves"), dropped]).toEqual([0, 0, 0n]);
    if (run.in === "flow-arrived") expect(total("arrivalsRefused")).toBeGreaterThan(0);
    if (name === "migrate_everything") expect(total("nfMovesFailed")).toBe(total("nfAsked"));
    for (const { packets: of, nfs } of result.flows) {
      const monitor = nfs["flow_monitor"] as { state: Record<string, unknown> } | undefined;
      expect(monitor, JSON.stringify(of)).toBeDefined();
    }
  });
});
