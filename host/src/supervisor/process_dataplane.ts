/**
 * A tenant's dataplane in processes of its own. What the addon does in one process is said to the members here: an operation to the runtime that flows leave,
 * a listing to each in turn, a swap to one after the other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { NfError } from "@nfactor/sdk/errors";
import { SWITCHING } from "../config/host_config.ts";
import type { PeerChange, PeerConfig } from "../config/peer.ts";
import type { Dataplane, PeerStatus } from "../dataplane/dataplane.ts";
import { nativeError, unknownRuntime } from "../dataplane/native_error.ts";
import type {
  CountersSnapshot,
  FlowsOptions,
  FlowsPage,
  MigrateOptions,
  NativeEvent,
  NfSpec,
  OperationReport,
  RunReport,
  RuntimeStatus,
  SwapReport,
} from "../dataplane/native_types.ts";
import { droppedBy, dropsOf } from "./counter_file.ts";
import { LINE_BYTES_MAX } from "./line_reader.ts";
import type { TraceBatch, TraceWanted } from "../trace/records.ts";
import { VSWITCH } from "./membership_events.ts";
import { ProcessTrace } from "./process_trace.ts";
import { RecoveryWatch } from "./recovery_watch.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Standby } from "./standby.ts";
import { Supervisor } from "./supervisor.ts";
import type { TenantSpec } from "./tenant_spec.ts";
import { within } from "./within.ts";

/** Events that wait to be taken; the newest are dropped and counted when there are more. */
const EVENTS_MAX = 65_536;
/** A flow in JSON without its states. */
const FLOW_BYTES = 800;
/** A place in one runtime's flows, behind the runtime's number. */
const CURSOR = 2 ** 32;
/** An empty runtime that gets no new flows stays empty: what was on its way there has arrived by then. */
const SETTLE_MS = 20;
const SETTLE_LOOKS = 10;
const SWAP_MS = 120_000;
const AGAIN_MS = 1_000;
const DYING_MS = 1_000;
const BACK_MS = 10_000;

export interface ProcessDataplaneOptions {
  folder: RunFolder;
  spec: TenantSpec;
  runtimes: number;
  say(text: string): void;
  /** Of a first start. */
  standby?: Standby | undefined;
  onMade?: ((supervisor: Supervisor) => void) | undefined;
}

/** Counts of links that say that a frame went nowhere, in the members' words. */
const REFUSED = ["malformed", "unsound", "forged", "replayed", "wrong_life", "unknown_member", "forward_full", "no_room"] as const;

function refusedOf(link: Record<string, bigint> | undefined): Record<string, bigint> {
  return Object.fromEntries(REFUSED.flatMap((name) => (link?.[name] ? [[name, link[name]]] : [])));
}

export class ProcessDataplane implements Dataplane {
  readonly switched = true;
  readonly #supervisor: Supervisor;
  readonly #trace: ProcessTrace;
  readonly #recoveries: RecoveryWatch;
  readonly #replicates: boolean;
  readonly #events: NativeEvent[];
  readonly #lost: { events: bigint };
  readonly #say: (text: string) => void;
  /** What the members had done when they were left at work. */
  #left: RuntimeStatus[] | undefined;
  /** Swaps, and runtimes that come and go, one after the other. */
  #isChanging = false;
  readonly #end: Promise<RunReport>;
  #ended: (report: RunReport) => void = () => undefined;
  #failed: (error: unknown) => void = () => undefined;

  private constructor(supervisor: Supervisor, spec: TenantSpec, events: NativeEvent[], lost: { events: bigint }, say: (text: string) => void) {
    this.#say = say;
    this.#replicates = spec.runtime.switching?.replication?.replicas === 1;
    this.#supervisor = supervisor;
    this.#trace = new ProcessTrace(supervisor);
    this.#recoveries = new RecoveryWatch({ recovered: () => this.#recovered(), isOn: () => !supervisor.hasStopped && !this.#left });
    this.#events = events;
    this.#lost = lost;
    this.#end = new Promise((done, fail) => {
      this.#ended = done;
      this.#failed = fail;
    });
    this.#end.catch(() => undefined);
    void supervisor
      .until(() => supervisor.hasStopped)
      .then(
        () => this.#ended({ counters: this.counters(), error: supervisor.error }),
        (error: unknown) => this.#failed(error),
      );
  }

  /** Processes that run are taken over, others are started. Rejects with NfError; what was started has ended then. */
  static async create({ folder, spec, runtimes, standby, say, onMade }: ProcessDataplaneOptions): Promise<ProcessDataplane> {
    const events: NativeEvent[] = [];
    const lost = { events: 0n };
    const onEvent = (event: NativeEvent, member: number): void => {
      if (event.type === "flow_ended") event.flow.runtime = member;
      if (events.length < EVENTS_MAX) events.push(event);
      else lost.events += 1n;
    };
    const heard: { death?: (member: number) => void; stale?: () => void } = {};
    const onDeath = (member: number): void => heard.death?.(member);
    const onStale = (): void => heard.stale?.();
    const supervisor = await Supervisor.start({ folder, spec, runtimes, standby, onEvent, onDeath, onStale, say, onMade });
    const dataplane = new ProcessDataplane(supervisor, spec, events, lost, say);
    dataplane.#recoveries.begin();
    heard.death = (member) => dataplane.#onDeath(member);
    await dataplane.#endSwaps();
    heard.stale = () => void dataplane.#endSwapsLater();
    return dataplane;
  }

  /** Without replicas its flows are gone: there is nothing to wait for. */
  #onDeath(member: number): void {
    if (member === VSWITCH || !this.#replicates) return;
    void this.#recoveries.follow(member, this.#supervisor.account(member).file?.flowsOpen ?? 0);
  }

  /** By member: flows made of replicas; of the vswitch: those that it has given up. */
  #recovered(): Map<number, number> {
    const of = (member: number): bigint | undefined => {
      const { file } = this.#supervisor.account(member);
      return member === VSWITCH ? file?.stateLost : file?.recovered;
    };
    return new Map([VSWITCH, ...this.#supervisor.runtimes].map((member) => [member, Number(of(member) ?? 0n)]));
  }

  /** What a swap has left undone, whose supervisor died or lost sight of somebody: runtimes that do not run the chain as it is wanted now. */
  async #endSwaps(): Promise<void> {
    for (const member of this.#supervisor.outdated()) await this.#endSwapsOf(member);
  }

  /** As soon as nothing else is going on. */
  async #endSwapsLater(): Promise<void> {
    const isOver = (): boolean => this.#supervisor.hasStopped || this.#left !== undefined;
    while (!isOver() && this.#supervisor.outdated().length > 0) {
      if (!this.#isChanging) return this.#alone(() => this.#endSwaps());
      await sleep(AGAIN_MS, undefined, { ref: false });
    }
  }

  /** `but`: a place that is seen to otherwise. What cannot be swapped goes on as it is, which is said; whoever swaps next tries it again. */
  async #endSwapsOf(member: number, but?: number): Promise<void> {
    const supervisor = this.#supervisor;
    const left: number[] = [];
    for (const i of supervisor.of(member)?.stale ?? []) {
      if (i === but) continue;
      const nf = supervisor.chain[i]!;
      const what = `${nf.entry} ${nf.version} as it is wanted`;
      try {
        await this.#swapOne(member, nf);
        this.#say(`runtime ${member} did not run ${what}, and does now: a swap had not come to its end`);
      } catch (error) {
        left.push(i);
        this.#say(`runtime ${member} does not run ${what}, and it cannot be swapped: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    supervisor.isUpToDate(member, left);
  }

  /** Also one that has just been started with the new one. */
  async #goBack(member: number, nf: NfSpec): Promise<void> {
    const supervisor = this.#supervisor;
    await within(
      BACK_MS,
      supervisor.until(() => supervisor.of(member)?.isUp !== false),
      "it does not work",
    );
    if (supervisor.outdated().includes(member)) await this.#swapOne(member, nf);
  }

  async #swapOne(member: number, nf: NfSpec): Promise<SwapReport> {
    return this.#supervisor.ask(member, "swap", { entry: nf.entry, nf: await this.#supervisor.nfFiles(member, nf) }, SWAP_MS);
  }

  /** Packets have been flowing since the vswitch had its first runtime. */
  async start(): Promise<void> {}

  async stop({ drain }: { drain: boolean }): Promise<RunReport> {
    await this.#supervisor.stop(drain);
    return this.#end;
  }

  ended(): Promise<RunReport> {
    return this.#end;
  }

  async destroy(): Promise<void> {
    if (!this.#left) await this.#supervisor.end();
  }

  /** The processes go on without us; `ended` resolves with what they have counted up to now. */
  leave(): void {
    if (this.#left || this.#supervisor.hasStopped) return;
    const counters = this.counters();
    this.#left = this.runtimes();
    const left = this.#supervisor.leave();
    this.#say(`${left.join(", ")} go on; 'nfactor run' with the same name and settings takes them over`);
    this.#ended({ counters });
  }

  counters(): CountersSnapshot {
    const counters = this.#supervisor.counters();
    return { ...counters, eventsLost: counters.eventsLost + this.#lost.events };
  }

  drainEvents(): NativeEvent[] {
    return this.#events.splice(0);
  }

  async flows({ cursor = 0, limit, runtime: only }: FlowsOptions): Promise<FlowsPage> {
    const statesBytes = this.#supervisor.chain.reduce((sum, { stateBytes }) => sum + stateBytes, 0);
    const pageMax = Math.max(1, Math.min(limit, Math.floor(LINE_BYTES_MAX / 2 / (FLOW_BYTES + 2 * statesBytes))));
    const members = this.#supervisor.runtimes;
    if (only !== undefined && !members.includes(only)) throw this.#unknown(only);
    for (const member of members) {
      if (member < Math.floor(cursor / CURSOR) || (only !== undefined && member !== only)) continue;
      const from = Math.floor(cursor / CURSOR) === member ? cursor % CURSOR : 0;
      const page = await this.#supervisor.ask(member, "flows", { cursor: from, limit: pageMax }).catch((error: unknown) => {
        const { isUp, isReachable } = this.#supervisor.of(member) ?? {};
        // Flows of a runtime that is being started again are no more; those of one that cannot be asked keep nobody from seeing the others.
        if (only === undefined && !(isUp && isReachable)) return undefined;
        throw error;
      });
      if (!page) continue;
      const flows = page.flows.map((flow) => ({ ...flow, runtime: member }));
      if (page.next !== undefined) return { flows, next: member * CURSOR + page.next };
      const more = only === undefined && members.some((one) => one > member);
      if (flows.length > 0 || !more) return { flows, ...(more ? { next: (member + 1) * CURSOR } : {}) };
    }
    return { flows: [] };
  }

  /** Runtime after runtime. When one of them refuses it, those before it go back. */
  swap(entry: string, nf: NfSpec): Promise<SwapReport> {
    return this.#alone(async () => {
      const supervisor = this.#supervisor;
      const index = supervisor.chain.findIndex((one) => one.entry === entry);
      const old = supervisor.chain[index];
      if (!old) throw new NfError("swap.entry", `the chain has no entry '${entry}'`);
      const sum: SwapReport = { pauseNs: 0n, burstNs: 0n, prepareMs: 0, flows: 0, packetsDropped: 0n };
      // From now on whatever starts, starts with it.
      supervisor.wanted.set(index, nf);
      /** Lives that run the old one. */
      const before = new Map(supervisor.outdated().map((member) => [member, supervisor.of(member)?.incarnation]));
      const done = new Set<number>();
      /** Nobody knows whether they were swapped. */
      const unheard = new Set<number>();
      const swapOne = async (member: number): Promise<void> => {
        const report = await this.#swapOne(member, nf);
        done.add(member);
        await this.#endSwapsOf(member, index);
        sum.pauseNs = report.pauseNs > sum.pauseNs ? report.pauseNs : sum.pauseNs;
        sum.burstNs = report.burstNs > sum.burstNs ? report.burstNs : sum.burstNs;
        sum.prepareMs = Math.max(sum.prepareMs, report.prepareMs);
        sum.flows += report.flows;
        sum.packetsDropped += report.packetsDropped;
      };
      const isLeft = (member: number): boolean => !done.has(member) && supervisor.outdated().includes(member);
      try {
        for (let left = supervisor.outdated(); left.length > 0; left = supervisor.outdated().filter(isLeft)) {
          const [member] = left as [number];
          await supervisor.until(() => supervisor.of(member)?.isUp === true || !isLeft(member));
          if (!isLeft(member)) continue;
          await swapOne(member).catch(async (error: unknown) => {
            const isUnheard = error instanceof NfError && error.code === "host.socket";
            // Its connection ends a little before it.
            if (isUnheard)
              await within(
                DYING_MS,
                supervisor.until(() => !isLeft(member)),
                "",
              ).catch(() => undefined);
            // One that dies meanwhile comes back with the new version.
            if (!isLeft(member)) return;
            if (isUnheard) unheard.add(member);
            throw error;
          });
        }
      } catch (error) {
        supervisor.wanted.takeBack(index, old);
        for (const member of supervisor.outdated()) {
          const stale = (supervisor.of(member)?.stale ?? []).filter((i) => i !== index);
          const ranOld = before.get(member) === supervisor.of(member)?.incarnation && !done.has(member) && !unheard.has(member);
          const why = ranOld ? undefined : await this.#goBack(member, old).then(() => undefined, String);
          if (why !== undefined) this.#say(`runtime ${member} may still run ${entry} ${nf.version}, since it cannot be swapped back: ${why}`);
          supervisor.isUpToDate(member, why === undefined ? stale : [...stale, index]);
        }
        if (supervisor.outdated().length > 0) void this.#endSwapsLater();
        throw error;
      } finally {
        // Whoever works has read its own.
        supervisor.folder.keepOnlyBytes(supervisor.chain.flatMap(({ native, config }) => [native, config]));
      }
      return sum;
    });
  }

  traceStart(wanted: TraceWanted): Promise<void> {
    return this.#trace.start(wanted);
  }
  traceRead(wanted: TraceWanted): Promise<TraceBatch[]> {
    return this.#trace.read(wanted);
  }
  traceStop(id: number): Promise<void> {
    return this.#trace.stop(id);
  }

  runtimes(): RuntimeStatus[] {
    if (this.#left) return this.#left;
    const { full } = this.#supervisor.account(VSWITCH);
    return [VSWITCH, ...this.#supervisor.runtimes].map((member) => this.#status(member, full));
  }

  /** `full`: packets that found the queue of a runtime full, by its number. */
  #status(member: number, full: Record<string, bigint> | undefined): RuntimeStatus {
    const { pid, agent, peer, homes, restarts = 0, isUp = false, isReachable = true, isDraining = false } = this.#supervisor.of(member) ?? {};
    const { file, status, statusAtUs: busyAtUs, link } = this.#supervisor.account(member);
    return {
      runtime: member,
      lcore: 0,
      draining: isDraining,
      flowsOpen: file?.flowsOpen ?? 0,
      received: file?.received ?? 0n,
      sent: file?.sent ?? 0n,
      dropped: file ? droppedBy(file) : 0n,
      held: file?.held ?? 0n,
      receivedBytes: file?.receivedBytes ?? 0n,
      sentBytes: file?.sentBytes ?? 0n,
      drops: file ? dropsOf(file) : {},
      movedIn: file?.movedIn ?? 0n,
      movedOut: file?.movedOut ?? 0n,
      migrations: file?.migrations ?? 0,
      busyNs: status?.busyNs ?? 0n,
      queued: status?.queued ?? 0,
      nfAsked: status?.nfAsked ?? 0n,
      nfMoves: status?.nfMoves ?? 0n,
      nfMovesFailed: status?.nfMovesFailed ?? 0n,
      arrivalsRefused: status?.arrivalsRefused ?? 0n,
      missed: status?.missed ?? 0n,
      runtimeFull: (member === VSWITCH ? file?.dropped["runtime_full"] : full?.[member]) ?? 0n,
      replicas: file?.replicas ?? 0,
      unprotected: file?.unprotected ?? 0,
      replicationLag: file?.replicationLag ?? 0,
      relayed: status?.relayed ?? 0n,
      recovered: file?.recovered ?? 0n,
      stateLost: file?.stateLost ?? 0n,
      refusedMessages: status?.refusedMessages ?? 0n,
      delay: status?.delay,
      recoveries: member === VSWITCH && this.#replicates ? this.#recoveries.recoveries : undefined,
      process: { pid, restarts, isUp: isUp || this.#supervisor.hasStopped, busyAtUs, agent, peer, isReachable, homes, refusedFrames: refusedOf(link) },
    };
  }

  addRuntime({ at }: { at?: string | undefined } = {}): Promise<number> {
    return this.#alone(async () => {
      const taken = new Set(this.#supervisor.numbers);
      let member = 1;
      while (taken.has(member)) member += 1;
      if (member > SWITCHING.runtimes_max) throw nativeError("runtime.limit", this.#whyFull());
      await this.#supervisor.add(member, at);
      return member;
    });
  }

  #whyFull(): string {
    const { numbers, runtimes } = this.#supervisor;
    const going = numbers.length - runtimes.length;
    const ends = going === 0 ? "" : `, and ${going} that are removed, but have not ended where nobody can be reached`;
    return `there are ${runtimes.length} runtimes${ends}, which is all`;
  }

  removeRuntime(runtime: number, { force }: { force: boolean }): Promise<void> {
    return this.#alone(async () => {
      const supervisor = this.#supervisor;
      const one = supervisor.of(runtime);
      if (!one || runtime === VSWITCH) throw this.#unknown(runtime);
      if (!one.isReachable && !force) throw nativeError("runtime.busy", `runtime ${runtime} is at ${one.agent}, which cannot be reached; force gives it up`);
      if (supervisor.runtimes.length === 1) throw nativeError("runtime.last", `runtime ${runtime} is the only one; stop the run instead`);
      if (!force) {
        supervisor.setDraining(runtime, true);
        await supervisor.until(() => supervisor.of(runtime)?.isExcluded !== false);
        await new Promise((done) => setTimeout(done, SETTLE_MS));
        await supervisor.agents.of(runtime)?.refresh();
        const flows = supervisor.account(runtime).file?.flowsOpen ?? 0;
        if (flows > 0) {
          supervisor.setDraining(runtime, one.isDraining);
          throw nativeError("runtime.not_empty", `runtime ${runtime} has ${flows} flows, which would end with it`);
        }
      }
      await supervisor.remove(runtime);
    });
  }

  /** Resolves when the vswitch has turned away from it. */
  declareDead(runtime: number): Promise<void> {
    return this.#alone(async () => {
      const supervisor = this.#supervisor;
      const incarnation = supervisor.of(runtime)?.incarnation;
      if (supervisor.of(runtime) === undefined || runtime === VSWITCH) throw this.#unknown(runtime);
      if (incarnation === undefined) throw nativeError("runtime.busy", `runtime ${runtime} is dead already, and is being started again`);
      this.#say(`runtime ${runtime} is declared dead`);
      await supervisor.declareDead({ member: runtime, incarnation });
    });
  }

  migrate({ from, ...what }: MigrateOptions): Promise<OperationReport> {
    return this.#operate(from, "migrate", what);
  }

  async drain(runtime: number, { to }: { to: number[] }): Promise<OperationReport> {
    const targets = to.length > 0 ? to : this.#supervisor.runtimes.filter((one) => one !== runtime);
    this.#supervisor.setDraining(runtime, true);
    return this.#operate(runtime, "drain", { to: targets });
  }

  async undrain(runtime: number): Promise<void> {
    this.#supervisor.setDraining(runtime, false);
    await this.#supervisor.ask(runtime, "undrain");
  }

  async setReplicationTargets(runtime: number, targets: readonly number[]): Promise<void> {
    if (this.#supervisor.of(runtime) === undefined || runtime === VSWITCH) throw this.#unknown(runtime);
    if (!this.#replicates) throw nativeError("runtime.unreplicated", "the flows of this host have no replicas");
    await this.#supervisor.setHomes(runtime, targets);
  }

  async peers(): Promise<PeerStatus[]> {
    return this.#supervisor.agents.status();
  }

  /** Those whose machines are gone are given up first: nothing of theirs is in the way then. */
  async configurePeers(peers: readonly PeerConfig[], { keep_used = false, gone = [] }: PeerChange = {}): Promise<string[]> {
    for (const name of gone) if (!peers.some((peer) => peer.name === name)) await this.#alone(() => this.#giveUp(name));
    return this.#supervisor.agents.configurePeers(peers, keep_used);
  }

  /** Its runtimes are removed, and nobody waits for ends that nobody will see: their numbers are free. One that can be reached ends as any other. */
  async #giveUp(peer: string): Promise<void> {
    const supervisor = this.#supervisor;
    for (const member of supervisor.agents.membersAt(peer)) {
      if (supervisor.runtimes.includes(member)) {
        if (supervisor.runtimes.length === 1) throw nativeError("runtime.last", `runtime ${member} is the only one, so its machine cannot be given up`);
        await supervisor.remove(member);
      }
      supervisor.giveUp(member);
    }
  }

  /** As long as it takes; it ends with the process that flows leave. */
  async #operate(from: number, asked: "migrate" | "drain", fields: object): Promise<OperationReport> {
    if (!this.#supervisor.of(from)) throw this.#unknown(from);
    const report = await this.#supervisor.ask(from, asked, fields, Number.POSITIVE_INFINITY);
    if (report.drained) await this.#showsEmpty(from);
    return report;
  }

  /** What members have counted is known some ms late, from elsewhere later: whoever looks next sees no flows any more, unless there are new ones. */
  async #showsEmpty(member: number): Promise<void> {
    const isEmpty = (): boolean => (this.#supervisor.account(member).file?.flowsOpen ?? 0) === 0;
    for (let i = 0; i < SETTLE_LOOKS && !isEmpty(); i++) {
      await this.#supervisor.agents.of(member)?.refresh();
      if (!isEmpty()) await new Promise((done) => setTimeout(done, SETTLE_MS));
    }
  }

  async #alone<T>(what: () => Promise<T>): Promise<T> {
    if (this.#isChanging) throw nativeError("runtime.busy", "another swap is going on, or runtimes come or go");
    this.#isChanging = true;
    try {
      return await what();
    } finally {
      this.#isChanging = false;
    }
  }

  #unknown(runtime: number): NfError {
    return unknownRuntime(runtime, this.#supervisor.runtimes);
  }
}
