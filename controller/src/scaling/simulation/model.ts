/**
 * A cluster in virtual time: hosts, runtimes that do a measured number of packets a second, flows that come, go and differ, a vswitch that places new ones,
 * and what the dataplane does by itself. Fluid: packets are amounts per step, flows are single ones.
 *
 * What a controller asks for takes its time: starts, moves and drains at the measured rates, and a move costs both runtimes work. What it sees are reports,
 * which may be noisy, late or lost. Loads are parts of one runtime's capacity.
 */
import type { Decision } from "../decision.ts";
import type { Outcome, Report } from "../view.ts";
import type { Constants } from "./constants.ts";
import { type FlowHolder, Flows, randomRate } from "./flows.ts";
import type { Load, Scenario } from "./load.ts";
import { Random } from "./random.ts";

export const STEP_MS = 250;
const STEP_S = STEP_MS / 1000;
/** Of two runtimes, chance's choice, the one with less gets the new flow: what the vswitch knows of them is a moment old. */
const CHOICES = 2;
/** Until a dead runtime is fenced, what is sent to it is lost. */
const FENCE_S = 0.01;
const LEASE_MS = 3_000;
const NOISE = 0.05;
/** Packets in a runtime's ring, which is what its status counts. */
const RING = 512;

export interface SimRuntime extends FlowHolder {
  id: string;
  number: number;
  host: SimHost;
  group: SimGroup;
  phase: "starting" | "serving" | "gone";
  /** When it serves: after its start, or after its supervisor has started it again. */
  upAtMs: number;
  isUp: boolean;
  restarts: number;
  draining: boolean;
  homes: string[];
  /** Flows whose replicas are still being copied to new homes. */
  unprotected: number;
  queue: number;
  busyNs: number;
  received: number;
  /** Work for moves that is still to be done, as part of a second. */
  moveWork: number;
  report?: Report;
  /** Reports under way. */
  mail: { arrivesMs: number; report: Report }[];
}

export interface SimHost {
  host: string;
  room: number;
  isUp: boolean;
  downSinceMs: number;
  cordoned: boolean;
  /** No report comes from it until then. */
  silentUntilMs: number;
}

export interface SimGroup {
  group: string;
  tenant: string;
  load: Load;
  runtimes: SimRuntime[];
  /** Packets lost to full queues, as the vswitch counts them. */
  lost: number;
  elephants: number[];
}

export interface Totals {
  /** Runtime-seconds in which more came than a runtime could do. */
  overloadSeconds: number;
  packets: number;
  packetsLost: number;
  /** Runtimes that existed, hours: what is paid for. */
  runtimeHours: number;
  flowsMoved: number;
  starts: number;
  operations: number;
  /** Flows whose state died with a runtime. */
  statesLost: number;
}

interface Drain {
  decision: Extract<Decision, { kind: "drain" }>;
  next: number;
}

export class Model {
  readonly hosts: SimHost[];
  readonly groups: SimGroup[];
  readonly totals: Totals = { overloadSeconds: 0, packets: 0, packetsLost: 0, runtimeHours: 0, flowsMoved: 0, starts: 0, operations: 0, statesLost: 0 };
  readonly flows = new Flows();
  readonly random: Random;
  readonly #scenario: Scenario;
  readonly #withReports: boolean;
  readonly #constants: Constants;
  readonly #drains = new Map<string, Drain>();
  readonly #seen = new Set<string>();
  #outcomes: Outcome[] = [];
  #step = 0;
  #numbers = 0;

  constructor(scenario: Scenario, constants: Constants, seed: number, withReports = true) {
    this.#withReports = withReports;
    this.#scenario = scenario;
    this.#constants = constants;
    this.random = new Random(seed);
    this.hosts = Array.from({ length: scenario.hosts }, (_, i) => ({
      ...{ host: `h${i + 1}`, room: scenario.room, isUp: true, downSinceMs: 0, cordoned: false, silentUntilMs: 0 },
    }));
    this.groups = scenario.loads.map((load, i) => ({ group: `g${i + 1}`, tenant: `t${i + 1}`, load, runtimes: [], lost: 0, elephants: [] }));
  }

  get nowMs(): number {
    return this.#step * STEP_MS;
  }

  /** Runtimes at the start, spread over the hosts, and the flows that are there then. */
  begin(sizes: readonly number[]): void {
    this.groups.forEach((group, g) => {
      for (let i = 0; i < sizes[g]!; i++) {
        const host = this.#emptiest();
        if (host) this.#addRuntime(group, host, `s${i + 1}`, 0);
      }
      const { flows, durations } = group.load;
      const able = takesFlows(group);
      for (let i = 0; i < flows; i++) this.#openFlow(group, able, durations.rest(this.random));
    });
  }

  #emptiest(): SimHost | undefined {
    const used = (host: SimHost): number => this.groups.reduce((sum, { runtimes }) => sum + runtimes.filter((one) => one.host === host).length, 0);
    return this.hosts.filter((host) => used(host) < host.room).sort((a, b) => used(a) - used(b))[0];
  }

  #addRuntime(group: SimGroup, host: SimHost, id: string, startMs: number, homes: readonly string[] = []): void {
    const phase = startMs === 0 ? "serving" : "starting";
    group.runtimes.push({
      id,
      number: ++this.#numbers,
      host,
      group,
      phase,
      upAtMs: this.nowMs + startMs,
      isUp: true,
      restarts: 0,
      draining: false,
      homes: [...homes],
      unprotected: 0,
      flows: [],
      rate: 0,
      queue: 0,
      busyNs: 0,
      received: 0,
      moveWork: 0,
      mail: [],
    });
  }

  #openFlow(group: SimGroup, able: readonly SimRuntime[], seconds: number): void {
    const holder = this.#place(able);
    const { flows, base } = group.load;
    if (holder) this.flows.open(holder, randomRate(this.random, base / flows), this.#step + Math.max(1, Math.round(seconds / STEP_S)));
  }

  #place(able: readonly SimRuntime[]): SimRuntime | undefined {
    let best: SimRuntime | undefined;
    for (let i = 0; i < CHOICES && able.length > 0; i++) {
      const one = able[this.random.below(able.length)]!;
      if (best === undefined || one.rate < best.rate) best = one;
    }
    return best;
  }

  step(): void {
    this.#step += 1;
    this.flows.endStep(this.#step);
    for (const event of this.#scenario.events) if (Math.round((event.atS * 1000) / STEP_MS) === this.#step) event.happens(this);
    const t = this.nowMs / 1000;
    for (const group of this.groups) {
      this.#arrive(group, t);
      for (const runtime of group.runtimes) this.#turn(runtime, group.load.intensity(t));
    }
    for (const [key, drain] of this.#drains) this.#drainStep(key, drain);
    if (this.#withReports) for (const group of this.groups) for (const runtime of group.runtimes) this.#mail(runtime);
  }

  #arrive(group: SimGroup, t: number): void {
    const { arrivals, durations, flows } = group.load;
    const able = takesFlows(group);
    const count = this.random.poisson((flows / durations.mean) * arrivals(t) * STEP_S);
    for (let i = 0; i < count; i++) this.#openFlow(group, able, durations.duration(this.random));
  }

  /** One step of one runtime: what comes, what it does, what waits, what is lost. */
  #turn(runtime: SimRuntime, intensity: number): void {
    const { capacityPps, queuePackets } = this.#constants;
    const { totals } = this;
    if (runtime.phase === "gone") return;
    totals.runtimeHours += STEP_S / 3600;
    if (!runtime.isUp && runtime.host.isUp && this.nowMs >= runtime.upAtMs) this.#comeBack(runtime);
    if (runtime.phase === "starting" && this.nowMs >= runtime.upAtMs) runtime.phase = "serving";
    runtime.unprotected = Math.max(0, runtime.unprotected - this.#constants.moveFlowsPerSecond * STEP_S);
    const offered = Math.max(0, runtime.rate * intensity * (1 + NOISE * this.random.normal())) * STEP_S;
    totals.packets += offered * capacityPps;
    if (!works(runtime)) {
      totals.packetsLost += offered * capacityPps;
      return;
    }
    const moving = Math.min(runtime.moveWork, STEP_S);
    runtime.moveWork -= moving;
    const able = STEP_S - moving;
    const waiting = offered + runtime.queue / capacityPps;
    const done = Math.min(waiting, able);
    const left = (waiting - done) * capacityPps;
    runtime.queue = Math.min(left, queuePackets);
    const lost = left - runtime.queue;
    totals.packetsLost += lost;
    runtime.group.lost += lost;
    runtime.received += done * capacityPps;
    runtime.busyNs += (done + moving) * 1e9;
    if (offered > able) totals.overloadSeconds += STEP_S;
  }

  #comeBack(runtime: SimRuntime): void {
    Object.assign(runtime, { isUp: true, busyNs: 0, received: 0, queue: 0, moveWork: 0 });
    runtime.restarts += 1;
  }

  /** Its supervisor starts it again. */
  kill(runtime: SimRuntime): void {
    if (!works(runtime)) return;
    runtime.isUp = false;
    runtime.upAtMs = this.nowMs + this.#constants.restartMs;
    this.#inherit(runtime);
  }

  /** All at once: none of those on it is an heir of another one, or comes back. */
  killHost(host: SimHost): void {
    const there = this.groups.flatMap(({ runtimes }) => runtimes.filter((one) => one.host === host && works(one)));
    host.isUp = false;
    host.downSinceMs = this.nowMs;
    for (const one of there) Object.assign(one, { isUp: false, upAtMs: Infinity });
    for (const one of there) this.#inherit(one);
  }

  /** What the dataplane does when a runtime dies: its homes go on with its flows, or these begin anew elsewhere. */
  #inherit({ group, homes, flows, rate, unprotected }: SimRuntime): void {
    this.totals.packetsLost += rate * group.load.intensity(this.nowMs / 1000) * FENCE_S * this.#constants.capacityPps;
    const heirs = group.runtimes.filter((one) => homes.includes(one.id) && works(one));
    // Copies that were still under way die with it.
    this.totals.statesLost += heirs.length === 0 ? flows.length : Math.min(flows.length, Math.round(unprotected));
    const able = takesFlows(group);
    [...flows].forEach((flow, i) => {
      const heir = heirs.length > 0 ? heirs[i % heirs.length] : this.#place(able);
      if (heir) this.flows.move(flow, heir);
    });
    for (const heir of heirs) heir.unprotected = heir.flows.length;
  }

  /** The host is there again, without what was on it. */
  reviveHost(host: SimHost): void {
    host.isUp = true;
    for (const { runtimes } of this.groups) for (const one of runtimes) if (one.host === host) one.phase = "gone";
  }

  isLeased = (host: SimHost): boolean => host.isUp || this.nowMs - host.downSinceMs < LEASE_MS;

  /** Reports once a second, each runtime at a moment of its own. */
  #mail(runtime: SimRuntime): void {
    const { lagMs, lossShare } = this.#scenario.reports;
    while (runtime.mail.length > 0 && runtime.mail[0]!.arrivesMs <= this.nowMs) runtime.report = runtime.mail.shift()!.report;
    if ((this.#step + runtime.number) % (1000 / STEP_MS) !== 0) return;
    if (runtime.phase !== "serving" || !runtime.host.isUp || this.nowMs < runtime.host.silentUntilMs || this.random.next() < lossShare) return;
    const lag = lagMs === 0 ? 0 : -Math.log(1 - this.random.next()) * lagMs;
    const status = {
      lcore: 0,
      draining: runtime.draining,
      flowsOpen: runtime.flows.length,
      received: BigInt(Math.round(runtime.received)),
      busyNs: BigInt(Math.round(runtime.busyNs)),
      queued: Math.min(RING, Math.round(runtime.queue)),
      unprotected: Math.round(runtime.unprotected),
      process: { restarts: runtime.restarts, isUp: runtime.isUp },
    };
    runtime.mail.push({ arrivesMs: this.nowMs + lag, report: { takenUs: this.nowMs * 1000, arrivedMs: this.nowMs + lag, status } });
    if (lag > 0) runtime.mail.sort((a, b) => a.arrivesMs - b.arrivesMs);
  }

  /** Outcomes since the last call. */
  takeOutcomes(): Outcome[] {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    return outcomes;
  }

  underWay(): { key: string; group: string; runtimes: string[] }[] {
    return [...this.#drains].map(([key, { decision }]) => ({ key, group: decision.group, runtimes: [decision.runtime, ...decision.to] }));
  }

  /** Carries it out, once for each key. */
  carryOut(decision: Decision): void {
    if (this.#seen.has(decision.key)) return;
    this.#seen.add(decision.key);
    this.totals.operations += 1;
    const group = this.groups.find((one) => one.group === decision.group)!;
    const of = (id: string): SimRuntime | undefined => group.runtimes.find((one) => one.id === id);
    const end = (ok: boolean, reason?: string): void => void this.#outcomes.push({ key: decision.key, group: decision.group, ok, reason });
    switch (decision.kind) {
      case "start": {
        const host = this.hosts.find((one) => one.host === decision.host)!;
        if (!host.isUp || this.random.next() < this.#scenario.failingStarts) return end(false, "the host has no memory for it");
        this.totals.starts += 1;
        return this.#addRuntime(group, host, decision.runtime, this.#constants.startMs * (0.8 + 0.4 * this.random.next()), decision.homes);
      }
      case "move": {
        const [from, to] = [of(decision.from), of(decision.to)];
        if (!from || !to || !works(from) || !works(to) || to.draining) return end(false, "no_member");
        const chosen = decision.flowIds?.map(Number).filter((flow) => this.flows.isAt(flow, from)) ?? this.#some(from, decision.count);
        for (const flow of chosen) this.flows.move(flow, to);
        this.#moved(from, to, chosen.length);
        return end(true);
      }
      case "drain": {
        const runtime = of(decision.runtime);
        if (!runtime) return end(false, "no_member");
        runtime.draining = true;
        return void this.#drains.set(decision.key, { decision, next: 0 });
      }
      case "undrain":
        Object.assign(of(decision.runtime) ?? {}, { draining: false });
        return end(true);
      case "remove": {
        const runtime = of(decision.runtime);
        if (runtime && decision.force) this.kill(runtime);
        if (runtime && runtime.flows.length > 0) return end(false, "runtime.not_empty");
        group.runtimes = group.runtimes.filter((one) => one !== runtime);
        return end(true);
      }
      case "protect": {
        const runtime = of(decision.runtime);
        if (!runtime) return end(false, "no_member");
        const added = decision.homes.filter((home) => !runtime.homes.includes(home)).length;
        runtime.unprotected = runtime.homes.length === 0 ? runtime.flows.length : Math.round((runtime.flows.length * added) / decision.homes.length);
        runtime.homes = [...decision.homes];
        return end(true);
      }
    }
  }

  #some(from: SimRuntime, count: number): number[] {
    const flows = [...from.flows];
    for (let i = 0; i < Math.min(count, flows.length); i++) {
      const j = i + this.random.below(flows.length - i);
      [flows[i], flows[j]] = [flows[j]!, flows[i]!];
    }
    return flows.slice(0, count);
  }

  #moved(from: SimRuntime, to: SimRuntime, count: number): void {
    const work = count / this.#constants.moveFlowsPerSecond;
    from.moveWork += work;
    to.moveWork += work;
    this.totals.flowsMoved += count;
  }

  #drainStep(key: string, drain: Drain): void {
    const { decision } = drain;
    const group = this.groups.find((one) => one.group === decision.group)!;
    const runtime = group.runtimes.find((one) => one.id === decision.runtime);
    const targets = group.runtimes.filter((one) => decision.to.includes(one.id) && works(one) && !one.draining);
    const isOver = !runtime || !works(runtime) || targets.length === 0;
    if (!isOver) {
      for (const flow of runtime.flows.slice(0, Math.ceil(this.#constants.moveFlowsPerSecond * STEP_S))) {
        const to = targets[drain.next++ % targets.length]!;
        this.flows.move(flow, to);
        this.#moved(runtime, to, 1);
      }
    }
    if (!isOver && runtime.flows.length > 0) return;
    this.#drains.delete(key);
    this.#outcomes.push({ key, group: decision.group, ok: !isOver, reason: isOver ? "no_member" : undefined });
  }
}

export const works = ({ phase, isUp, host }: SimRuntime): boolean => phase === "serving" && isUp && host.isUp;

const takesFlows = ({ runtimes }: SimGroup): SimRuntime[] => runtimes.filter((one) => works(one) && !one.draining);
