/**
 * The cluster: what is wanted of it, what hosts say, and what brings the one to the other. It is made of parts that know little of each other, and answers for
 * all of them; nothing else of the controller writes what they write. Whoever ends it loses nothing: all that has to be remembered is in the store.
 */
import type { Clock } from "@nfactor/host/clock";
import type { HostInfo, RuntimesReport } from "@nfactor/host/cluster";
import type { HostSession } from "@nfactor/host/identity";
import type { CONTROLLER_METHODS, HOST_METHODS, Handlers, Sessions } from "@nfactor/host/session";
import { NfError } from "@nfactor/sdk/errors";
import type { ArtifactRegistry } from "../artifacts/index.ts";
import type { Enrolment } from "../rpc/index.ts";
import { Collection, type Store, type Stored, requireUnchanged } from "../store/index.ts";
import { ArtifactSource } from "./artifact_source.ts";
import type { ClusterMetrics } from "./cluster_metrics.ts";
import type { ClusterApi, DeploymentView, HostView, NumberedEvent, WriteOptions } from "./cluster_api.ts";
import { Deployments } from "./deployments.ts";
import { EventLog } from "./event_log.ts";
import { giveUpHost } from "./given_up.ts";
import { HostDrain } from "./host_drain.ts";
import { Hosts, LEASE_SECONDS } from "./hosts.ts";
import { DEPLOYMENT, type Deployment, type Host, TENANT, type Tenant } from "./kinds.ts";
import { Mirror } from "./mirror.ts";
import { requireDeploymentName, requireHostName, requireTenantName, tenantOf } from "./names.ts";
import { Observed, type ObservedOptions } from "./observed.ts";
import { Operations } from "./operations.ts";
import type { Peer } from "./reconcile.ts";
import { Reconciler, errorOfStatus, newestOf } from "./reconciler.ts";
import { ReportEvents } from "./report_events.ts";
import { ScalingLoop } from "./scaling_loop.ts";
import { Serial } from "./serial.ts";
import { Tenants } from "./tenants.ts";

/** Where the sessions of hosts are: the listener. */
export interface HostSessions {
  sessionOf(host: string): HostSession | undefined;
  sessionsOf(host: string): Sessions<typeof HOST_METHODS>;
}

export interface ClusterOptions {
  readonly store: Store;
  readonly artifacts: ArtifactRegistry;
  readonly enrolment: Enrolment;
  readonly sessions: HostSessions;
  readonly clock: Clock;
  /** Where hosts of other machines connect, as address and port. */
  readonly addresses?: () => readonly string[];
  /** Milliseconds of the date. */
  readonly dateMs: () => number;
  readonly metrics?: ClusterMetrics | undefined;
  /** What nobody waits for went wrong: for a log. */
  readonly onTrouble: (why: NfError) => void;
}

interface Parts {
  readonly events: EventLog;
  readonly tenants: Tenants;
  readonly tenantMirror: Mirror<Tenant>;
  readonly collection: Collection<Deployment>;
  readonly mirror: Mirror<Deployment>;
  readonly hosts: Hosts;
  readonly observed: Observed;
  readonly reconciler: Reconciler;
  readonly scaling: ScalingLoop;
  readonly deployments: Deployments;
  readonly operations: Operations;
  readonly source: ArtifactSource;
  readonly hostDrain: HostDrain;
  readonly writes: Serial;
}

const EVENTS_MAX = 1000;
const FOLLOW_AGAIN_MS = 2_000;
const TOKEN_MS = 3_600_000;

export class Cluster implements ClusterApi {
  readonly artifacts: ArtifactRegistry;
  readonly #options: ClusterOptions;
  readonly #parts: Parts;
  #isClosed = false;

  private constructor(options: ClusterOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.artifacts = options.artifacts;
  }

  /** Sessions of hosts are given to `onSession` from then on. Throws NfError (of the area store). */
  static async open(options: ClusterOptions): Promise<Cluster> {
    const { store, artifacts, clock, dateMs, sessions, metrics, onTrouble } = options;
    const begunMs = clock.nowMs();
    const dateAtBegin = Math.max(dateMs(), await ScalingLoop.latestMs(store));
    /** Of the date, but it only goes forward, from one controller to the next too. */
    const nowMs = (): number => dateAtBegin + clock.nowMs() - begunMs;
    const events = await EventLog.open({ store, dateMs, onTrouble });
    const collection = new Collection(store, DEPLOYMENT);
    let kick = (): void => undefined;
    const mirror = await Mirror.open(collection, () => kick(), onTrouble);
    const tenantMirror = await Mirror.open(new Collection(store, TENANT), () => undefined, onTrouble);
    const all = (): Iterable<Stored<Deployment>> => mirror.all;
    const hosts = await Hosts.open({ store, dateMs, events, onChange: () => kick(), onTrouble });
    const onHost = (host: string, what: "connected" | "away" | "deployments"): void => {
      if (what === "connected") events.add("host", host, "info", "it is connected");
      if (what === "away") events.add("host", host, "warning", "its connection has ended");
      if (what === "connected") reconciler.hostIsBack(host);
      kick();
    };
    const onHostTrouble = (host: string, why: NfError): void =>
      events.add("host", host, "warning", `it does not answer as it should: ${why.message} (${why.code})`);
    const told = new ReportEvents({ events, nowMs });
    const onReport: ObservedOptions["onReport"] = (deployment, report, before) => told.take(deployment, report, before);
    const observed = await Observed.open({ store, clock, nowMs, onChange: onHost, onReport, onTrouble: onHostTrouble });
    const peersOf = (deployment: Deployment): readonly Peer[] => peersFrom(deployment, observed);
    const sessionOf = (host: string): HostSession | undefined => sessions.sessionOf(host);
    const forget = (stored: Stored<Deployment>): Promise<boolean> => deployments.forget(stored);
    const reconciler = new Reconciler({ clock, observed, deployments: all, peersOf, sessionOf, forget, events });
    kick = () => reconciler.kick();
    const scaling = await ScalingLoop.open({
      ...{ store, clock, nowMs, hosts, observed, deployments: all, peersOf, events, metrics, onTrouble },
      tenants: () => tenantMirror.all,
    });
    const writes = new Serial();
    const tenants = new Tenants({ store, artifacts, events, dateMs, deployments: all });
    const source = new ArtifactSource({ artifacts, deployments: all });
    const deployments = new Deployments({
      ...{ store, clock, dateMs, collection, mirror, artifacts, tenants, hosts, observed, reconciler, sessionOf, events, writes },
      whileAsking: (...asked) => source.whileAsking(...asked),
      waitForSize: (name, sizes) => scaling.waitForSize(name, sizes),
    });
    const operations = new Operations({ clock, deployments: collection, sessionOf, sessionsOf: (host) => sessions.sessionsOf(host), scaling, events });
    const hostDrain = new HostDrain({ clock, hosts, deployments: all, peersOf, scaling, observed });
    await tenants.makeFirst();
    events.add("controller", "controller", "info", "the controller has started");
    kick();
    return new Cluster(options, {
      events,
      tenants,
      tenantMirror,
      collection,
      mirror,
      hosts,
      observed,
      reconciler,
      scaling,
      deployments,
      operations,
      source,
      hostDrain,
      writes,
    });
  }

  /** What hosts may ask of it. */
  get handlers(): Omit<Handlers<typeof CONTROLLER_METHODS>, "renew"> {
    const { hosts, source } = this.#parts;
    return {
      keep_alive: async (_params, { peer }) => {
        await hosts.keepAlive(peer.name);
        return { ttl_seconds: LEASE_SECONDS, authorities: this.#options.enrolment.authority.digest };
      },
      artifact: source.handler,
    };
  }

  /** A host has connected. A store that has no room just now keeps it from being followed until it has, not for as long as its connection lasts. */
  onSession(session: HostSession, told?: string): void {
    const { hosts, observed } = this.#parts;
    const { clock, onTrouble } = this.#options;
    hosts.keepAlive(session.peer.name).then(
      () => observed.follow(session),
      (error: unknown) => {
        const why = error instanceof NfError ? error : new NfError("internal", String(error), { cause: error });
        if (why.code !== told) onTrouble(why);
        clock.after(FOLLOW_AGAIN_MS, () => {
          if (!this.#isClosed && session.isOpen) this.onSession(session, why.code);
        });
      },
    );
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { events, reconciler, scaling, observed, hosts, mirror, tenantMirror, hostDrain } = this.#parts;
    hostDrain.close();
    reconciler.close();
    scaling.close();
    observed.close();
    hosts.close();
    mirror.close();
    tenantMirror.close();
    await events.flush();
  }

  tenants(): Promise<readonly Stored<Tenant>[]> {
    return this.#parts.tenants.all();
  }

  putTenant(name: string, wish: Parameters<ClusterApi["putTenant"]>[1], options: WriteOptions): Promise<Stored<Tenant>> {
    return this.#parts.tenants.put(name, wish, options);
  }

  deleteTenant(name: string, options: WriteOptions): Promise<void> {
    return this.#parts.tenants.delete(name, options);
  }

  async deployments(tenant?: string): Promise<readonly DeploymentView[]> {
    if (tenant !== undefined) requireTenantName(tenant);
    const all = [...this.#parts.mirror.all].filter(({ name }) => tenant === undefined || tenantOf(name) === tenant);
    return all.sort((a, b) => (a.name < b.name ? -1 : 1)).map((stored) => this.#viewOf(stored));
  }

  async deployment(name: string): Promise<DeploymentView> {
    requireDeploymentName(name);
    return this.#viewOf(await this.#parts.collection.get(name));
  }

  deploy: ClusterApi["deploy"] = (name, input, options) => this.#parts.deployments.deploy(name, input, options);
  undeploy: ClusterApi["undeploy"] = (name, options) => this.#parts.deployments.undeploy(name, options);
  swap: ClusterApi["swap"] = (name, wish, options) => this.#parts.deployments.swap(name, wish, options);
  rollback: ClusterApi["rollback"] = (name, wish, options) => this.#parts.deployments.rollback(name, wish, options);
  scale: ClusterApi["scale"] = (name, wish, options) => this.#parts.deployments.scale(name, wish, options);

  runtimes: ClusterApi["runtimes"] = (name) => this.#parts.operations.runtimes(name);
  flows: ClusterApi["flows"] = (name, params) => this.#parts.operations.flows(name, params);
  migrate: ClusterApi["migrate"] = (name, params, options) => this.#parts.operations.migrate(name, params, options);
  drain: ClusterApi["drain"] = (name, params, options) => this.#parts.operations.drain(name, params, options);
  undrain: ClusterApi["undrain"] = (name, params, options) => this.#parts.operations.undrain(name, params, options);
  recover: ClusterApi["recover"] = (name, params, options) => this.#parts.operations.recover(name, params, options);
  trace: ClusterApi["trace"] = (name, params, signal) => this.#parts.operations.trace(name, params, signal);
  capture: ClusterApi["capture"] = (name, params, signal) => this.#parts.operations.capture(name, params, signal);

  async hosts(): Promise<readonly HostView[]> {
    const counts = this.#parts.scaling.runtimesByHost();
    return this.#parts.hosts.all.map((host) => this.#hostView(host, counts));
  }

  async host(name: string): Promise<HostView> {
    requireHostName(name);
    return this.#hostView(this.#parts.hosts.require(name), this.#parts.scaling.runtimesByHost());
  }

  async joinToken(host: string, { by }: { readonly by: string }): ReturnType<ClusterApi["joinToken"]> {
    requireHostName(host);
    const until_ms = this.#options.dateMs() + TOKEN_MS;
    const token = await this.#options.enrolment.makeToken(host, { validMs: TOKEN_MS });
    this.#parts.events.add("host", host, "info", `${by} has made a token with which it may join`);
    return { token, until_ms, controller: this.#options.addresses?.() ?? [] };
  }

  async cordon(host: string, cordoned: boolean, { by, dryRun = false, version }: WriteOptions): Promise<Stored<Host>> {
    const { hosts, events } = this.#parts;
    requireHostName(host);
    const known = hosts.require(host);
    requireUnchanged("host", known, version);
    if (dryRun || (known.object.cordoned === cordoned && version === undefined)) return known;
    const stored = await hosts.change(host, (object) => ({ ...object, cordoned }), version);
    events.add("host", host, "info", cordoned ? `cordoned by ${by}: nothing new comes to it, and what can leaves` : `uncordoned by ${by}`);
    return stored;
  }

  async drainHost(host: string, { signal, ...options }: Parameters<ClusterApi["drainHost"]>[1]): ReturnType<ClusterApi["drainHost"]> {
    await this.cordon(host, true, options);
    if (!options.dryRun) options.onAccepted?.();
    if (options.dryRun) return { moved: 0, left: this.#parts.hostDrain.bound(host) };
    const result = await this.#parts.hostDrain.wait(host, signal);
    this.#parts.events.add(
      "host",
      host,
      "info",
      `drained by ${options.by}: ${result.moved} runtimes have left${result.left.length > 0 ? `, and cannot leave: ${result.left.join(", ")}` : ""}`,
    );
    return result;
  }

  removeHost(host: string, options: WriteOptions): Promise<void> {
    requireHostName(host);
    return this.#parts.writes.run(() => this.#removeHost(host, options));
  }

  async #removeHost(host: string, { by, dryRun = false, version }: WriteOptions): Promise<void> {
    const { hosts, mirror, observed, events } = this.#parts;
    // Before anything else: who has read an older version changes nothing of what follows.
    requireUnchanged("host", hosts.require(host), version);
    const users = [...mirror.all].filter(({ object }) => object.host === host).map(({ name }) => name);
    if (users.length > 0)
      throw new NfError("cluster.in_use", `host ${host} has deployments: ${users.slice(0, 10).join(", ")}`, {
        given: host,
        fix: "Undeploy them, with --force when the host is gone for good.",
      });
    const guests = [...mirror.all].filter((one) => this.#mayWorkAt(one, host)).map(({ name }) => name);
    if (guests.length > 0)
      throw new NfError("cluster.in_use", `host ${host} has runtimes of ${guests.slice(0, 10).join(", ")} that work, or may`, {
        given: host,
        fix: `Empty it first: 'nfactor hosts drain ${host}'. When its machine is gone for good, end it: its runtimes count as dead when nothing is heard of them.`,
      });
    if (dryRun) return;
    await giveUpHost(host, by, this.#parts);
    await this.#options.enrolment.revoke(host).catch((error: unknown) => {
      // One that came over the machine's own socket has none.
      if (!(error instanceof NfError) || error.code !== "store.not_found") throw error;
    });
    await hosts.remove(host);
    this.#options.sessions.sessionOf(host)?.close(new NfError("rpc.certificate", "the host was removed", { fix: "Join again, with a new token." }));
    observed.forget(host);
    events.add("host", host, "info", `removed by ${by}`);
  }

  async events({ limit, ...query }: Parameters<ClusterApi["events"]>[0]): Promise<readonly NumberedEvent[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > EVENTS_MAX)
      throw new NfError("config.field", `so many events cannot be had at once: ${limit}`, {
        given: `${limit}`,
        allowed: `1 to ${EVENTS_MAX}`,
        fix: "Ask for the rest with 'before'.",
      });
    return this.#parts.events.read({ ...query, limit });
  }

  watchEvents: ClusterApi["watchEvents"] = (query, signal) => this.#parts.events.watch(query, signal);

  load(): readonly { readonly deployment: string; readonly report: RuntimesReport }[] {
    return this.#parts.observed.all.flatMap(({ loads }) => [...loads].map(([deployment, { report }]) => ({ deployment, report })));
  }

  async health(): ReturnType<ClusterApi["health"]> {
    const { hosts, observed } = this.#parts;
    const store = await this.#options.store.status().then(
      () => "ok",
      (error: unknown) => (error instanceof NfError ? error.code : "internal"),
    );
    const connected = observed.all.filter(({ session }) => session?.isOpen).length;
    return { ok: store === "ok" && !this.#isClosed, store, hosts: hosts.all.length, hosts_connected: connected };
  }

  /** As the deployment's own host says; of one that is away, what the other one's lease says. */
  #mayWorkAt({ name, object }: Stored<Deployment>, host: string): boolean {
    if (!object.peers.some((peer) => peer.host === host)) return false;
    const { observed, hosts } = this.#parts;
    const report = observed.get(object.host).loads.get(name)?.report;
    if (!report) return hosts.isLeased(host);
    const isConnected = observed.get(host).session?.isOpen === true;
    return report.runtimes.some(({ peer, state }) => peer === host && (isConnected || state !== "down"));
  }

  #viewOf(wanted: Stored<Deployment>): DeploymentView {
    const { observed, reconciler } = this.#parts;
    const { name, object } = wanted;
    const host = observed.get(object.host);
    const seen = host.deployments?.get(name);
    const error = reconciler.errorOf(name) ?? (seen?.state === "failed" ? errorOfStatus(seen) : undefined);
    const state = object.ending
      ? "ending"
      : !host.session?.isOpen
        ? "host_away"
        : error
          ? "failed"
          : seen?.state === "running" && seen.revision >= newestOf(object).revision
            ? "running"
            : "behind";
    return { name, wanted, state, ...(seen ? { seen } : {}), runtimes: host.loads.get(name)?.report, why: error?.message };
  }

  #hostView(host: Stored<Host>, counts: ReadonlyMap<string, number>): HostView {
    const { observed, hosts } = this.#parts;
    const { session, info } = observed.get(host.name);
    const [connected, leased, runtimes] = [session?.isOpen ?? false, hosts.isLeased(host.name), counts.get(host.name) ?? 0];
    return { name: host.name, host, connected, leased, runtimes, info: info && withoutKey(info) };
  }
}

/** The key of its agent is for hosts alone. */
function withoutKey({ agent, ...info }: HostInfo): HostView["info"] {
  return agent === undefined ? info : { ...info, agent: { address: agent.address, iface: agent.iface } };
}

/** Those whose agents are known: others cannot be told of. */
function peersFrom({ peers }: Deployment, observed: Observed): readonly Peer[] {
  return peers.flatMap(({ host, iface }) => {
    const agent = observed.get(host).info?.agent;
    return agent === undefined ? [] : [{ name: host, address: agent.address, key: agent.key, iface }];
  });
}
