/** What a member's dataplane records of a packet (dataplane-native/src/trace/record.h), as it comes over the member's control connection. */
import { z } from "zod";
import { amount, big, hex } from "../dataplane/json_values.ts";
import { HOPS, WAITS } from "./packet.ts";
import type { TraceFilter } from "./filter.ts";

const u32 = z.int().min(0).max(0xffffffff);

export const traceRecordSchema = z.object({
  hop: z.enum(HOPS),
  /** CLOCK_MONOTONIC. */
  at: big,
  /** Of the packet in this member; they come again after 65535. */
  n: z.int().min(1).max(65_535),
  cause: z.int().min(1).max(65_535).optional(),
  length: amount,
  nf: z.int().min(0).max(15).optional(),
  verdict: z.enum(["FORWARD", "DROP", "REPLY"]).optional(),
  reason: z.string().max(256).optional(),
  waits: z.enum(WAITS).optional(),
  port: z.int().min(0).max(1).optional(),
  to: z.int().min(0).max(15).optional(),
  /** entry, epoch, sequence, part */
  stamp: z.tuple([u32, u32, u32, z.int().min(0).max(255)]).optional(),
  new: z.literal(true).optional(),
  changed: z.literal(true).optional(),
  skipped: z.literal(true).optional(),
  reply: z.literal(true).optional(),
  frame: hex.optional(),
});
export type TraceRecord = z.output<typeof traceRecordSchema>;

export const traceReadAnswer = z.object({
  records: z.array(traceRecordSchema),
  /** There are more by now. */
  more: z.boolean(),
  chosen: amount,
  missed: big,
  lost: big,
});
export type TraceReadAnswer = z.output<typeof traceReadAnswer>;

/** What all members are asked for. */
export interface TraceWanted {
  /** Another one for each trace. */
  id: number;
  filter: TraceFilter;
  /** To be chosen at most; more may be asked for later. */
  packets: number;
  ms: number;
  /** Of a frame that are kept. */
  frameBytes: number;
  point: { kind: "all" | "port" | "nf_in" | "nf_out"; which: number };
}

export interface TraceBatch extends TraceReadAnswer {
  /** 0: the vswitch. */
  member: number;
  /** On another machine: its clock is another one. */
  isRemote: boolean;
}
