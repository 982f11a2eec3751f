/** The story of one packet, as it goes over sockets: what it met, in the order in which it did. */
import { z } from "zod";

export const TRACE_PACKETS_MAX = 100_000;
export const TRACE_SECONDS_MAX = 3600;
export const HOPS_MAX = 128;
/** As long as a frame may be. */
export const FRAME_BYTES_MAX = 9216;
/** Of a frame in a trace. */
export const TRACE_FRAME_BYTES = 256;

const runtime = z.int().min(0).max(65_535);
const frameBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= FRAME_BYTES_MAX, "the bytes of a frame are expected");

export const HOPS = ["in", "routed", "taken", "waits", "nf_in", "nf", "emitted", "stamped", "relayed", "gate", "out", "dropped"] as const;
export const VERDICTS = ["FORWARD", "DROP", "REPLY", "BYPASS"] as const;
export const WAITS = ["fragment", "move", "replica", "gate"] as const;

export const traceHopSchema = z.strictObject({
  hop: z.enum(HOPS),
  /** Where: 0 is the vswitch, or the runtime itself when there is none. */
  runtime,
  /** Since the hop before; missing where that was on another machine, whose clock is another one. */
  after_ns: z.int().min(0).optional(),
  entry: z.string().max(64).optional(),
  verdict: z.enum(VERDICTS).optional(),
  /** As the counters of drops have it. */
  reason: z.string().max(256).optional(),
  port: z.enum(["client", "server"]).optional(),
  /** Of `routed`: the runtime that gets it. */
  to: runtime.optional(),
  /** What it waits for. */
  waits_for: z.enum(WAITS).optional(),
  /** Nobody knew its flow. */
  new_flow: z.literal(true).optional(),
  /** It has turned at an NF, and goes back. */
  reply: z.literal(true).optional(),
  /** An NF has changed it. */
  changed: z.literal(true).optional(),
  /** The first bytes of it, where they are kept. */
  frame: frameBytes.optional(),
});
export type TraceHop = z.output<typeof traceHopSchema>;

export const tracePacketSchema = z.strictObject({
  /** From 1, in the order in which they came in. */
  packet: z.int().min(1),
  /** When it came in, in µs since the epoch. */
  at_us: z.int().min(0),
  /** Of the frame on the wire, as it came in. */
  wire_length: z.int().min(0),
  /** An NF has made it while it had another packet. */
  made_by: z.strictObject({ packet: z.int().min(1), entry: z.string().max(64) }).optional(),
  /** How it ended is known, and nothing is missing before. */
  is_whole: z.boolean(),
  hops: z.array(traceHopSchema).max(HOPS_MAX),
});
export type TracePacket = z.output<typeof tracePacketSchema>;

export const traceTotalsSchema = z.strictObject({
  packets: z.int().min(0).describe("Packets that were shown, or written."),
  matched: z.int().min(0).describe("Packets that were chosen, as long as more were wanted."),
  missed: z.int().min(0).describe("Packets that matched and were not recorded: there was no room, since nobody read fast enough."),
  lost_hops: z.int().min(0).describe("Hops of recorded packets that found no room."),
});
export type TraceTotals = z.output<typeof traceTotalsSchema>;
