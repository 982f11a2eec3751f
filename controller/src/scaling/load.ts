/**
 * Loads from reports: counters that grow become parts of time and rates, averaged so that noise does not decide.
 *
 * A report counts once, by the host's own clock. What cannot be true (no numbers, a clock or a counter that went back in the same process, more work
 * than time) is refused and said; the next two good reports make a load again. After flows have come or gone by an operation, the average begins anew:
 * what was measured before says nothing about after.
 */
import type { LoadMemory } from "./state.ts";
import type { Report } from "./view.ts";

/** A runtime in a process of its own tells its busy time three times a second: where it is not said when, it may be so much older than the report. */
const BUSY_AGE_US = 400_000;
/** So a rate takes reports that are further apart; those between them are left out. */
const LEAST_US = 750_000;
const OVERTAKEN_MS = 10_000;

export interface Reading {
  memory: LoadMemory | undefined;
  /** Why the report was refused. */
  refused?: string;
}

/** `before` with the report in it; as it was when the report is old news. `afresh`: it is the first one after an operation, and only begins an average. */
export function readReport(before: LoadMemory | undefined, report: Report | undefined, smoothMs: number, afresh: boolean): Reading {
  if (report === undefined) return { memory: before };
  const { takenUs, arrivedMs, status } = report;
  if (before !== undefined && takenUs === before.takenUs) return { memory: before };
  const { restarts = 0, pid, busyAtUs = takenUs } = status.process ?? {};
  const now: LoadMemory = { takenUs, busyAtUs, arrivedMs, busyNs: Number(status.busyNs), received: Number(status.received), restarts };
  if (pid !== undefined) now.pid = pid;
  if (status.runtimeFull !== undefined) now.full = Number(status.runtimeFull);
  if (!isSensible(now, report)) return { memory: before, refused: "a figure is missing, negative or no number" };
  // Counters of another process; when its machine was rebooted, also another clock.
  if (before === undefined || now.restarts !== before.restarts || now.pid !== before.pid) return { memory: now };
  // Its supervisor is a new one, which it has told nothing yet.
  if (status.process && status.process.busyAtUs === undefined && now.busyNs === 0 && before.busyNs > 0) return { memory: before };
  const us = takenUs - before.takenUs;
  const busyUs = busyAtUs - (before.busyAtUs ?? before.takenUs);
  // Who has told nothing of itself since then is not idle, but silent.
  if (us >= 0 && (us < LEAST_US || busyUs === 0)) return { memory: before };
  // Overtaken by a later one; if the later one does not go on, the host's clock is another one now.
  if (us < 0) return { memory: arrivedMs - before.arrivedMs > OVERTAKEN_MS ? now : before, refused: "it was taken before the last one" };
  if (afresh) return { memory: now };
  if (now.busyNs < before.busyNs || now.received < before.received) return { memory: now, refused: "a counter went back" };
  const busy = (now.busyNs - before.busyNs) / 1000 / busyUs;
  if (busyUs < 0 || busy * busyUs > busyUs + BUSY_AGE_US) return { memory: now, refused: "more work than time" };
  const weight = before.load === undefined ? 1 : 1 - Math.exp(-us / 1000 / Math.max(smoothMs, 1));
  const load = (before.load ?? 0) + weight * (Math.min(1, busy) - (before.load ?? 0));
  now.load = load;
  now.rawLoad = Math.min(1, busy);
  now.receivedPps = ((now.received - before.received) / us) * 1e6;
  // The vswitch counts it, which may have been started anew.
  if (now.full !== undefined) now.fullPps = (Math.max(0, now.full - (before.full ?? now.full)) / us) * 1e6;
  return { memory: now };
}

const isCount = (value: number): boolean => value >= 0 && value < Infinity;

const isSensible = ({ takenUs, busyAtUs = 0, arrivedMs, busyNs, received, restarts, full = 0 }: LoadMemory, { status }: Report): boolean =>
  isCount(takenUs) &&
  isCount(busyAtUs) &&
  isCount(arrivedMs) &&
  isCount(busyNs) &&
  isCount(received) &&
  isCount(restarts) &&
  isCount(full) &&
  isCount(status.flowsOpen) &&
  isCount(status.queued) &&
  isCount(status.unprotected);
