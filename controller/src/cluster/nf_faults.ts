/** Tells as events what reports say of NFs that fault: an NF that is quarantined stops a deployment's packets while all of its processes are well. */
import type { RuntimesReport } from "@nfactor/host/cluster";
import type { EventLog } from "./event_log.ts";

/** An NF that faults now and then is told of once in this time. */
const QUIET_MS = 60_000;

export interface NfFaultsOptions {
  readonly events: Pick<EventLog, "add">;
  readonly nowMs: () => number;
}

export class NfFaults {
  readonly #options: NfFaultsOptions;
  /** When faults of an entry were told last; none that is older than QUIET_MS. */
  readonly #toldMs = new Map<string, number>();

  constructor(options: NfFaultsOptions) {
    this.#options = options;
  }

  take(deployment: string, { nfs = [] }: RuntimesReport, before: RuntimesReport | undefined): void {
    const { events, nowMs } = this.#options;
    for (const [key, ms] of this.#toldMs) if (nowMs() - ms >= QUIET_MS) this.#toldMs.delete(key);
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
