/** A cluster that is only objects in a store: what is wanted is so at once. For tests of what is in front of a cluster. */
import type { HostInfo, RuntimesReport } from "@nfactor/host/cluster";
import { deploymentSpecSchema } from "@nfactor/host/deployment";
import { runtimeJsonOf } from "@nfactor/host/testing";
import { NfError } from "@nfactor/sdk/errors";
import type { ArtifactRegistry } from "../../artifacts/index.ts";
import type {
  ClusterApi,
  DeployOutcome,
  DeploymentView,
  HostView,
  NumberedEvent,
  OperationOptions,
  TraceEvent,
  WriteOptions,
} from "../../cluster/cluster_api.ts";
import { DEPLOYMENT, type ClusterEvent, type Deployment, EVENT, HOST, type Host, TENANT, type Tenant } from "../../cluster/kinds.ts";
import { groupPolicySchema } from "../../scaling/policy.ts";
import { Collection, type Store, type Stored } from "../../store/index.ts";

const MOVED = { flows: 3, moved: 3, failed: 0, reason: "none", drained: false, undrained: false, duration_ns: 2_000_000 } as const;
const SPEC = deploymentSpecSchema.parse({
  ports: { client: { iface: "c0" }, server: { iface: "s0" } },
  chain: [{ name: "firewall", nf: { name: "firewall", version: "1.0.0", digest: "0".repeat(64) } }],
});
const INFO: HostInfo = { name: "h1", version: "0.1.0", pid: 7, cpus: 4, memory_mb: 1024, room: 15, interfaces: ["c0", "s0"] };

/** An operation that lasts until it is let go. */
export interface Gate {
  readonly entered: Promise<void>;
  open(): void;
}

export class MemoryCluster implements ClusterApi {
  readonly artifacts: ArtifactRegistry;
  readonly #tenants: Collection<Tenant>;
  readonly #deployments: Collection<Deployment>;
  readonly #hosts: Collection<Host>;
  readonly #events: Collection<ClusterEvent>;
  #lastEvent = 0;
  #oldestEvent = 1;
  #told = new EventTarget();
  #gate: { readonly enter: () => void; readonly opened: Promise<void> } | undefined;
  reports: { readonly deployment: string; readonly report: RuntimesReport }[] = [];
  /** Of traces and captures. */
  hops: AsyncIterable<unknown> | undefined;
  readonly calls: string[] = [];

  constructor(store: Store, artifacts: ArtifactRegistry) {
    this.artifacts = artifacts;
    this.#tenants = new Collection(store, TENANT);
    this.#deployments = new Collection(store, DEPLOYMENT);
    this.#hosts = new Collection(store, HOST);
    this.#events = new Collection(store, EVENT);
  }

  /** Tenants blue and green, deployment blue/web, host h1. */
  async fill(): Promise<void> {
    for (const name of ["h1", "h2"]) await this.#hosts.create(name, { cordoned: false, joined: 1 });
    await this.refill();
    this.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes: [0, 1, 2].map((n) => runtimeJsonOf(n)) } }];
  }

  /** What was removed. */
  async refill(): Promise<void> {
    for (const name of ["blue", "green"]) await this.putTenant(name, {}, { by: "the test" });
    for (const name of ["blue/web", "green/mail"]) if (!(await this.#deployments.find(name))) await this.#write(name, "deploy", { by: "the test" });
  }

  /** The next operation that lasts waits. */
  hold(): Gate {
    let enter: () => void = () => undefined;
    let open: () => void = () => undefined;
    const entered = new Promise<void>((done) => (enter = done));
    this.#gate = { enter, opened: new Promise<void>((done) => (open = done)) };
    return { entered, open };
  }

  /** What nobody waits for is accepted before it lasts. */
  async #pass(onAccepted?: () => void): Promise<void> {
    onAccepted?.();
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.enter();
    await gate?.opened;
  }

  async tell(event: Partial<ClusterEvent> = {}): Promise<number> {
    const number = ++this.#lastEvent;
    await this.#events.create(String(number).padStart(16, "0"), {
      at: number,
      kind: "deployment",
      about: "blue/web",
      severity: "info",
      text: `event ${number}`,
      ...event,
    });
    this.#told.dispatchEvent(new Event("told"));
    return number;
  }

  /** The log begins with this one. */
  async forgetBefore(number: number): Promise<void> {
    for (; this.#oldestEvent < number; this.#oldestEvent++) await this.#events.delete(String(this.#oldestEvent).padStart(16, "0"));
  }

  async tenants(): Promise<readonly Stored<Tenant>[]> {
    return (await this.#tenants.list()).objects;
  }

  async putTenant(name: string, wish: Partial<Tenant>, { version, dryRun }: WriteOptions): Promise<Stored<Tenant>> {
    const found = await this.#tenants.find(name);
    this.#compare(found, version);
    const object = { runtimes_max: 10, deployments_max: 10, created: 1, ...found?.object, ...wish };
    if (dryRun) return { name, object, version: found?.version ?? 0, createRevision: 0 };
    return found ? this.#tenants.update(name, object, found.version) : this.#tenants.create(name, object);
  }

  async deleteTenant(name: string, { version, dryRun }: WriteOptions): Promise<void> {
    const found = await this.#tenants.get(name);
    this.#compare(found, version);
    if (!dryRun) await this.#tenants.delete(name, found.version);
  }

  async deployments(tenant?: string): Promise<readonly DeploymentView[]> {
    return (await this.#deployments.list(tenant === undefined ? {} : { under: tenant })).objects.map((stored) => this.#view(stored));
  }

  async deployment(name: string): Promise<DeploymentView> {
    return this.#view(await this.#deployments.get(name));
  }

  async runtimes(name: string): Promise<RuntimesReport> {
    await this.#deployments.get(name);
    return this.reports.find(({ deployment }) => deployment === name)!.report;
  }

  #view(wanted: Stored<Deployment>): DeploymentView {
    return { name: wanted.name, wanted, runtimes: this.reports.find(({ deployment }) => deployment === wanted.name)?.report, state: "running" };
  }

  async deploy(name: string, _: unknown, options: WriteOptions): Promise<DeployOutcome> {
    this.#compare(await this.#deployments.find(name), options.version);
    await this.#pass(options.onAccepted);
    return this.#write(name, "deploy", options);
  }

  async undeploy(name: string, { version, dryRun = false, onAccepted }: WriteOptions): Promise<DeployOutcome> {
    const found = await this.#deployments.get(name);
    this.#compare(found, version);
    await this.#pass(onAccepted);
    if (!dryRun) await this.#deployments.delete(name, found.version);
    return this.#outcome(name, found.object.revisions.length, dryRun, "none", dryRun ? found.version : 0);
  }

  async swap(name: string, { entry }: { readonly entry: string }, options: WriteOptions) {
    await this.#deployments.get(name);
    if (entry !== "firewall") throw new NfError("swap.entry", `the chain has no entry ${entry}`, { given: entry, allowed: "firewall" });
    this.#compare(await this.#deployments.find(name), options.version);
    await this.#pass(options.onAccepted);
    return { ...(await this.#write(name, "swap", options)), nf: SPEC.chain[0]!.nf };
  }

  async rollback(name: string, _: { readonly to?: number | undefined }, options: WriteOptions): Promise<DeployOutcome> {
    this.#compare(await this.#deployments.get(name), options.version);
    await this.#pass(options.onAccepted);
    return this.#write(name, "rollback", options);
  }

  async scale(name: string, { min, max }: { readonly min: number; readonly max: number }, options: WriteOptions): Promise<DeployOutcome> {
    this.#compare(await this.#deployments.get(name), options.version);
    this.calls.push(`scale ${name} ${min} ${max}`);
    await this.#pass(options.onAccepted);
    return this.#write(name, "scale", options);
  }

  async #write(name: string, why: "deploy" | "swap" | "rollback" | "scale", options: WriteOptions): Promise<DeployOutcome> {
    const { by, dryRun = false, version } = options;
    const found = await this.#deployments.find(name);
    this.#compare(found, version);
    const before = found?.object.revisions ?? [];
    const revision = { revision: before.length + 1, at: 1, by, why, replace: false, spec: SPEC };
    const object: Deployment = {
      host: "h1",
      scaling: groupPolicySchema.parse({ min: 2 }),
      peers: [],
      gone: [],
      revisions: [...before, revision].slice(-20),
      ending: false,
      created: 1,
    };
    const written = dryRun ? found : await (found ? this.#deployments.update(name, object, found.version) : this.#deployments.create(name, object));
    return this.#outcome(name, revision.revision, dryRun, found ? "none" : "start", written?.version ?? 0);
  }

  #outcome(deployment: string, revision: number, dry_run: boolean, action: DeployOutcome["action"], version: number): DeployOutcome {
    return { deployment, revision, action, dry_run, flows_ended: 0, done: true, duration_ms: 1, version };
  }

  #compare(found: Stored<unknown> | undefined, version: number | undefined): void {
    if (version === undefined || version === (found?.version ?? 0)) return;
    throw new NfError("store.stale", `it was changed meanwhile: version ${version} was given, it is at ${found?.version ?? 0}`, { given: String(version) });
  }

  async flows(name: string) {
    await this.#deployments.get(name);
    const end = { address: "10.0.0.1", port: 80 };
    const key = { protocol: "tcp", initiator: end, responder: end, vlan: [] };
    return { flows: [{ key, packets: [1, 2] as [number, number], bytes: [3, 4] as [number, number], nfs: { firewall: { tag: 1 } } }], seen: 1, more: false };
  }

  async migrate(
    name: string,
    { from, to, dry_run }: { readonly from: number; readonly to: number; readonly dry_run: boolean },
    { onAccepted }: OperationOptions,
  ) {
    await this.#deployments.get(name);
    await this.#pass(onAccepted);
    return { from, to, ...MOVED, dry_run };
  }

  async drain(name: string, { runtime, dry_run }: { readonly runtime: number; readonly dry_run: boolean }, { onAccepted }: OperationOptions) {
    await this.#deployments.get(name);
    await this.#pass(onAccepted);
    return { runtime, to: [1], ...MOVED, dry_run };
  }

  async undrain(name: string, { runtime }: { readonly runtime: number }) {
    await this.#deployments.get(name);
    return { runtime, was_draining: true };
  }

  async recover(name: string, { runtime, dry_run }: { readonly runtime: number; readonly dry_run: boolean }, { onAccepted }: OperationOptions) {
    await this.#deployments.get(name);
    await this.#pass(onAccepted);
    return { runtime, dry_run, flows: 2, recovered: 2, lost: 0, duration_ns: 3_000_000, restarts: true };
  }

  async *trace(name: string): AsyncGenerator<TraceEvent> {
    await this.#deployments.get(name);
    if (this.hops) return yield* this.hops as AsyncIterable<TraceEvent>;
    yield { packet: 1, at_us: 5, wire_length: 64, is_whole: true, hops: [] };
    yield { totals: { packets: 1, matched: 3, missed: 2, lost_hops: 0 } };
  }

  async *capture(name: string): AsyncGenerator<Uint8Array> {
    await this.#deployments.get(name);
    if (this.hops) yield* this.hops as AsyncIterable<Uint8Array>;
    else yield Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a);
  }

  async hosts(): Promise<readonly HostView[]> {
    return (await this.#hosts.list()).objects.map((host) => ({ name: host.name, host, connected: true, leased: true, runtimes: 0, info: INFO }));
  }

  async host(name: string): Promise<HostView> {
    return { name, host: await this.#hosts.get(name), connected: true, leased: true, runtimes: 0, info: INFO };
  }

  async joinToken(): ReturnType<ClusterApi["joinToken"]> {
    return { token: "nfj1.x", until_ms: 1, controller: ["10.0.0.1:7800"] };
  }

  async cordon(name: string, cordoned: boolean, { version, dryRun }: WriteOptions): Promise<Stored<Host>> {
    const found = await this.#hosts.get(name);
    this.#compare(found, version);
    return dryRun ? found : this.#hosts.update(name, { ...found.object, cordoned }, found.version);
  }

  async drainHost(name: string, options: WriteOptions): Promise<{ readonly moved: number; readonly left: readonly string[] }> {
    await this.cordon(name, true, options);
    await this.#pass(options.onAccepted);
    return { moved: 1, left: ["blue/web"] };
  }

  async removeHost(name: string, { version, dryRun }: WriteOptions): Promise<void> {
    const found = await this.#hosts.get(name);
    this.#compare(found, version);
    if (!dryRun) await this.#hosts.delete(name, found.version);
  }

  async events({ about, before = Infinity, limit }: { readonly about?: string | undefined; readonly before?: number | undefined; readonly limit: number }) {
    const all = (await this.#events.list()).objects.map(({ name, object }) => ({ number: Number(name), ...object }));
    return all.filter((event) => event.number < before && (about === undefined || event.about === about || event.about.startsWith(`${about}/`))).slice(-limit);
  }

  async *watchEvents({ about, after = this.#lastEvent }: { readonly about?: string | undefined; readonly after?: number | undefined }, signal: AbortSignal) {
    let last = after;
    while (!signal.aborted) {
      const told = new Promise<void>((done) => {
        this.#told.addEventListener("told", () => done(), { once: true });
        signal.addEventListener("abort", () => done(), { once: true });
      });
      const fresh: readonly NumberedEvent[] = (await this.events({ limit: 100_000 })).filter(({ number }) => number > last);
      for (const event of fresh) {
        last = event.number;
        if (about === undefined || event.about === about) yield event;
      }
      if (fresh.length === 0) await told;
    }
  }

  load(): readonly { readonly deployment: string; readonly report: RuntimesReport }[] {
    return this.reports;
  }

  async health() {
    return { ok: true, store: "open", hosts: 2, hosts_connected: 2 };
  }
}
