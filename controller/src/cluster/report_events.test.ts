/** What becomes known of NFs that fault, and of processes that die: once when it begins, and when it stops their packets, however often hosts report. */
import type { RuntimesReport } from "@nfactor/host/cluster";
import { beforeEach, expect, test } from "vitest";
import { ReportEvents } from "./report_events.ts";

let nowMs = 0;
let told: string[] = [];
let faults: ReportEvents;
let before: RuntimesReport | undefined;
beforeEach(() => {
  [nowMs, told, before] = [1_000_000, [], undefined];
  faults = new ReportEvents({ events: { add: (_kind, about, severity, text) => void told.push(`${about} ${severity}: ${text}`) }, nowMs: () => nowMs });
});

function report(count: number, quarantined = false, version = "1.0.0"): void {
  const nf = { entry: "quota", version, faults: count, quarantined, ...(count > 0 ? { last_fault: "deadline" } : {}) };
  const now: RuntimesReport = { at_us: nowMs * 1000, runtimes: [], nfs: [nf] };
  faults.take("blue/web", now, before);
  before = now;
  nowMs += 1000;
}

test("faults are told once a minute, a quarantine at once and once", () => {
  for (const count of [0, 3, 4, 5]) report(count);
  expect(told).toEqual(["blue/web warning: NF quota 1.0.0 faults; the last: deadline"]);
  for (const count of [15, 15, 16]) report(count, true);
  expect(told.slice(1)).toEqual([
    "blue/web error: NF quota 1.0.0 is quarantined after too many faults; the last: deadline. Swap it for a version without the fault, or roll back",
  ]);
  nowMs += 60_000;
  report(16);
  report(17);
  expect(told).toHaveLength(3);
});

test("another version that is quarantined as well is told of, and so is one that was before anybody looked; old faults are no news", () => {
  report(10, true);
  report(20, true, "1.1.0");
  before = undefined;
  report(30, false, "1.2.0");
  expect(told.map((text) => text.split(" ").slice(0, 5).join(" "))).toEqual(["blue/web error: NF quota 1.0.0", "blue/web error: NF quota 1.1.0"]);
});

test("a process that died is told of, once a minute; one that is new, or was restarted before anybody looked, is not", () => {
  const restarts = (...counts: number[]): void => {
    const now = { at_us: 1, runtimes: counts.map((n, runtime) => ({ runtime, restarts: n })) } as unknown as RuntimesReport;
    faults.take("blue/web", now, before);
    before = now;
  };
  restarts(0, 3);
  restarts(0, 4);
  restarts(1, 5, 1);
  expect(told).toEqual([
    "blue/web warning: runtime 1 has died, and was started again (4 times by now)",
    "blue/web warning: the vswitch has died, and was started again (1 time by now)",
  ]);
});
