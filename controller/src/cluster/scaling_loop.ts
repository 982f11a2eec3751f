/**
 * The loop around `decide()`: once a second, from what hosts have reported to decisions, which hosts are asked for under their keys, and whose outcomes the
 * next decision gets. What is decided is written down before it is asked for: a controller that ends in between asks again, under the same keys.
 *
 * Deployments whose host is away, or does not run them, are left out: nothing can be done for them, and what is known of them stays.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "@nfactor/host/clock";
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import {
  type Decision,
  type Explanation,
  type GroupPolicy,
  type HostView,
  type Outcome,
  type Policy,
  decide,
  explanationText,
  participants,
} from "../scaling/index.ts";
import type { GroupView, OperationView } from "../scaling/view.ts";
import { type GroupState, latestOf } from "../scaling/state.ts";
import { Collection, type Store, type Stored } from "../store/index.ts";
import type { ClusterMetrics } from "./cluster_metrics.ts";
import type { EventLog } from "./event_log.ts";
import type { Hosts } from "./hosts.ts";
import { type ClusterEvent, DEPLOYMENT, type Deployment, SCALING, type Scaling, type Tenant } from "./kinds.ts";
import { tenantOf } from "./names.ts";
import type { Load, Observed, SeenHost } from "./observed.ts";
import type { Peer } from "./reconcile.ts";
import { repeat } from "./repeat.ts";
import { canonical } from "./same.ts";
import { type GroupMemory, adopt, bind, forget, memoryOf, nameOf, newMemory, numberOf, runtimesOf, serving, storedOf, vswitchOf } from "./scaling_group.ts";
import { type Done, carryOutDecision } from "./scaling_orders.ts";

export interface ScalingLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** ms since 1970 that only go forward: what decisions know as time. */
  readonly nowMs: () => number;
  readonly hosts: Hosts;
  readonly observed: Observed;
  readonly deployments: () => Iterable<Stored<Deployment>>;
  readonly tenants: () => Iterable<Stored<Tenant>>;
  readonly peersOf: (deployment: Deployment) => readonly Peer[];
  readonly events: EventLog;
  readonly metrics?: ClusterMetrics | undefined;
  readonly onTrouble: (why: NfError) => void;
}

interface Group {
  readonly memory: GroupMemory;
  /** Of its deployment's object. */
  incarnation: number;
  /** What decides, as it is in the store: averages alone are no reason to write. */
  kept: string;
  keptMs: number;
  outcomes: Outcome[];
  /** Under way, by key; those of people stay a while after they have ended. */
  operations: Map<string, OperationView>;
  /** Runtimes without a name, by number, and since when. */
  strangers: Map<number, number>;
  /** Until when a runtime that was started need not be in a report, and where it is. */
  fresh: Map<string, { readonly untilMs: number; readonly host: string }>;
}

interface Active {
  readonly stored: Stored<Deployment>;
  readonly seen: SeenHost;
  readonly load: Load;
  readonly group: Group;
}

const EVERY_MS = 1_000;
/** So old averages may be after the controller was started anew. */
const KEEP_MS = 60_000;
const FRESH_MS = 10_000;
/** So long one that nobody has started is seen before it counts. */
const STRANGER_MS = 3_000;
/** What somebody has done by hand is left alone for so long. */
const BY_HAND_MS = 60_000;
const SIZE_WAIT_MS = 60_000;
/** Explanations a minute; what is more is counted. */
const SAYINGS_A_MINUTE = 300;
/** The order may have been carried out: it is decided again, under its key. */
const UNDECIDED: ReadonlySet<ErrorCode> = new Set(["rpc.busy", "rpc.closed", "rpc.lost", "rpc.replaced", "rpc.slow", "rpc.cancelled"]);

export class ScalingLoop {
  readonly #options: ScalingLoopOptions;
  readonly #collection: Collection<Scaling>;
  readonly #groups = new Map<string, Group>();
  readonly #waiting = new Set<() => boolean>();
  #stopRepeating = (): void => undefined;
  #sayings = { minute: 0, said: 0, left: 0 };
  #isClosed = false;
  #hands = 0;

  private constructor(options: ScalingLoopOptions) {
    this.#options = options;
    this.#collection = new Collection(options.store, SCALING);
  }

  static async open(options: ScalingLoopOptions): Promise<ScalingLoop> {
    const loop = new ScalingLoop(options);
    const incarnations = new Map([...options.deployments()].map(({ name, createRevision }) => [name, createRevision]));
    for await (const { name, object } of stored(loop.#collection)) {
      const incarnation = incarnations.get(name);
      if (incarnation !== undefined) loop.#groups.set(name, newGroup(memoryOf(object), incarnation));
    }
    loop.#stopRepeating = repeat(options.clock, EVERY_MS, () => loop.tick().catch((error: unknown) => loop.#trouble(error)));
    return loop;
  }

  /** The time of the last decisions that were kept: the date may have been put back since, and what was then must not be still to come. */
  static async latestMs(store: Store): Promise<number> {
    let latest = 0;
    for await (const { object } of stored(new Collection(store, SCALING))) {
      const { state } = memoryOf(object);
      if (state) latest = Math.max(latest, latestOf(state));
    }
    return latest;
  }

  close(): void {
    this.#isClosed = true;
    this.#stopRepeating();
    for (const look of [...this.#waiting]) look();
  }

  /** Names of its runtimes, by number. */
  nameOf(deployment: string, number: number): string | undefined {
    const group = this.#groups.get(deployment);
    return group && nameOf(group.memory, number);
  }

  /** Where its runtimes are, as far as is known. */
  placesOf(deployment: string): readonly string[] {
    const active = this.#active().find(({ stored }) => stored.name === deployment);
    return active ? this.#placesIn(active) : [];
  }

  /** Of all deployments. */
  runtimesByHost(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const active of this.#active()) for (const host of this.#placesIn(active)) counts.set(host, (counts.get(host) ?? 0) + 1);
    return counts;
  }

  #placesIn(active: Active): string[] {
    return this.#runtimesOf(active).flatMap(({ phase, host }) => (phase === "gone" ? [] : [host]));
  }

  /** Somebody does something with these runtimes: scaling leaves them alone meanwhile, and for a while afterwards. */
  async byHand<T>(deployment: string, numbers: readonly number[], kind: "move" | "drain" | "undrain", run: () => Promise<T>): Promise<T> {
    const group = this.#groups.get(deployment);
    if (!group) return run();
    const names = numbers.flatMap((number) => nameOf(group.memory, number) ?? []);
    const key = `by-hand:${(this.#hands += 1)}`;
    group.operations.set(key, { key, group: deployment, runtimes: names });
    // It stays drained until somebody undrains it: it is no longer scaling that has drained it.
    if (kind === "drain") group.memory.drained = group.memory.drained.filter((name) => name !== names[0]);
    try {
      return await run();
    } finally {
      this.#options.clock.after(BY_HAND_MS, () => group.operations.delete(key));
    }
  }

  /** Resolves with whether it has as many runtimes, as soon as it has, or when it takes too long. */
  waitForSize(deployment: string, { min, max }: { readonly min: number; readonly max: number }): Promise<boolean> {
    const { clock, observed, deployments } = this.#options;
    return new Promise((done) => {
      const over = (isReached: boolean): true => {
        cancel();
        this.#waiting.delete(look);
        done(isReached);
        return true;
      };
      const look = (): boolean => {
        const stored = [...deployments()].find(({ name }) => name === deployment);
        if (this.#isClosed || !stored || stored.object.ending) return over(false);
        const load = observed.get(stored.object.host).loads.get(deployment);
        const count = load ? serving(load.report) : 0;
        return count >= min && count <= max ? over(true) : false;
      };
      const cancel = clock.after(SIZE_WAIT_MS, () => over(false));
      this.#waiting.add(look);
      look();
    });
  }

  /** Decides once, and begins what was decided. Resolves when that is written down. */
  async tick(): Promise<void> {
    for (const look of [...this.#waiting]) look();
    this.#dropEnded();
    const active = this.#active();
    for (const { group, load, seen, stored } of active) this.#learn(group, load, seen, stored);
    const { decisions, explanations, nextState } = decide(this.#view(active), this.#policy(active), this.#options.nowMs(), {
      groups: Object.fromEntries(active.flatMap(({ stored, group }) => (group.memory.state ? [[stored.name, group.memory.state]] : []))),
    });
    for (const one of active) {
      one.group.memory.state = nextState.groups[one.stored.name];
      one.group.outcomes = [];
    }
    for (const decision of decisions) if (decision.kind === "drain") this.#noteDrain(decision);
    for (const explanation of explanations) this.#say(explanation);
    const kept = new Map<string, Active>();
    let refusal: unknown;
    // What cannot be written of one keeps nobody else from being looked after; its own decisions are made again.
    for (const one of active)
      await this.#keep(one).then(
        () => kept.set(one.stored.name, one),
        (error: unknown) => (refusal ??= error),
      );
    if (this.#isClosed) return;
    for (const decision of decisions) {
      const one = kept.get(decision.group);
      if (one) void this.#begin(decision, one);
    }
    if (refusal !== undefined) throw refusal;
  }

  #active(): Active[] {
    const { observed, deployments } = this.#options;
    return [...deployments()].flatMap((stored): Active[] => {
      if (stored.object.ending) return [];
      const seen = observed.get(stored.object.host);
      const load = seen.loads.get(stored.name);
      if (!seen.session?.isOpen || seen.deployments?.get(stored.name)?.state !== "running" || !load) return [];
      return [{ stored, seen, load, group: this.#groupOf(stored) }];
    });
  }

  #groupOf({ name, createRevision }: Stored<Deployment>): Group {
    const known = this.#groups.get(name);
    if (known?.incarnation === createRevision) return known;
    const group = newGroup(newMemory(randomBytes(8).toString("hex")), createRevision);
    this.#groups.set(name, group);
    return group;
  }

  #dropEnded(): void {
    const there = new Map([...this.#options.deployments()].map(({ name, createRevision }) => [name, createRevision]));
    for (const [name, { incarnation }] of this.#groups) if (there.get(name) !== incarnation) this.#groups.delete(name);
  }

  /** What the report says of who is there. */
  #learn(group: Group, load: Load, seen: SeenHost, { name }: Stored<Deployment>): void {
    const { memory } = group;
    const starts = seen.deployments?.get(name)?.starts ?? 0;
    // Its supervisor was started anew, and knows nothing of where replicas should be.
    if (starts !== memory.starts) Object.assign(memory, { starts, homes: {} });
    // One that is being started has its name already.
    const isStarting = memory.state?.pending.some(({ decision }) => decision.kind === "start") ?? false;
    if (!isStarting) adopt(memory, load.report, (number) => this.#hasStayed(group, number, load));
    for (const number of group.strangers.keys()) if (!load.report.runtimes.some(({ runtime }) => runtime === number)) group.strangers.delete(number);
    const reported = new Set(load.report.runtimes.map(({ runtime }) => runtime));
    for (const [runtime, { untilMs }] of group.fresh)
      if (untilMs <= this.#options.clock.nowMs() || reported.has(memory.numbers[runtime] ?? 0)) group.fresh.delete(runtime);
  }

  /** A report may be older than what was done last: one that was removed is in it still. Those that are there from the beginning are what they seem. */
  #hasStayed({ memory, strangers }: Group, number: number, { arrivedMs }: Load): boolean {
    if (memory.state === undefined) return true;
    const sinceMs = strangers.get(number) ?? arrivedMs;
    strangers.set(number, sinceMs);
    return arrivedMs - sinceMs >= STRANGER_MS;
  }

  #runtimesOf({ group, load, stored }: Active): GroupView["runtimes"] {
    const hostOfAgent = (address: string): string | undefined => this.#options.observed.all.find(({ info }) => info?.agent?.address === address)?.name;
    const { host, peers } = stored.object;
    const isPlace = (name: string): boolean => name === host || peers.some((peer) => peer.host === name);
    return runtimesOf(group.memory, load, { host, hostOfAgent, isPlace, freshAt: (name) => group.fresh.get(name)?.host });
  }

  #view(active: readonly Active[]): Parameters<typeof decide>[0] {
    const { hosts, observed, peersOf } = this.#options;
    const taken = this.#takenByOthers(active);
    const hostViews = hosts.all.map(({ name, object }): HostView => {
      const { info, session } = observed.get(name);
      const offered = info?.room ?? 0;
      const room = Math.min(object.room ?? Infinity, offered) - (taken.byHost.get(name) ?? 0);
      return { host: name, room: Math.max(0, room), leased: hosts.isLeased(name), cordoned: object.cordoned, connected: session?.isOpen === true };
    });
    const groups = active.map((one): GroupView => {
      const { stored, load } = one;
      const { host } = stored.object;
      const places = [host, ...peersOf(stored.object).map(({ name }) => name)];
      return { group: stored.name, tenant: tenantOf(stored.name), runtimes: this.#runtimesOf(one), vswitch: vswitchOf(load, host), hosts: places };
    });
    return {
      hosts: hostViews,
      groups,
      operations: active.flatMap(({ group }) => [...group.operations.values()]),
      outcomes: active.flatMap(({ group }) => group.outcomes),
    };
  }

  #policy(active: readonly Active[]): Policy {
    const taken = this.#takenByOthers(active);
    const groups: Record<string, GroupPolicy> = Object.fromEntries(active.map(({ stored }) => [stored.name, stored.object.scaling]));
    const quotas = Object.fromEntries(
      [...this.#options.tenants()].map(({ name, object }) => [name, Math.max(0, object.runtimes_max - (taken.byTenant.get(name) ?? 0))]),
    );
    return { groups, quotas, operations_max: 256, reissue_after_ms: 10_000 };
  }

  /** Runtimes of deployments that nothing is decided about now: they have their room all the same. */
  #takenByOthers(active: readonly Active[]): { readonly byHost: Map<string, number>; readonly byTenant: Map<string, number> } {
    const names = new Set(active.map(({ stored }) => stored.name));
    const byHost = new Map<string, number>();
    const byTenant = new Map<string, number>();
    for (const { name, object } of this.#options.deployments()) {
      if (names.has(name)) continue;
      const known = Object.keys(this.#groups.get(name)?.memory.numbers ?? {}).length;
      const count = known > 0 ? known : object.scaling.min;
      byHost.set(object.host, (byHost.get(object.host) ?? 0) + count);
      byTenant.set(tenantOf(name), (byTenant.get(tenantOf(name)) ?? 0) + count);
    }
    return { byHost, byTenant };
  }

  #noteDrain({ group, runtime }: Decision & { kind: "drain" }): void {
    const { memory } = this.#groups.get(group)!;
    if (!memory.drained.includes(runtime)) memory.drained.push(runtime);
  }

  async #begin(decision: Decision, { stored, seen, group }: Active): Promise<void> {
    const { session } = seen;
    const { key } = decision;
    if (!session?.isOpen || group.operations.has(key)) return;
    group.operations.set(key, { key, group: decision.group, runtimes: participants(decision) });
    const peers = this.#options.peersOf(stored.object);
    const { host } = stored.object;
    const { clock, metrics } = this.#options;
    const beganMs = clock.nowMs();
    const observe = (isDone: boolean): void => metrics?.observeOrder(decision.kind, isDone ? "ok" : "failed", (clock.nowMs() - beganMs) / 1000);
    try {
      const target = { session, deployment: stored.name, host, nonce: group.memory.nonce, peers, numberOf: (name: string) => numberOf(group.memory, name) };
      const done = await carryOutDecision(decision, target);
      observe(done.reason === undefined);
      if (done.flows) metrics?.observeMigration("controller", done.flows);
      this.#ended(decision, group, done);
    } catch (error) {
      observe(false);
      const why = error instanceof NfError ? error : new NfError("internal", String(error), { cause: error });
      // Of what may have been done nothing is said: it is asked for again.
      if (session.isOpen && !UNDECIDED.has(why.code)) group.outcomes.push({ key, group: decision.group, ok: false, reason: `${why.message} (${why.code})` });
    }
    group.operations.delete(key);
  }

  #ended(decision: Decision, group: Group, { number, homes, isRemoved, reason }: Done): void {
    const { memory } = group;
    if (decision.kind === "start" && number !== undefined) {
      bind(memory, decision.runtime, number);
      group.fresh.set(decision.runtime, { untilMs: this.#options.clock.nowMs() + FRESH_MS, host: decision.host });
    }
    if ("runtime" in decision && homes) memory.homes[decision.runtime] = [...homes];
    if (decision.kind === "undrain") memory.drained = memory.drained.filter((name) => name !== decision.runtime);
    if (decision.kind === "remove" && isRemoved) forget(memory, decision.runtime);
    group.outcomes.push({ key: decision.key, group: decision.group, ok: reason === undefined, ...(reason === undefined ? {} : { reason }) });
  }

  /** Only as long as the deployment is there: what is known of one that has ended goes with it. */
  async #keep({ stored, group }: Active): Promise<void> {
    const now = decisiveOf(group.memory);
    const nowMs = this.#options.nowMs();
    if (now === group.kept && nowMs - group.keptMs < KEEP_MS) return;
    const { succeeded } = await this.#options.store.txn({
      if: [{ key: DEPLOYMENT.prefix + stored.name, field: "create", is: "=", to: stored.createRevision }],
      then: [this.#collection.put(stored.name, storedOf(group.memory))],
    });
    if (!succeeded) return;
    group.kept = now;
    group.keptMs = nowMs;
  }

  #say(explanation: Explanation): void {
    const minute = Math.floor(this.#options.clock.nowMs() / 60_000);
    if (minute !== this.#sayings.minute) {
      if (this.#sayings.left > 0)
        this.#options.events.add(
          "scaling",
          "scaling",
          "warning",
          `${this.#sayings.left} explanations were left out: more than ${SAYINGS_A_MINUTE} came within a minute`,
        );
      this.#sayings = { minute, said: 0, left: 0 };
    }
    if (this.#sayings.said >= SAYINGS_A_MINUTE) {
      this.#sayings.left += 1;
      return;
    }
    this.#sayings.said += 1;
    // Rules have names of their own for runtimes; people know their numbers.
    const number = this.#groups.get(explanation.group)?.memory.numbers[explanation.subject ?? ""];
    const severity = explanation.rule === "failure" || explanation.rule === "report" ? "warning" : "info";
    this.#options.events.add(
      "scaling",
      explanation.group,
      severity,
      explanationText(number === undefined ? explanation : { ...explanation, subject: `runtime ${number}` }),
      JSON.parse(JSON.stringify(explanation)) as ClusterEvent["details"],
    );
  }

  #trouble(error: unknown): void {
    if (!this.#isClosed) this.#options.onTrouble(error instanceof NfError ? error : new NfError("internal", String(error), { cause: error }));
  }
}

async function* stored(collection: Collection<Scaling>): AsyncGenerator<Stored<Scaling>> {
  let after: string | undefined;
  do {
    const page = await collection.list({ after });
    yield* page.objects;
    after = page.next;
  } while (after !== undefined);
}

function newGroup(memory: GroupMemory, incarnation: number): Group {
  return { memory, incarnation, kept: decisiveOf(memory), keptMs: 0, outcomes: [], operations: new Map(), strangers: new Map(), fresh: new Map() };
}

/** All but averages, times of reports and what was said. */
function decisiveOf({ state, ...rest }: GroupMemory): string {
  const decisive: Partial<GroupState> | undefined = state && { next: state.next, pending: state.pending.map((one) => ({ ...one, atMs: 0 })) };
  return canonical([rest, decisive, state?.size, state?.grewMs, state?.shrankMs]);
}
