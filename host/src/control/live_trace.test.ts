import { afterEach, expect, test, vi } from "vitest";
import type { TraceBatch, TraceRecord, TraceWanted } from "../trace/records.ts";
import { LiveTrace } from "./live_trace.ts";
import type { LiveEntry } from "./live_chain.ts";
import { followCapture, followTrace } from "../trace/follow.ts";
import { parseCapture } from "@nfactor/sdk/capture";
import type { TracePacket } from "../trace/packet.ts";

/** A dataplane that has so many packets to choose from, all at once. */
class PacketsToTrace {
  wanted: TraceWanted | undefined;
  stopped: number[] = [];
  #told = 0;
  readonly #have: number;
  readonly #framed: (i: number) => boolean;
  refuses: Error | undefined;

  constructor(have: number, framed: (i: number) => boolean = () => true) {
    this.#have = have;
    this.#framed = framed;
  }
  async traceStart(wanted: TraceWanted): Promise<void> {
    if (this.refuses) throw this.refuses;
    this.wanted = wanted;
  }
  async traceRead({ packets }: TraceWanted): Promise<TraceBatch[]> {
    const records: TraceRecord[] = [];
    const until = Math.min(this.#have, packets);
    for (; this.#told < until; this.#told++) {
      const n = this.#told + 1;
      const frame = this.#framed(this.#told) ? { frame: new Uint8Array([n, 2, 3, 4, 5]) } : {};
      records.push({ hop: "in", at: 1n, n, length: 60, port: 0, ...frame }, { hop: "nf", at: 2n, n, length: 60, nf: 0, verdict: "DROP", reason: "fw.policy" });
    }
    return [{ member: 0, isRemote: false, records, more: false, chosen: this.#told, missed: 2n, lost: 0n }];
  }
  async traceStop(id: number): Promise<void> {
    this.stopped.push(id);
  }
}

const chain = [{ nf: { entry: "fw" } }] as LiveEntry[];
const make = (dataplane: PacketsToTrace) => {
  const live = new LiveTrace({ dataplane, chain, say: () => undefined });
  const client = { call: (method: "trace_start" | "trace_read" | "trace_stop", params: never) => live[method](params) } as never;
  return { live, client };
};
const params = { match: [], packets: 3, seconds: 60 };
afterEach(() => vi.useRealTimers());

test("so many packets as were asked for, and what was missed; then it has ended in the dataplane", async () => {
  const dataplane = new PacketsToTrace(10);
  const { client } = make(dataplane);
  const packets: TracePacket[] = [];
  let totals: unknown;
  for await (const packet of followTrace(client, params, { onTotals: (known) => (totals = known) })) packets.push(packet);
  expect(packets.map(({ packet, is_whole }) => [packet, is_whole])).toEqual([
    [1, true],
    [2, true],
    [3, true],
  ]);
  expect(packets[0]!.hops[1]).toMatchObject({ entry: "fw", verdict: "DROP", reason: "fw.policy" });
  expect(totals).toEqual({ packets: 3, matched: 5, missed: 2, lost_hops: 0 });
  expect(dataplane.stopped).toEqual([dataplane.wanted!.id]);
});

test("one at a time, and the next one when the first has ended", async () => {
  const { live } = make(new PacketsToTrace(0));
  const start = { ...params, frame_bytes: 64 };
  const { trace } = await live.trace_start(start);
  await expect(live.trace_start(start)).rejects.toMatchObject({ code: "trace.busy" });
  await live.trace_stop({ trace });
  await expect(live.trace_read({ trace, wait_ms: 0 })).rejects.toMatchObject({ code: "trace.ended" });
  const next = await live.trace_start(start);
  await live.trace_stop(next);
});

test("one that a member refuses leaves the next one its place", async () => {
  const dataplane = new PacketsToTrace(0);
  const { live } = make(dataplane);
  dataplane.refuses = new Error("no");
  await expect(live.trace_start({ ...params, frame_bytes: 64 })).rejects.toThrow("no");
  dataplane.refuses = undefined;
  await live.trace_stop(await live.trace_start({ ...params, frame_bytes: 64 }));
});

test("a reader that is gone, and one that leaves, end it", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const dataplane = new PacketsToTrace(5);
  const { live, client } = make(dataplane);
  await live.trace_start({ ...params, frame_bytes: 64 });
  await vi.advanceTimersByTimeAsync(4500);
  expect(dataplane.stopped).toEqual([]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(dataplane.stopped).toEqual([dataplane.wanted!.id]);
  vi.useRealTimers();
  for await (const packet of followTrace(client, params)) if (packet.packet === 1) break;
  expect(dataplane.stopped).toHaveLength(2);
});

test("a time that is over ends it with what there is", async () => {
  const { client } = make(new PacketsToTrace(1));
  let count = 0;
  for await (const { is_whole } of followTrace(client, { ...params, seconds: 1 })) count += is_whole ? 1 : 0;
  expect(count).toBe(1);
});

test("a capture counts what came to the point, and makes up for the rest", async () => {
  const dataplane = new PacketsToTrace(20, (i) => i % 3 === 2);
  const { client } = make(dataplane);
  const pieces: Uint8Array[] = [];
  for await (const bytes of followCapture(client, { ...params, packets: 4, point: "fw:out" })) pieces.push(bytes);
  expect(dataplane.wanted).toMatchObject({ point: { kind: "nf_out", which: 0 } });
  // Whole blocks: it is a capture wherever it ends.
  for (let end = 1; end <= pieces.length; end++) {
    const { records } = parseCapture(Buffer.concat(pieces.slice(0, end)), "live");
    expect(records.map(({ bytes }) => bytes[0])).toEqual([3, 6, 9, 12].slice(0, end - 1));
  }
  await expect(async () => {
    for await (const _ of followCapture(client, { ...params, point: "nat:in" })) void _;
  }).rejects.toMatchObject({ code: "trace.point" });
});
