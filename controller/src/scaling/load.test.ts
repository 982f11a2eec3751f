/** What reports of a process say: its busy time is older than they are. */
import { expect, test } from "vitest";
import { readReport } from "./load.ts";
import type { LoadMemory } from "./state.ts";
import { Written } from "./testing.ts";
import type { Report } from "./view.ts";

const SMOOTH_MS = 3000;
/** Of a runtime that works for 40 % of its time, taken at `ms`; it told that at `toldMs`. */
function report(ms: number, toldMs: number, more: Partial<Report["status"]> = {}): Report {
  const process = { restarts: 0, isUp: true, busyAtUs: toldMs * 1000 };
  const figures = { lcore: 0, draining: false, flowsOpen: 10, queued: 0, unprotected: 0, received: BigInt(ms) * 10n };
  return { takenUs: ms * 1000, arrivedMs: ms, status: { ...figures, busyNs: BigInt(toldMs) * 400_000n, process, ...more } };
}

test("is over the time between the tellings, not between the reports", () => {
  let memory: LoadMemory | undefined;
  for (let i = 1; i <= 9; i++) {
    // Told every 300 ms, asked for every second.
    ({ memory } = readReport(memory, report(i * 1000, Math.floor((i * 1000) / 300) * 300), SMOOTH_MS, false));
    if (i > 1) expect(memory).toMatchObject({ load: 0.4, receivedPps: 10_000 });
  }
});

test("one that tells nothing more is silent, not idle", () => {
  const { memory } = readReport(undefined, report(1000, 900), SMOOTH_MS, false);
  const { memory: next } = readReport(memory, report(2000, 1800), SMOOTH_MS, false);
  for (let ms = 3000; ms < 8000; ms += 1000) expect(readReport(next, report(ms, 1800), SMOOTH_MS, false)).toEqual({ memory: next });
  expect(readReport(next, report(8000, 7900), SMOOTH_MS, false).memory!.load).toBeCloseTo(0.4);
});

/** As report(), of a process that began at `sinceMs`. */
function reportOf(pid: number, ms: number, sinceMs: number): Report {
  const process = { pid, restarts: 0, isUp: true, busyAtUs: ms * 1000 };
  return report(ms, ms, { received: BigInt(ms - sinceMs) * 10n, busyNs: BigInt(ms - sinceMs) * 400_000n, process });
}

test("another process of the same number begins anew, whatever its counters and the clock of its machine say", () => {
  const { memory } = readReport(readReport(undefined, reportOf(1, 50_000, 0), SMOOTH_MS, false).memory, reportOf(1, 51_000, 0), SMOOTH_MS, false);
  for (const ms of [52_000, 9000]) {
    const first = readReport(memory, reportOf(2, ms, ms - 500), SMOOTH_MS, false);
    expect(first.refused).toBeUndefined();
    expect(first.memory!.load).toBeUndefined();
    const second = readReport(first.memory, reportOf(2, ms + 1000, ms - 500), SMOOTH_MS, false);
    expect(second.refused).toBeUndefined();
    expect(second.memory!.load).toBeCloseTo(0.4);
  }
});

test("a process that goes on under another supervisor, which it has told nothing yet, has not gone back", () => {
  const { memory } = readReport(undefined, reportOf(1, 50_000, 0), SMOOTH_MS, false);
  const untold = report(51_000, 0, { busyNs: 0n, process: { pid: 1, restarts: 0, isUp: true } });
  expect(readReport(memory, untold, SMOOTH_MS, false)).toEqual({ memory });
  expect(readReport(memory, reportOf(1, 52_000, 0), SMOOTH_MS, false).memory!.load).toBeCloseTo(0.4);
});

test("a counter that goes back in the same process is refused", () => {
  const { memory } = readReport(undefined, reportOf(1, 50_000, 0), SMOOTH_MS, false);
  expect(readReport(memory, reportOf(1, 51_000, 40_000), SMOOTH_MS, false).refused).toBe("a counter went back");
});

test("a runtime whose own queue loses packets gives flows away, though another one works more", () => {
  const world = new Written(1, { max: 3 }).add("a", { load: 0.3 }).add("b", { load: 0.7 }).add("c", { load: 0.1 });
  let full = 0n;
  world.twist = ({ groups, ...view }) => ({
    ...view,
    groups: groups.map(({ runtimes, ...group }) => ({
      ...group,
      runtimes: runtimes.map((one) => ({
        ...one,
        report: one.report && { ...one.report, status: { ...one.report.status, runtimeFull: one.runtime === "a" ? full : 0n } },
      })),
    })),
  });
  expect(world.run(10).decisions).toEqual([]);
  full += 500n;
  world.lost += 500;
  const { decisions, explanations } = world.second();
  expect(decisions).toMatchObject([{ kind: "move", from: "a", to: "c" }]);
  expect(explanations.map(({ why }) => why)).toContain("its packets find no room: flows go to the coldest runtime");
});
