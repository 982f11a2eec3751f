import { FaultKind } from "@nfactor/sdk/abi";
import { expect, test } from "vitest";
import type { FaultEvent } from "../dataplane/native_types.ts";
import { FaultLog, type FaultSource, faultText } from "./faults.ts";

const source: FaultSource = {
  folder: "nf-wasm/rate_limiter",
  author: ([offset]) => (offset === 400 ? { file: "assembly/index.ts", line: 14, column: 15, text: "    const x = load<u32>(ptr + 4);" } : undefined),
  lineOf: (_file, line) => (line === 20 ? "  throw new Error('no');" : undefined),
};
const fault: FaultEvent = {
  type: "fault",
  entry: "rate_limiter",
  name: "rate_limiter",
  version: "1.2.0",
  digest: `3f9a${"0".repeat(60)}`,
  kind: FaultKind.out_of_bounds,
  message: "",
  file: "",
  line: 0,
  column: 0,
  backtrace: [400, 12],
  call: "process-burst",
  flow: { protocol: 6, ipVersion: 4, initiator: { address: "10.0.0.1", port: 4242 }, responder: { address: "10.0.0.2", port: 80 }, vlan: [] },
  sequence: 16,
  action: "close_flow",
  packetsDropped: 1,
  faultsInMinute: 3,
  nowNs: 0n,
};

test("a trap: kind, flow and packet, the source line with a mark, what followed", () => {
  expect(faultText(fault, source)).toBe(
    [
      "fault  rate_limiter 1.2.0 (sha256:3f9a…)  out of bounds    tcp 10.0.0.1:4242 > 10.0.0.2:80, packet 17",
      "  nf-wasm/rate_limiter/assembly/index.ts:14:15",
      "    14 |     const x = load<u32>(ptr + 4);",
      "                       ^",
      "  1 packet dropped (nf_fault), the flow closed for a second, a spare instance took over; 3 faults in the last minute",
    ].join("\n"),
  );
});

test("abort: the record's message and place; one that the SDK threw points at the author's line", () => {
  const abort = { ...fault, kind: FaultKind.abort, message: "no\u001b[2J", file: "assembly/index.ts", line: 20, column: 3 };
  const text = faultText(abort, source);
  expect(text).toContain("  no\\u{1b}[2J\n  nf-wasm/rate_limiter/assembly/index.ts:20:3\n    20 |   throw new Error('no');");
  expect(faultText({ ...abort, file: "~lib/@nfactor/sdk/counter.ts" }, source)).toContain("assembly/index.ts:14:15");
});

test("without a source map the fault is told all the same", () => {
  expect(faultText({ ...fault, action: "none", call: "tick" }, undefined).split("\n")).toHaveLength(2);
});

test("faults are counted by place, and their number of places is bounded", () => {
  const log = new FaultLog();
  expect([log.add(fault, source), log.add(fault, source)]).toEqual([true, false]);
  expect(log.json()).toEqual([{ nf: "rate_limiter", kind: "out_of_bounds", message: "", file: "assembly/index.ts", line: 14, column: 15, count: 2 }]);
  for (let i = 0; i < 5000; i++) log.add({ ...fault, message: `forged ${i}` }, source);
  expect(log.json().length).toBeLessThanOrEqual(FaultLog.PLACES_MAX + 1);
  expect(log.total).toBe(5002);
});
