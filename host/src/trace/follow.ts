/**
 * Stories of packets, or the bytes of a capture file, from a host's control socket as they come: what `nfactor trace` and `nfactor capture` show, and what the
 * host daemon streams to its controller.
 *
 *   for await (const packet of followTrace(client, { match: ["tcp", "port", "80"], packets: 10, seconds: 30 }, { signal, onTotals })) …
 *
 * The connection is used for nothing else meanwhile. When the consumer leaves the loop, or `signal` says so, the trace has ended in the host too.
 */
import type { ControlClient } from "../rpc/client.ts";
import { captureBlocks, captureHeader } from "./pcapng.ts";
import { FRAME_BYTES_MAX, TRACE_FRAME_BYTES, type TracePacket, type TraceTotals } from "./packet.ts";

/** A read waits for something to tell; one that waits longer would leave Ctrl-C waiting. */
const WAIT_MS = 500;

export interface FollowParams {
  /** Words that all have to match, as for `flows`; fields of states excepted. */
  match: string[];
  /** It ends after so many packets, */
  packets: number;
  /** or after this time. */
  seconds: number;
}
export interface FollowOptions {
  /** Ends it; what is known by then is still given. */
  signal?: AbortSignal | undefined;
  /** Once it has begun: packets are looked at from now on. */
  onBegin?: (() => void) | undefined;
  /** Once, at the end. */
  onTotals?: ((totals: TraceTotals) => void) | undefined;
}
type Client = Pick<ControlClient, "call">;

/** Rejects with NfError as the host's methods do: usage, trace.busy, trace.ended, trace.unsupported. */
export async function* followTrace(client: Client, params: FollowParams, options: FollowOptions = {}): AsyncGenerator<TracePacket, void> {
  for await (const packets of follow(client, { ...params, frame_bytes: TRACE_FRAME_BYTES }, options)) yield* packets;
}

/** Whole blocks of a pcapng file, in order: it can be read wherever it is cut off. Rejects also with trace.point. */
export async function* followCapture(client: Client, params: FollowParams & { point: string }, options: FollowOptions = {}): AsyncGenerator<Uint8Array, void> {
  let isFirst = true;
  for await (const packets of follow(client, { ...params, frame_bytes: FRAME_BYTES_MAX }, options)) {
    if (isFirst) yield captureHeader(params.point);
    isFirst = false;
    for (const packet of packets) yield* captureBlocks(packet);
  }
}

/** Nothing first, once it has begun; then what there is to tell, again and again. */
async function* follow(
  client: Client,
  params: FollowParams & { frame_bytes: number; point?: string },
  { signal, onBegin, onTotals }: FollowOptions,
): AsyncGenerator<TracePacket[], void> {
  const { trace } = await client.call("trace_start", params);
  let isOver = false;
  try {
    onBegin?.();
    yield [];
    while (!isOver && signal?.aborted !== true) {
      const { packets, totals, done } = await client.call("trace_read", { trace, wait_ms: WAIT_MS });
      isOver = done;
      if (packets.length > 0) yield packets;
      if (done) onTotals?.(totals);
    }
    if (isOver) return;
    isOver = true;
    const { packets, totals } = await client.call("trace_stop", { trace });
    if (packets.length > 0) yield packets;
    onTotals?.(totals);
  } finally {
    // The consumer has had enough, or the host does not answer; if it does not hear this, it ends the trace by itself.
    if (!isOver) await client.call("trace_stop", { trace }).catch(() => undefined);
  }
}
