/** Who decides in a simulation: decide() itself, and the simple ways of today beside it, which see the same reports. */
import { type Decision, decide } from "../index.ts";
import { readReport } from "../load.ts";
import { type GroupPolicy, type Policy, policyOf } from "../policy.ts";
import { type LoadMemory, initialState } from "../state.ts";
import type { ClusterView, GroupView, HeavyFlow, RuntimeView } from "../view.ts";
import { type Model, type SimGroup, type SimRuntime, works } from "./model.ts";

export interface Controller {
  name: string;
  /** It looks at reports; otherwise none are made. */
  readsReports: boolean;
  /** Once a second. */
  turn(model: Model): void;
}

const HEAVY = 256;

/** The heaviest flows of what is hot, as asking for its flows twice tells them. */
function heaviest(model: Model, { flows, rate }: SimRuntime): HeavyFlow[] {
  const rates = flows.map((flow) => [model.flows.rateOf(flow), flow] as const);
  rates.sort((a, b) => b[0] - a[0]);
  return rates.slice(0, HEAVY).map(([own, flow]) => ({ flowId: String(flow), share: own / rate }));
}

export function viewOf(model: Model, policy: Policy, before: ReturnType<typeof initialState>): ClusterView {
  const groupView = (group: SimGroup): GroupView => {
    const { load_high } = policyOf(policy, group.group);
    const runtimes = group.runtimes.map((one): RuntimeView => {
      const isHot = (before.groups[group.group]?.runtimes[one.id]?.report?.load ?? 0) > load_high;
      return {
        ...{ runtime: one.id, host: one.host.host, phase: one.phase, report: one.report, homes: one.homes },
        heavyFlows: isHot ? heaviest(model, one) : undefined,
      };
    });
    const report = { takenUs: model.nowMs * 1000, arrivedMs: model.nowMs, status: { ...IDLE_VSWITCH } };
    const dropped = { runtime_full: BigInt(Math.round(group.lost)) };
    return { group: group.group, tenant: group.tenant, runtimes, vswitch: { host: model.hosts[0]!.host, report, dropped } };
  };
  return {
    hosts: model.hosts.map((host) => ({ host: host.host, room: host.room, leased: model.isLeased(host), cordoned: host.cordoned })),
    groups: model.groups.map(groupView),
    operations: model.underWay(),
    outcomes: model.takeOutcomes(),
  };
}

/** What the vswitch itself has to do is not modelled. */
const IDLE_VSWITCH = { lcore: 0, draining: false, flowsOpen: 0, received: 0n, busyNs: 0n, queued: 0, unprotected: 0, process: { restarts: 0, isUp: true } };

export class Deciding implements Controller {
  readonly name = "nfactor";
  readonly readsReports = true;
  readonly #policy: Policy;
  #state = initialState();
  /** For tests: what was decided in each turn. */
  onTurn: ((view: ClusterView, decided: ReturnType<typeof decide>, nowMs: number) => void) | undefined;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  turn(model: Model): void {
    const view = viewOf(model, this.#policy, this.#state);
    const decided = decide(view, this.#policy, model.nowMs, this.#state);
    this.#state = decided.nextState;
    this.onTurn?.(view, decided, model.nowMs);
    for (const decision of decided.decisions) model.carryOut(decision);
  }
}

/** A number of runtimes that stays: what has died for good is started again. */
export class Fixed implements Controller {
  readonly name: string;
  readonly readsReports = false;
  readonly #sizes: readonly number[];
  readonly #policy: Policy;
  #keys = 0;

  constructor(name: string, sizes: readonly number[], policy: Policy) {
    this.name = name;
    this.#sizes = sizes;
    this.#policy = policy;
  }

  turn(model: Model): void {
    model.takeOutcomes();
    model.groups.forEach((group, g) => {
      const { repair_after_ms } = policyOf(this.#policy, group.group);
      keepSize(model, group, this.#sizes[g]!, repair_after_ms, () => `f${this.#keys++}`);
      keepHomes(model, group, this.#policy, () => `f${this.#keys++}`);
    });
  }
}

/** Gives up what has been dead for too long, and starts what is missing where most room is. */
function keepSize(model: Model, group: SimGroup, size: number, repairMs: number, key: () => string): void {
  for (const one of group.runtimes) {
    const isLost = one.phase === "gone" || (!one.host.isUp && model.nowMs - one.host.downSinceMs > repairMs);
    if (isLost) model.carryOut({ kind: "remove", key: key(), group: group.group, runtime: one.id, force: true });
  }
  const there = group.runtimes.filter(({ draining }) => !draining).length;
  for (let i = there; i < size; i++) {
    const used = (name: string): number => model.groups.reduce((sum, { runtimes }) => sum + runtimes.filter(({ host }) => host.host === name).length, 0);
    const able = model.hosts.filter(({ host, room, isUp }) => isUp && used(host) < room).sort((a, b) => used(a.host) - used(b.host));
    if (!able[0]) break;
    model.carryOut({ kind: "start", key: key(), group: group.group, runtime: key(), host: able[0].host });
  }
}

/** Replicas are the dataplane's work, whoever scales: homes on other hosts, another set for each owner. */
function keepHomes(model: Model, group: SimGroup, policy: Policy, key: () => string): void {
  const { replicas, homes: count } = policyOf(policy, group.group);
  if (replicas === 0) return;
  const living = group.runtimes.filter((one) => works(one) && !one.draining);
  living.forEach((one, at) => {
    const away = living.filter(({ host }) => host !== one.host);
    const able = away.length > 0 ? away : living.filter((other) => other !== one);
    const good = one.homes.filter((home) => able.some(({ id }) => id === home));
    if (able.length === 0 || (good.length === one.homes.length && good.length > 0)) return;
    const added = Array.from({ length: Math.min(count, able.length) }, (_, i) => able[(at * count + i) % able.length]!.id);
    const homes = [...new Set([...good, ...added])].slice(0, count);
    model.carryOut({ kind: "protect", key: key(), group: group.group, runtime: one.id, homes });
  });
}

/**
 * As most systems scale today: more runtimes when the mean load is too high, and only new flows go to them; fewer when it is low, and who is to go gets no
 * new flows and stays until its last one has ended. The same thresholds and times as decide().
 */
export class NewFlowsOnly implements Controller {
  readonly name = "new flows only";
  readonly readsReports = true;
  readonly #policy: Policy;
  readonly #memories = new Map<SimRuntime, LoadMemory>();
  readonly #groups = new Map<string, { size: number; hotSince?: number | undefined; lowSince?: number | undefined; changed: number }>();
  #keys = 0;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  turn(model: Model): void {
    model.takeOutcomes();
    for (const group of model.groups) {
      const policy = policyOf(this.#policy, group.group);
      const own = this.#groups.get(group.group) ?? { size: group.runtimes.length, changed: -Infinity };
      this.#groups.set(group.group, own);
      this.#choose(model, group, policy, own);
      const key = (): string => `n${this.#keys++}`;
      this.#reach(model, group, own.size);
      keepSize(model, group, own.size, policy.repair_after_ms, key);
      keepHomes(model, group, this.#policy, key);
    }
  }

  #choose(
    { nowMs }: Model,
    group: SimGroup,
    policy: GroupPolicy,
    own: { size: number; hotSince?: number | undefined; lowSince?: number | undefined; changed: number },
  ): void {
    let demand = 0;
    const there = group.runtimes.filter(({ draining }) => !draining);
    for (const one of there) {
      const { memory } = readReport(this.#memories.get(one), one.report, policy.smooth_ms, false);
      if (memory) this.#memories.set(one, memory);
      demand += memory?.load ?? 0;
    }
    const mean = demand / Math.max(1, there.length);
    if (mean <= policy.load_high) own.hotSince = undefined;
    else own.hotSince ??= nowMs;
    const fewer = Math.max(policy.min, policy.replicas + 1, Math.ceil(demand / policy.load_low));
    if (fewer >= own.size) own.lowSince = undefined;
    else own.lowSince ??= nowMs;
    if (own.hotSince !== undefined && nowMs - own.hotSince >= policy.grow_after_ms && nowMs - own.changed >= policy.grow_again_ms) {
      own.size = Math.min(policy.max, Math.max(own.size + 1, Math.ceil(demand / policy.load_target)), own.size * 2);
      own.changed = nowMs;
    } else if (own.lowSince !== undefined && nowMs - own.lowSince >= policy.shrink_after_ms && nowMs - own.changed >= policy.shrink_again_ms) {
      own.size = Math.max(fewer, own.size - Math.max(1, Math.floor(own.size * policy.shrink_step)));
      own.changed = nowMs;
    }
  }

  #reach(model: Model, group: SimGroup, size: number): void {
    const there = group.runtimes.filter(({ draining, phase }) => !draining && phase !== "gone");
    const going = group.runtimes.filter(({ draining }) => draining);
    for (const one of going.slice(0, Math.max(0, size - there.length))) one.draining = false;
    const surplus = there.filter(works).sort((a, b) => a.flows.length - b.flows.length);
    for (const one of surplus.slice(0, Math.max(0, there.length - size))) one.draining = true;
    for (const one of going) {
      const decision: Decision = { kind: "remove", key: `n${this.#keys++}`, group: group.group, runtime: one.id, force: false };
      if (one.draining && one.flows.length === 0) model.carryOut(decision);
    }
  }
}
