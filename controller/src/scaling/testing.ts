/** For tests: a cluster of one group, written down by hand, whose clock and reports the test moves on, second by second. */
import {
  type ClusterView,
  type Decided,
  type Decision,
  type Explanation,
  type Policy,
  type RuntimeView,
  type ScalingState,
  decide,
  initialState,
  parsePolicy,
} from "./index.ts";
import type { HeavyFlow, HostView, OperationView, Outcome } from "./view.ts";

export interface WrittenRuntime {
  host: string;
  load: number;
  flows: number;
  lcore: number;
  queued: number;
  draining: boolean;
  unprotected: number;
  phase: RuntimeView["phase"];
  isUp: boolean;
  homes?: string[];
  heavyFlows?: HeavyFlow[];
  /** No reports come from it. */
  silent: boolean;
  /** Has no process of its own. */
  shares: boolean;
}

export class Written {
  now = 100_000;
  readonly hosts: HostView[] = [];
  readonly runtimes = new Map<string, WrittenRuntime>();
  readonly busyNs = new Map<string, number>();
  readonly reports = new Map<string, RuntimeView["report"]>();
  operations: OperationView[] = [];
  outcomes: Outcome[] = [];
  policy: Policy;
  state: ScalingState = initialState();
  vswitchLoad = 0.1;
  vswitchSilent = false;
  lost = 0;
  /** Changes a view before it is decided on. */
  twist: (view: ClusterView) => ClusterView = (view) => view;
  #vswitchBusy = 0;

  /** `group` holds fields of the group's policy, `more` of the whole. */
  constructor(hosts: number, group: object = {}, more: object = {}) {
    for (let i = 1; i <= hosts; i++) this.hosts.push({ host: `h${i}`, room: 8, leased: true, cordoned: false });
    this.policy = parsePolicy({ groups: { g: group }, ...more });
  }

  add(id: string, of: Partial<WrittenRuntime> = {}): this {
    const standard = {
      lcore: this.runtimes.size + 1,
      queued: 0,
      draining: false,
      unprotected: 0,
      phase: "serving",
      isUp: true,
      silent: false,
      shares: false,
    } as const;
    this.runtimes.set(id, { ...standard, host: "h1", load: 0.4, flows: 100, ...of });
    return this;
  }

  get(id: string): WrittenRuntime {
    return this.runtimes.get(id)!;
  }

  view(): ClusterView {
    const runtimes = [...this.runtimes].map(([runtime, { host, phase, homes, heavyFlows }]) => ({
      runtime,
      host,
      phase,
      homes,
      heavyFlows,
      report: this.reports.get(runtime),
    }));
    const vswitch = { host: "h1", report: this.reports.get("vswitch"), dropped: { runtime_full: BigInt(this.lost) } };
    return this.twist({ hosts: this.hosts, groups: [{ group: "g", tenant: "t", runtimes, vswitch }], operations: this.operations, outcomes: this.outcomes });
  }

  /** So many seconds with reports and a decision each; all that was decided and said in them. */
  run(seconds: number): { decisions: Decision[]; explanations: Explanation[] } {
    const decisions: Decision[] = [];
    const explanations: Explanation[] = [];
    for (let i = 0; i < seconds; i++) {
      const decided = this.second();
      decisions.push(...decided.decisions);
      explanations.push(...decided.explanations);
    }
    return { decisions, explanations };
  }

  second(): Decided {
    this.now += 1000;
    for (const [id, one] of this.runtimes) if (one.phase === "serving" && !one.silent) this.#report(id, one);
    this.#vswitchBusy += this.vswitchLoad * 1e9;
    if (!this.vswitchSilent) this.reports.set("vswitch", this.#reportOf(this.#vswitchBusy, { ...STILL, draining: false, lcore: 0 }));
    const decided = decide(this.view(), this.policy, this.now, this.state);
    this.state = decided.nextState;
    this.outcomes = [];
    return decided;
  }

  #report(id: string, one: WrittenRuntime): void {
    const busyNs = (this.busyNs.get(id) ?? 0) + one.load * 1e9;
    this.busyNs.set(id, busyNs);
    this.reports.set(id, this.#reportOf(busyNs, one));
  }

  #reportOf(
    busyNs: number,
    { lcore, draining, flows, queued, unprotected, isUp, shares }: Omit<WrittenRuntime, "host" | "load" | "phase" | "silent">,
  ): RuntimeView["report"] {
    const status = { lcore, draining, flowsOpen: flows, received: BigInt(Math.round(busyNs / 100)), busyNs: BigInt(Math.round(busyNs)), queued, unprotected };
    return { takenUs: this.now * 1000, arrivedMs: this.now, status: { ...status, ...(shares ? {} : { process: { restarts: 0, isUp } }) } };
  }

  /** As if they had been carried out, well or not. */
  end(decisions: readonly Decision[], ok = true): void {
    this.outcomes = decisions.map(({ key, group }) => ({ key, group, ok, reason: ok ? undefined : "timeout" }));
  }
}

const STILL = { flows: 0, queued: 0, unprotected: 0, isUp: true, shares: false };
