/**
 * What has to have become of a hostile artifact that ran, whichever engine it ran on: `judge` compares what happened with the entry's expectation.
 * The engines' tests make an Outcome of their reports.
 */
import { expect } from "vitest";
import { faultKindName } from "@nfactor/sdk/abi";
import type { HostileEntry, RunExpectation } from "./entry.ts";
import type { TestPacket } from "./traffic.ts";

export interface Outcome {
  /** Code of the error with which the runtime did not start. */
  startError?: string;
  /** Faults of the hostile NF. */
  faults: readonly { kind: number; call: string; message: string; file: string }[];
  received: bigint;
  /** By full name; the hostile NF's entry is `hostile`. */
  dropped: Readonly<Record<string, bigint>>;
  /** In order. */
  sent: readonly Uint8Array[];
  /** Its own counters, from number 0 on. */
  counters: readonly bigint[];
}

/** Fails unless the entry was contained as it has to be; `input` are the packets of the three flows that it attacked. */
export function judge(entry: HostileEntry & { run: RunExpectation }, outcome: Outcome, input: readonly TestPacket[]): void {
  const { run } = entry;
  if (run.packets === "never_started") {
    expect(outcome.startError).toBe(run.fault === undefined ? "config.refused" : "nf.start");
    return;
  }
  expect(outcome.startError).toBeUndefined();
  judgeFaults(run, outcome);
  judgePackets(run, outcome, input);
  run.counters?.forEach((value, i) => expect(outcome.counters[i], `counter ${i}`).toBe(value));
}

function judgeFaults(run: RunExpectation, { faults }: Outcome): void {
  const seen = [...new Set(faults.map(({ kind, call }) => `${faultKindName(kind)} in ${call}`))];
  const expected = run.orFault !== undefined && seen[0]?.startsWith(run.orFault) ? run.orFault : run.fault;
  expect(seen).toEqual(expected === undefined ? [] : [`${expected} in ${run.in}`]);
}

function judgePackets(run: RunExpectation, { received, dropped, sent }: Outcome, input: readonly TestPacket[]): void {
  const count = (...names: string[]): number => names.reduce((sum, name) => sum + Number(dropped[name] ?? 0n), 0);
  const faulted = count("nf_fault", "nf_quarantined");
  const own = count("hostile.drop", "flow_refused");
  expect(Number(received)).toBe(input.length);
  // Nothing vanishes: what did not leave was counted under one of these.
  expect(sent.length + faulted + own + count("key_changed")).toBe(input.length);
  switch (run.packets) {
    case "forwarded":
      expect(sent.map((frame) => Buffer.from(frame).toString("hex"))).toEqual(input.map(({ bytes }) => Buffer.from(bytes).toString("hex")));
      break;
    case "faulted":
      expect(faulted).toBe(input.length);
      break;
    case "some_faulted":
      expect(faulted).toBeGreaterThan(0);
      expect(sent.length).toBeGreaterThan(0);
      break;
    case "dropped":
      expect(own).toBe(input.length);
      break;
    case "key_changed":
      // One of each flow fixes what it looks like outside.
      expect(count("key_changed")).toBe(input.length - 3);
      break;
  }
}
