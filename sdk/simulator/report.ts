/**
 * What a simulation tells: the same objects as the native dataplane does at its boundary, so that whoever shows or compares results needs to know
 * one shape only.
 */
import type { CountersSnapshot, FaultEvent, LogEvent, NativeFlow, QuarantineEvent } from "../../host/src/dataplane/native_types.ts";

export type { CountersSnapshot, LogEvent, NativeFlow, QuarantineEvent };

export interface SimulatedFault extends FaultEvent {
  /** Of a bad_result: what the NF did that it may not. */
  breach: string;
}

export type SimulationEvent = SimulatedFault | LogEvent | QuarantineEvent;

/** A frame that leaves. */
export interface SentFrame {
  /** Number of the packet that it is, or that caused it, from 0. */
  index: number;
  /** 0 for the packet itself, from 1 on for frames that NFs emitted. */
  order: number;
  timestampNs: bigint;
  bytes: Uint8Array;
  wireLength: number;
  /** 0 client, 1 server. */
  port: 0 | 1;
}

/** What became of one packet. */
export interface PacketOutcome {
  index: number;
  /** `sent` also for non-IP frames that are passed on; `replied` when an NF turned it; `held` is a fragment that waits for its first one. */
  fate: "sent" | "replied" | "dropped" | "held";
  /** Of a dropped one: `malformed_ipv4`, `fw.policy`. */
  reason: string;
}

export interface SimulationReport {
  counters: CountersSnapshot;
  /** All flows of the run in order of their number, with the state in which they ended. */
  flows: NativeFlow[];
  /** Faults, log lines and quarantines, in order. */
  events: SimulationEvent[];
  /** In order of (index, order). */
  output: SentFrame[];
  /** By the packet's index. */
  outcomes: PacketOutcome[];
}
