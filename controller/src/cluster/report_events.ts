/**
 * Tells as events what reports say of NFs that fault, and of processes that died: an NF that is quarantined stops a deployment's packets while all of its
 * processes are well, and a process that was started again is well by the time that somebody looks.
 */
import type { RuntimesReport } from "@nfactor/host/cluster";
import { plural } from "@nfactor/host/text";
import type { EventLog } from "./event_log.ts";

/** Of an NF that faults now and then, or a process that dies again and again, it is told once in this time. */
const QUIET_MS = 60_000;

export interface ReportEventsOptions {
  readonly events: Pick<EventLog, "add">;
  readonly nowMs: () => number;
}

export class ReportEvents {
  readonly #options: ReportEventsOptions;
  /** When faults of an entry, or deaths of a runtime, were told last; none that is older than QUIET_MS. */
  readonly #toldMs = new Map<string, number>();

  constructor(options: ReportEventsOptions) {
    this.#options = options;
  }

  take(deployment: string, { nfs = [], runtimes }: RuntimesReport, before: RuntimesReport | undefined): void {
    const { events, nowMs } = this.#options;
    for (const [key, ms] of this.#toldMs) if (nowMs() - ms >= QUIET_MS) this.#toldMs.delete(key);
    for (const { runtime, restarts = 0 } of runtimes) {
      const then = before?.runtimes.find((one) => one.runtime === runtime);
      const key = `${deployment} ${runtime}`;
      if (then === undefined || restarts <= (then.restarts ?? 0) || this.#toldMs.has(key)) continue;
      const who = runtime === 0 ? "the vswitch" : `runtime ${runtime}`;
      events.add("deployment", deployment, "warning", `${who} has died, and was started again (${plural(restarts, "time")} by now)`);
      this.#toldMs.set(key, nowMs());
    }
    for (const { entry, version, faults, quarantined, last_fault } of nfs) {
      const then = before?.nfs?.find((nf) => nf.entry === entry);
      const last = last_fault === undefined ? "" : `; the last: ${last_fault}`;
      const key = `${deployment} ${entry} ${version}`;
      if (quarantined && !(then?.quarantined === true && then.version === version)) {
        const what = `NF ${entry} ${version} is quarantined after too many faults`;
        events.add("deployment", deployment, "error", `${what}${last}. Swap it for a version without the fault, or roll back`);
        this.#toldMs.set(key, nowMs());
      } else if (then !== undefined && faults > then.faults && !this.#toldMs.has(key)) {
        events.add("deployment", deployment, "warning", `NF ${entry} ${version} faults${last}`);
        this.#toldMs.set(key, nowMs());
      }
    }
  }
}
