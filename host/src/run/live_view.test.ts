import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CountersSnapshot } from "../dataplane/native_types.ts";
import type { RuntimeJson } from "../result/runtimes_result.ts";
import { runtimeJsonOf } from "../result/testing.ts";
import { LiveView, viewLine, viewLines } from "./live_view.ts";

const none: CountersSnapshot = {
  nowNs: 0n,
  received: 0n,
  receivedBytes: 0n,
  sent: 0n,
  sentBytes: 0n,
  missed: 0n,
  emitted: 0n,
  held: 0n,
  dropped: {},
  flowsOpen: 0,
  flowsOpened: 0n,
  flowsEnded: 0n,
  eventsLost: 0n,
  nfs: [],
};
const some: CountersSnapshot = {
  ...none,
  received: 3000n,
  receivedBytes: 3_000_000n,
  sent: 2000n,
  sentBytes: 2_000_000n,
  flowsOpen: 7,
  flowsOpened: 12n,
  dropped: { "fw.policy": 998n, malformed_ipv4: 1n, non_ip: 1n, "fw.a": 0n, "fw.b": 0n },
  nfs: [{ entry: "fw", version: "1.0.0", faults: 2n, quarantined: false, counters: { matched: 1234n } }],
};
const before = { counters: none, atMs: 1000 };
const now = { counters: some, atMs: 3000 };

test("a line has the rates since the last one, the flows, and the most frequent drops", () => {
  expect(viewLine(now, before, 0)).toBe(
    "3.0 s  in 1.50 k packets/s, 12.0 Mbit/s  out 1.00 k packets/s, 8.00 Mbit/s  flows 7  dropped 1,000 (fw.policy 998, malformed_ipv4 1, non_ip 1, 2 more reasons)",
  );
});

test("the terminal's lines show each NF with its faults and counters", () => {
  const lines = viewLines(now, before, 0, "fw");
  expect(lines[0]).toBe("fw   3.0 s");
  expect(lines).toContain("  fw 1.0.0  faults 2  matched 1,234");
  expect(lines).toContain("flows   7 open, 12 in all");
});

test("what the interfaces lost shows, once there is some", () => {
  const missed = { ...now, counters: { ...some, missed: 1500n } };
  expect(viewLine(missed, before, 0)).toMatch(/ {2}missed 1,500$/);
  expect(viewLines(missed, before, 0, "fw")[1]).toMatch(/ 3,000 packets {2}missed 1,500$/);
  expect(viewLines(now, before, 0, "fw").join()).not.toContain("missed");
});

const runtime = (number: number, flows: number, more: Partial<RuntimeJson> = {}): RuntimeJson => runtimeJsonOf(number, { flows, ...more });

test("in process mode: what was lost, who was started again, and which process is whose", () => {
  const runtimes = [runtime(0, 7, { restarts: 1, pid: 70 }), runtime(1, 5, { restarts: 2, pid: 71 }), runtime(2, 2, { restarts: 0, state: "down" })];
  const sample = { ...now, counters: { ...some, lostInFailure: 1200n }, runtimes };
  expect(viewLine(sample, before, 0)).toContain("  lost in failures 1,200 at most  restarts 3 (vswitch: 1, 1: 2)");
  const lines = viewLines(sample, { ...before, runtimes }, 0, "fw");
  expect(lines).toContain("failed  lost in failures 1,200 at most  restarts 3 (vswitch: 1, 1: 2)");
  const rows = lines.map((line) => line.trim().split(/ {2,}/));
  expect(rows.find(([name]) => name === "runtime")!.slice(-2)).toEqual(["pid", "restarts"]);
  expect(rows.find(([name]) => name === "1")!.slice(-2)).toEqual(["71", "2"]);
  expect(rows.find(([name]) => name === "2")![1]).toBe("down");
});

test("with several runtimes: their flows, what moves, and how busy each is", () => {
  const runtimes = [runtime(0, 7), runtime(1, 5, { under_way: 3, moved_out: 1200, busy_us: 500_000, received: 4000 }), runtime(2, 2, { moved_in: 1200 })];
  const [first, second] = [
    { ...before, runtimes: [runtime(0, 0), runtime(1, 0), runtime(2, 0)] },
    { ...now, runtimes },
  ];
  expect(viewLine(second, first, 0)).toContain("  flows 7 (1: 5, 2: 2; 3 moving, 1,200 moved)  dropped");
  const table = viewLines(second, first, 0, "fw").slice(-4);
  expect(table.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ["runtime", "state", "flows", "load", "in/s", "out/s", "under way", "moved in", "moved out", "queue", "drops", "lcore"],
    ["vswitch", "7", "0 %", "0", "0", "0", "0", "0"],
    ["1", "running", "5", "25 %", "2.00 k", "0", "3", "0", "1,200", "0", "0", "0"],
    ["2", "running", "2", "0 %", "0", "0", "0", "1,200", "0", "0", "0", "0"],
  ]);
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("on a terminal the view is written over, and messages stay above it", () => {
  let screen = "";
  const view = new LiveView({ title: "fw", read: () => some, write: (text) => (screen += text), columns: () => 40, quiet: false });
  vi.advanceTimersByTime(500);
  const rows = screen.split("\n").length - 1;
  expect(screen.split("\n").every((line) => line.length < 40)).toBe(true);
  screen = "";
  view.say("fault  fw");
  expect(screen).toBe(`\x1b[${rows}A\x1b[0Jfault  fw\n`);
  view.close();
});

test("quiet says nothing by itself", () => {
  let screen = "";
  const view = new LiveView({ title: "fw", read: () => some, write: (text) => (screen += text), columns: undefined, quiet: true });
  vi.advanceTimersByTime(60_000);
  expect(screen).toBe("");
  view.close();
});
