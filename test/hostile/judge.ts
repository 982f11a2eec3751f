/**
 * What has to have become of a hostile artifact that ran, whichever engine it ran on: `traffic()` is what it got to see, `judge` compares what
 * happened with the entry's expectation. The engines' tests make an Outcome of their reports.
 */
import { expect } from "vitest";
import { faultKindName } from "@nfactor/sdk/abi";
import { ACK, SYN, ip, tcpSegment, udpSegment } from "../conformance/frames.ts";
import type { HostileEntry, RunExpectation } from "./entry.ts";

export interface TestPacket {
  timestampNs: bigint;
  bytes: Uint8Array;
}

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

const MS = 1_000_000n;
const CLIENT = [10, 0, 0, 1];
const SERVER = [10, 0, 9, 9];
/** What NFs without the right may not find. */
export const SECRET = "SeCrEt42";

/**
 * Three flows, 24 packets: two polls of several packets each, then single ones a tick apart, so that everything that can be called is called. Below
 * ten callbacks of a kind: more faults would quarantine the NF, and its packets with it.
 */
export function traffic(): TestPacket[] {
  const payload = [...Buffer.from(`--${SECRET}--${SECRET}`)];
  const flow = (n: number) => ({ from: { address: CLIENT, port: 4000 + n }, to: { address: SERVER, port: 80 } });
  const udp = (n: number): number[] => ip(CLIENT, SERVER, 17, udpSegment(flow(n).from, flow(n).to, payload));
  const tcp = (n: number, sequence: number): number[] =>
    ip(CLIENT, SERVER, 6, tcpSegment(flow(n).from, flow(n).to, sequence, 0, sequence === 0 ? SYN : ACK, sequence === 0 ? [] : payload));
  const packets: TestPacket[] = [];
  const add = (ms: bigint, frame: number[]): void => void packets.push({ timestampNs: (1_000_000n + ms) * MS, bytes: Uint8Array.from(frame) });
  for (const ms of [0n, 1n]) {
    for (let i = 0; i < 3; i++) {
      add(ms, udp(1));
      add(ms, udp(2));
      add(ms, tcp(3, i + Number(ms) * 3));
    }
  }
  for (const ms of [10n, 120n, 240n]) {
    add(ms, udp(1));
    add(ms, udp(2));
  }
  return packets;
}

/** Fails unless the entry was contained as it has to be. */
export function judge(entry: HostileEntry & { run: RunExpectation }, outcome: Outcome): void {
  const { run } = entry;
  if (run.packets === "never_started") {
    expect(outcome.startError).toBe(run.fault === undefined ? "config.refused" : "nf.start");
    return;
  }
  expect(outcome.startError).toBeUndefined();
  judgeFaults(run, outcome);
  judgePackets(run, outcome);
  run.counters?.forEach((value, i) => expect(outcome.counters[i], `counter ${i}`).toBe(value));
}

function judgeFaults(run: RunExpectation, { faults }: Outcome): void {
  const seen = [...new Set(faults.map(({ kind, call }) => `${faultKindName(kind)} in ${call}`))];
  const expected = run.orFault !== undefined && seen[0]?.startsWith(run.orFault) ? run.orFault : run.fault;
  expect(seen).toEqual(expected === undefined ? [] : [`${expected} in ${run.in}`]);
}

function judgePackets(run: RunExpectation, { received, dropped, sent }: Outcome): void {
  const input = traffic();
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
