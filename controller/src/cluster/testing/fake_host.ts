/**
 * A host that does as it is told, in memory: it connects to a controller as hosts do, serves all they serve, and keeps its deployments while it is away. Load,
 * flows, deaths and refusals are what a test says. Time is its clock's.
 */
import { type Clock, systemClock } from "@nfactor/host/clock";
import type { DeploymentSpec, DeploymentStatus, HostInfo, Params, Result, RuntimesReport } from "@nfactor/host/cluster";
import { ControllerLink } from "@nfactor/host/identity";
import { type CONTROLLER_METHODS, type HOST_METHODS, type Handlers, type SessionOptions, type Sessions, fetchArtifact } from "@nfactor/host/session";
import { runtimeJsonOf } from "@nfactor/host/testing";
import { NfError } from "@nfactor/sdk/errors";
import { changeOf } from "../reconcile.ts";
import { pause, repeat } from "../repeat.ts";

type RuntimeJson = RuntimesReport["runtimes"][number];
type Method = keyof typeof HOST_METHODS;

export interface FakeHostOptions {
  /** The controller's socket. */
  readonly path: string;
  readonly name?: string;
  readonly clock?: Clock;
  readonly room?: number;
  readonly agent?: HostInfo["agent"];
  readonly session?: Partial<SessionOptions<typeof CONTROLLER_METHODS>>;
}

export interface FakeRuntime {
  readonly runtime: number;
  readonly pid: number;
  state: "running" | "draining" | "down";
  flows: number;
  /** Part of its time that it works. */
  load: number;
  queued: number;
  busyUs: number;
  received: number;
  /** Address of the agent that it is at. */
  readonly agent?: string | undefined;
  readonly peer?: string | undefined;
  /** Numbers of the runtimes that keep its replicas. */
  homes: readonly number[];
}

export interface FakeDeployment {
  revision: number;
  spec: DeploymentSpec;
  state: DeploymentStatus["state"];
  error?: DeploymentStatus["error"];
  starts: number;
  peers: Params<"configure_peers">["peers"];
  readonly runtimes: Map<number, FakeRuntime>;
  toldMs: number;
}

const KEEP_ALIVE_MS = 10_000;
const MOVED = { dry_run: false, reason: "none", undrained: false, duration_ns: 1_000_000 } as const;

export class FakeHost {
  readonly name: string;
  readonly deployments = new Map<string, FakeDeployment>();
  /** What it was asked for that changes something, in order; dry runs included. */
  readonly asked: { readonly method: Method; readonly params: Record<string, unknown>; readonly key: string | undefined }[] = [];
  /** Of artifacts, by digest: swaps between different ones are refused. Those that are not named have the same one. */
  readonly layouts = new Map<string, string>();
  /** Digests that it has got from the controller. */
  readonly artifacts = new Set<string>();
  /** What `flows` answers. */
  flows: Result<"flows"> = { flows: [], seen: 0, more: false };
  /** It says nothing of loads. */
  isSilent = false;
  /** Called before a method that changes something is carried out: throws, or waits. */
  before: (method: Method, params: Record<string, unknown>) => Promise<void> | void = () => undefined;
  readonly #options: FakeHostOptions;
  readonly #clock: Clock;
  #link: ControllerLink | undefined;
  #stopKeeping = (): void => undefined;

  constructor(options: FakeHostOptions) {
    this.#options = options;
    this.name = options.name ?? "h1";
    this.#clock = options.clock ?? systemClock;
  }

  /** Connects. What it has is as it was. */
  start(): void {
    if (this.#link) return;
    const { path, session = {} } = this.#options;
    // At once: tests are not to wait for attempts.
    const backoff = { firstMs: 20, mostMs: 20, goodMs: 0 };
    const link = new ControllerLink({ way: { path, name: this.name }, handlers: this.#handlers(), clock: this.#clock, session, backoff });
    this.#link = link;
    link.start();
    this.#stopKeeping = repeat(this.#clock, KEEP_ALIVE_MS, async () => {
      if (link.current?.isOpen) await link.current.call("keep_alive", {}).catch(() => undefined);
    });
  }

  /** Its connection ends; deployments run on. */
  async stop(): Promise<void> {
    this.#stopKeeping();
    const link = this.#link;
    this.#link = undefined;
    await link?.stop();
  }

  /** Of its controller. */
  get sessions(): Sessions<typeof CONTROLLER_METHODS> {
    return this.#link!;
  }

  get isConnected(): boolean {
    return this.#link?.current?.isOpen ?? false;
  }

  /** Of runtime 0 too: the virtual switch. */
  set(deployment: string, runtime: number, figures: Partial<Pick<FakeRuntime, "load" | "flows" | "queued" | "state">>): void {
    this.#accrue(this.#deployment(deployment));
    Object.assign(this.#runtime(deployment, runtime), figures);
  }

  runtimesOf(deployment: string): readonly FakeRuntime[] {
    return [...this.#deployment(deployment).runtimes.values()].filter(({ runtime }) => runtime > 0);
  }

  report(deployment: string): RuntimesReport {
    const one = this.#deployment(deployment);
    this.#accrue(one);
    return { at_us: Math.round(this.#clock.nowMs() * 1000), runtimes: [...one.runtimes.values()].map(jsonOf) };
  }

  #deployment(name: string): FakeDeployment {
    const found = this.deployments.get(name);
    if (found) return found;
    throw new NfError("host.not_running", `host ${this.name} has no deployment ${name}`);
  }

  #runtime(deployment: string, runtime: number): FakeRuntime {
    const found = this.#deployment(deployment).runtimes.get(runtime);
    if (found) return found;
    throw new NfError("runtime.unknown", `deployment ${deployment} has no runtime ${runtime}`);
  }

  /** Time has passed: work was done in it. */
  #accrue(one: FakeDeployment): void {
    const nowMs = this.#clock.nowMs();
    for (const each of one.runtimes.values()) {
      each.busyUs += Math.round(each.load * (nowMs - one.toldMs) * 1000);
      each.received += Math.round(each.load * (nowMs - one.toldMs) * 100);
    }
    one.toldMs = nowMs;
  }

  #statusOf([deployment, one]: [string, FakeDeployment]): DeploymentStatus {
    const { revision, spec, state, error, starts } = one;
    return { deployment, revision, spec, state, starts, pid: 4711, ...(error ? { error } : {}) };
  }

  async #change(method: Method, params: Record<string, unknown>, key: string | undefined): Promise<void> {
    this.asked.push({ method, params, key });
    await this.before(method, params);
  }

  #handlers(): Handlers<typeof HOST_METHODS> {
    return {
      info: async () => ({
        ...{ name: this.name, version: "0", pid: 1, cpus: 2, memory_mb: 4096, room: this.#options.room ?? 32 },
        ...(this.#options.agent ? { agent: this.#options.agent } : {}),
        interfaces: ["c0", "s0", "c1", "s1"],
      }),
      deployments: async () => ({ deployments: [...this.deployments].map((one) => this.#statusOf(one)) }),
      deploy: async (params, { key }) => {
        await this.#change("deploy", params, key);
        return this.#deploy(params);
      },
      undeploy: async (params, { key }) => {
        await this.#change("undeploy", params, key);
        const flows = [...(this.deployments.get(params.deployment)?.runtimes.values() ?? [])].reduce((sum, one) => sum + one.flows, 0);
        if (!params.dry_run) this.deployments.delete(params.deployment);
        return { deployment: params.deployment, flows_ended: flows };
      },
      poll_load: async ({ deployment }) => this.report(deployment),
      watch_load: async ({ every_ms }, sink, { signal }) => {
        while (!signal.aborted) {
          if (!this.isSilent)
            for (const [deployment, { state }] of this.deployments) if (state === "running") sink.offer({ deployment, ...this.report(deployment) });
          await pause(this.#clock, every_ms, signal);
        }
        throw signal.reason as Error;
      },
      flows: async () => this.flows,
      configure_peers: async (params, { key }) => {
        await this.#change("configure_peers", params, key);
        return this.#configurePeers(params);
      },
      add_runtime: async (params, { key }) => {
        await this.#change("add_runtime", params, key);
        return this.#add(params);
      },
      remove_runtime: async (params, { key }) => {
        await this.#change("remove_runtime", params, key);
        const { flows } = this.#runtime(params.deployment, params.runtime);
        if (flows > 0 && !params.force) throw new NfError("runtime.not_empty", `runtime ${params.runtime} has ${flows} flows`);
        if (!params.dry_run) this.#deployment(params.deployment).runtimes.delete(params.runtime);
        return { runtime: params.runtime, dry_run: params.dry_run, flows_ended: flows };
      },
      migrate_flows: async (params, { key }) => {
        await this.#change("migrate_flows", params, key);
        const [from, to] = [this.#runtime(params.deployment, params.from), this.#runtime(params.deployment, params.to)];
        const count = "count" in params.flows ? Math.min(params.flows.count, from.flows) : "all" in params.flows ? from.flows : 0;
        if (!params.dry_run) this.#move(this.#deployment(params.deployment), from, [to], count);
        return {
          from: params.from,
          to: params.to,
          ...MOVED,
          dry_run: params.dry_run,
          flows: count,
          moved: params.dry_run ? 0 : count,
          failed: 0,
          drained: from.flows === 0,
        };
      },
      drain: async (params, { key }) => {
        await this.#change("drain", params, key);
        const from = this.#runtime(params.deployment, params.runtime);
        const one = this.#deployment(params.deployment);
        const to =
          params.to.length > 0
            ? params.to
            : this.runtimesOf(params.deployment).flatMap(({ runtime, state }) => (state === "running" && runtime !== from.runtime ? [runtime] : []));
        const { flows } = from;
        const targets = to.map((runtime) => this.#runtime(params.deployment, runtime));
        if (!params.dry_run) from.state = "draining";
        if (!params.dry_run && targets.length > 0) this.#move(one, from, targets, flows);
        return { runtime: params.runtime, to, ...MOVED, dry_run: params.dry_run, flows, moved: flows - from.flows, failed: 0, drained: from.flows === 0 };
      },
      undrain: async (params, { key }) => {
        await this.#change("undrain", params, key);
        const one = this.#runtime(params.deployment, params.runtime);
        const was_draining = one.state === "draining";
        if (was_draining) one.state = "running";
        return { runtime: params.runtime, was_draining };
      },
      set_replication_target: async (params, { key }) => {
        await this.#change("set_replication_target", params, key);
        this.#runtime(params.deployment, params.runtime).homes = params.targets;
        return {};
      },
      recover: async (params, { key }) => {
        await this.#change("recover", params, key);
        const { flows } = this.#runtime(params.deployment, params.runtime);
        return { runtime: params.runtime, dry_run: params.dry_run, flows, recovered: flows, lost: 0, duration_ns: 0, restarts: true };
      },
      swap: async (params, { key }) => {
        await this.#change("swap", params, key);
        return this.#swap(params);
      },
      trace: async ({ deployment, packets }, sink) => {
        this.#deployment(deployment);
        for (let packet = 1; packet <= packets; packet++)
          await sink.send({
            packet,
            at_us: packet,
            wire_length: 1,
            is_whole: true,
            hops: [{ hop: "in", runtime: 0, port: "client", frame: Buffer.from([packet]) }],
          });
        return { packets, matched: packets, missed: 0, lost_hops: 0 };
      },
      capture: async ({ deployment, packets }, sink) => {
        this.#deployment(deployment);
        for (let packet = 0; packet < packets; packet++) await sink.send(Buffer.from([packet]));
        return { packets, matched: packets, missed: 0, lost_hops: 0 };
      },
    };
  }

  async #deploy({ deployment, revision, spec, replace, dry_run }: Params<"deploy">): Promise<Result<"deploy">> {
    const before = this.deployments.get(deployment);
    const change: Result<"deploy">["action"] = before ? changeOf(before.spec, spec) : "start";
    if (change === "replace" && !replace)
      throw new NfError("runtime.spec", `deployment ${deployment} is of another shape`, { fix: "Say that it may be replaced." });
    for (const entry of before?.spec.chain ?? []) {
      const next = spec.chain.find(({ name }) => name === entry.name);
      if (change === "swap" && next) this.#requireLayout(entry.nf.digest, next.nf.digest);
    }
    const flows = change === "replace" ? [...before!.runtimes.values()].reduce((sum, one) => sum + one.flows, 0) : 0;
    const result = { deployment, dry_run, action: change, flows_ended: flows, duration_ms: 1 };
    if (dry_run) return result;
    for (const { nf } of spec.chain) await this.#fetch(nf.digest);
    if (before && change !== "replace") Object.assign(before, { revision, spec, state: "running", error: undefined });
    else {
      const runtimes = new Map([...Array(spec.runtimes + 1).keys()].map((runtime) => [runtime, freshRuntime(runtime)]));
      this.deployments.set(deployment, {
        revision,
        spec,
        state: "running",
        starts: (before?.starts ?? 0) + 1,
        peers: [],
        runtimes,
        toldMs: this.#clock.nowMs(),
      });
    }
    return result;
  }

  async #swap({ deployment, revision, entry, next, dry_run }: Params<"swap">): Promise<Result<"swap">> {
    const one = this.#deployment(deployment);
    const before = one.spec.chain.find(({ name }) => name === entry);
    if (!before) throw new NfError("swap.entry", `the chain has no entry '${entry}'`);
    this.#requireLayout(before.nf.digest, next.nf.digest);
    if (!dry_run) {
      await this.#fetch(next.nf.digest);
      one.spec = { ...one.spec, chain: one.spec.chain.map((each) => (each === before ? next : each)) };
      one.revision = revision;
    }
    const flows = [...one.runtimes.values()].reduce((sum, { flows: n }) => sum + n, 0);
    return { entry, dry_run, from: before.nf, to: next.nf, flows, pause_ns: 1200, burst_ns: 900, prepare_ms: 2, packets_dropped: 0 };
  }

  #requireLayout(from: string, to: string): void {
    if (this.layouts.get(from) === this.layouts.get(to)) return;
    throw new NfError("swap.layout", "the state layouts of the two versions differ", {
      given: this.layouts.get(to),
      allowed: this.layouts.get(from),
      fix: "Nothing was changed.",
    });
  }

  async #fetch(digest: string): Promise<void> {
    if (this.artifacts.has(digest)) return;
    await fetchArtifact(this.#link!, digest, { clock: this.#clock });
    this.artifacts.add(digest);
  }

  #add({ deployment, at }: Params<"add_runtime">): Result<"add_runtime"> {
    const one = this.#deployment(deployment);
    const peer = one.peers.find(({ name }) => name === at);
    if (at !== undefined && !peer) throw new NfError("runtime.spec", `there is no peer '${at}'`);
    const runtime = Math.max(...one.runtimes.keys()) + 1;
    if (runtime > 64) throw new NfError("runtime.limit", "there is no room for another runtime");
    this.#accrue(one);
    one.runtimes.set(runtime, freshRuntime(runtime, peer));
    return { runtime, lcore: 0 };
  }

  #configurePeers({ deployment, peers, keep_used = false, gone = [] }: Params<"configure_peers">): Result<"configure_peers"> {
    const one = this.#deployment(deployment);
    const left = one.peers.filter(({ name }) => !peers.some((peer) => peer.name === name));
    const at = ({ address }: (typeof left)[number]): FakeRuntime[] => [...one.runtimes.values()].filter(({ agent }) => agent === address);
    for (const peer of left) if (gone.includes(peer.name)) for (const { runtime } of at(peer)) one.runtimes.delete(runtime);
    const used = left.filter((peer) => at(peer).length > 0);
    if (used.length > 0 && !keep_used) throw new NfError("peer.in_use", `peer '${used[0]!.name}' has runtimes`);
    one.peers = [...peers, ...used];
    return { peers: peers.length, ...(used.length === 0 ? {} : { used: used.map(({ name }) => name) }) };
  }

  /** Load goes with flows. */
  #move(one: FakeDeployment, from: FakeRuntime, to: readonly FakeRuntime[], count: number): void {
    this.#accrue(one);
    const load = from.flows > 0 ? (from.load * count) / from.flows : 0;
    to.forEach((target, i) => {
      target.flows += Math.floor(count / to.length) + (i < count % to.length ? 1 : 0);
      target.load += load / to.length;
    });
    from.flows -= count;
    from.load = Math.max(0, from.load - load);
  }
}

let lastPid = 5000;

const freshRuntime = (runtime: number, at?: { readonly name: string; readonly address: string }): FakeRuntime => ({
  ...{ runtime, pid: (lastPid += 1), state: "running", flows: 0, load: 0, queued: 0, busyUs: 0, received: 0, homes: [] },
  ...(at ? { agent: at.address, peer: at.name } : {}),
});

function jsonOf({ runtime, pid, state, flows, queued, busyUs, received, agent, peer }: FakeRuntime): RuntimeJson {
  const shown = runtime === 0 ? "vswitch" : state === "draining" && flows === 0 ? "drained" : state;
  return runtimeJsonOf(runtime, {
    ...{ state: shown, flows, queued, busy_us: busyUs, received, restarts: 0, pid },
    ...(agent ? { agent } : {}),
    ...(peer ? { peer } : {}),
  });
}
