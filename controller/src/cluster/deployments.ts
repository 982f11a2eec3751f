/**
 * What somebody wants of deployments: checked, asked of the host without doing it, written down in one transaction, and then waited for. What is refused has
 * changed nothing; what is written down is carried out, also when who asked has gone, the host is away, or the controller ends.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "@nfactor/host/clock";
import type { DeploymentSpec } from "@nfactor/host/cluster";
import type { HostSession } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import type { ArtifactRegistry, NfVersion } from "../artifacts/index.ts";
import type { GroupPolicy } from "../scaling/index.ts";
import type { Collection, Op, Store, Stored } from "../store/index.ts";
import type { ArtifactSource } from "./artifact_source.ts";
import { resolveChain, resolveEntry } from "./chain.ts";
import type { ClusterApi, DeployOutcome, SwapOutcome, WriteOptions } from "./cluster_api.ts";
import { type DeploymentInput, parseEntry, parseInput } from "./deployment_input.ts";
import { requireSizes, scalingOf, specOf, withRevision } from "./deployment_object.ts";
import type { EventLog } from "./event_log.ts";
import type { Hosts } from "./hosts.ts";
import { type Deployment, SCALING } from "./kinds.ts";
import type { Mirror } from "./mirror.ts";
import { requireDeploymentName, tenantOf } from "./names.ts";
import type { Observed } from "./observed.ts";
import { changeOf, isAhead, onlyChange } from "./reconcile.ts";
import { type Carried, type Reconciler, newestOf } from "./reconciler.ts";
import { isSame } from "./same.ts";
import type { Serial } from "./serial.ts";
import { staysWanted } from "./stays_wanted.ts";
import type { Tenants } from "./tenants.ts";

export interface DeploymentsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly dateMs: () => number;
  readonly collection: Collection<Deployment>;
  readonly mirror: Mirror<Deployment>;
  readonly artifacts: ArtifactRegistry;
  readonly tenants: Tenants;
  readonly hosts: Hosts;
  readonly observed: Observed;
  readonly reconciler: Reconciler;
  readonly sessionOf: (host: string) => HostSession | undefined;
  readonly events: EventLog;
  /** What is checked over several objects stays so until it is written: of all who write deployments, or take away what they are made of. */
  readonly writes: Serial;
  /** Lets the host have the artifacts of a chain while it is asked about it. */
  readonly whileAsking: ArtifactSource["whileAsking"];
  /** Resolves when it has so many runtimes, with whether it has. */
  readonly waitForSize: (deployment: string, sizes: { readonly min: number; readonly max: number }) => Promise<boolean>;
}

interface Wish {
  readonly why: Deployment["revisions"][number]["why"];
  readonly host: string;
  readonly spec: DeploymentSpec;
  readonly scaling: GroupPolicy;
  readonly peers: Deployment["peers"];
  readonly replace: boolean;
  readonly versions: readonly Stored<NfVersion>[];
  /** For the event log. */
  readonly words: string;
}

type Written = Pick<DeployOutcome, "revision"> & { readonly stored: Stored<Deployment> };

export class Deployments {
  readonly #options: DeploymentsOptions;

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  async deploy(name: string, given: DeploymentInput, options: Parameters<ClusterApi["deploy"]>[2]): Promise<DeployOutcome> {
    const begin = this.#options.clock.nowMs();
    const { tenant } = requireDeploymentName(name);
    const input = parseInput(given);
    await this.#options.tenants.require(tenant);
    const base = await this.#base(name, options.version);
    const host = this.#hostFor(name, input.host, base);
    const peers = this.#peersFor(host, input.peers);
    const chain = await resolveChain(this.#options.artifacts, tenant, input.chain);
    const scaling = scalingOf(input);
    const spec = specOf(input, scaling, chain);
    const replace = options.replace ?? false;
    const wish: Wish = { ...{ why: "deploy", host, spec, scaling, peers, replace, versions: chain.map(({ version }) => version) }, words: shownChain(spec) };
    return (await this.#carryOut(name, base, wish, options, begin)).outcome;
  }

  async swap(name: string, wish: Parameters<ClusterApi["swap"]>[1], options: WriteOptions): Promise<SwapOutcome> {
    const begin = this.#options.clock.nowMs();
    const base = await this.#require(name, options.version);
    const { spec } = newestOf(base.object);
    const before = spec.chain.find((entry) => entry.name === wish.entry);
    if (!before)
      throw new NfError("swap.entry", `deployment ${name} has no entry '${wish.entry}'`, {
        given: wish.entry,
        allowed: spec.chain.map((entry) => entry.name).join(", "),
        fix: "Name one of them.",
      });
    const written = {
      ...before,
      nf: wish.nf,
      ...(wish.config === undefined ? {} : { config: wish.config }),
      ...(wish.grant === undefined ? {} : { grant: wish.grant }),
    };
    const resolved = await resolveEntry(this.#options.artifacts, tenantOf(name), parseEntry(written));
    const next = resolved.entry;
    if (next.nf.name !== before.nf.name)
      throw new NfError("swap.entry", `entry '${wish.entry}' is ${before.nf.name}, and ${next.nf.name} is another NF`, {
        given: next.nf.name,
        allowed: before.nf.name,
        fix: "Deploy the chain with it: its flows cannot go on in another NF.",
      });
    const after = { ...spec, chain: spec.chain.map((entry) => (entry === before ? next : entry)) };
    const words = `${wish.entry}: ${before.nf.name}@${before.nf.version} to ${next.nf.version}`;
    const versions = [...(await this.#versionsOf(name, after, next.name)), resolved.version];
    const { host, scaling, peers } = base.object;
    const { outcome, carried } = await this.#carryOut(
      name,
      base,
      { why: "swap", host, spec: after, scaling, peers, replace: false, versions, words },
      options,
      begin,
    );
    return { ...outcome, nf: next.nf, ...(carried.swap === undefined ? {} : { swap: carried.swap }) };
  }

  async rollback(name: string, { to, replace = false }: Parameters<ClusterApi["rollback"]>[1], options: WriteOptions): Promise<DeployOutcome> {
    const begin = this.#options.clock.nowMs();
    const base = await this.#require(name, options.version);
    const now = newestOf(base.object);
    const earlier = base.object.revisions.slice(0, -1);
    const target =
      to === undefined ? earlier.findLast(({ spec }) => changeOf(now.spec, spec) !== "none") : base.object.revisions.find(({ revision }) => revision === to);
    if (!target)
      throw new NfError(
        "cluster.revision",
        to === undefined ? `deployment ${name} has never been anything else` : `revision ${to} of deployment ${name} is not kept`,
        {
          given: to === undefined ? undefined : `${to}`,
          allowed: base.object.revisions.map(({ revision }) => revision).join(", "),
          fix: to === undefined ? "There is nothing to go back to: deploy what it should be." : "Name one of its revisions, or deploy what it should be.",
        },
      );
    const spec = { ...target.spec, runtimes: now.spec.runtimes };
    const versions = await this.#versionsOf(name, spec);
    const { host, scaling, peers } = base.object;
    const words = `back to revision ${target.revision}: ${shownChain(spec)}`;
    const replicas = spec.replication ? (1 as const) : (0 as const);
    return (
      await this.#carryOut(name, base, { why: "rollback", host, spec, scaling: { ...scaling, replicas }, peers, replace, versions, words }, options, begin)
    ).outcome;
  }

  async scale(name: string, { min, max }: Parameters<ClusterApi["scale"]>[1], options: WriteOptions): Promise<DeployOutcome> {
    const begin = this.#options.clock.nowMs();
    requireSizes({ min, max });
    const base = await this.#require(name, options.version);
    const { host, peers } = base.object;
    const spec = { ...newestOf(base.object).spec, runtimes: min };
    const scaling = { ...base.object.scaling, min, max };
    const words = min === max ? `${min} runtimes` : `${min} to ${max} runtimes`;
    const wish: Wish = { why: "scale", host, spec, scaling, peers, replace: false, versions: await this.#versionsOf(name, spec), words };
    const { outcome } = await this.#carryOut(name, base, wish, options, begin);
    if (outcome.action === "none" || outcome.dry_run || !outcome.done) return outcome;
    const done = await this.#options.waitForSize(name, { min, max });
    return { ...outcome, done, duration_ms: this.#options.clock.nowMs() - begin };
  }

  async undeploy(name: string, options: Parameters<ClusterApi["undeploy"]>[1]): Promise<DeployOutcome> {
    const { clock, collection, mirror, reconciler, observed, events } = this.#options;
    const begin = clock.nowMs();
    requireDeploymentName(name);
    const base = await collection.find(name);
    if (!base) return this.#undeployStray(name, options, begin);
    requireVersion(base, options.version);
    const { dryRun = false, force = false, by } = options;
    const asked = await this.#ask(base.object.host, (session) => session.call("undeploy", { deployment: name, dry_run: true }, { key: randomUUID() }));
    const common = { deployment: name, action: "none" as const, dry_run: dryRun };
    const revision = newestOf(base.object).revision;
    const outcome = (flows_ended: number, done: boolean, version: number): DeployOutcome => ({
      ...{ ...common, revision, flows_ended, done, version },
      duration_ms: clock.nowMs() - begin,
    });
    if (dryRun) return outcome(asked?.flows_ended ?? 0, asked !== undefined, base.version);
    if (force && asked === undefined) {
      if (!(await this.forget(base))) throw stale(name, base, await collection.find(name));
      events.add(
        "deployment",
        name,
        "warning",
        `forgotten by ${by} while host ${base.object.host} was away: what it still has is left alone when it comes back`,
      );
      return outcome(0, true, 0);
    }
    // What the host has may be newer than what is known: then this is newer still.
    const seen = observed.get(base.object.host).deployments?.get(name);
    const next = { ...newestOf(base.object), revision: (seen?.revision ?? 0) + 1 };
    const revisions = seen && isAhead(seen, newestOf(base.object)) ? withRevision(base.object.revisions, next) : base.object.revisions;
    const object = { ...base.object, revisions, ending: true };
    const isNew = !base.object.ending || revisions !== base.object.revisions;
    const written = isNew ? await collection.update(name, object, base.version) : base;
    if (!base.object.ending) events.add("deployment", name, "info", `to be ended, by ${by}`);
    await mirror.reached(written.version);
    options.onAccepted?.();
    const carried = await reconciler.wait(written, "gone");
    return outcome(carried.undeploy?.flows_ended ?? 0, carried.done, carried.done ? 0 : written.version);
  }

  /** Its object goes, with what scaling knows of it, unless it was changed meanwhile: false. */
  async forget(stored: Stored<Deployment>): Promise<boolean> {
    const { store, collection, mirror, events } = this.#options;
    const { succeeded, revision } = await store.txn({
      if: [collection.ifUnchanged(stored.name, stored.version)],
      then: [collection.keyOf(stored.name), SCALING.prefix + stored.name].map((key): Op => ({ op: "delete", key })),
    });
    if (!succeeded) return false;
    await mirror.reached(revision);
    events.add("deployment", stored.name, "info", "it has ended");
    return true;
  }

  async #undeployStray(name: string, { by, dryRun = false, version }: WriteOptions, begin: number): Promise<DeployOutcome> {
    const { clock, collection, observed, events } = this.#options;
    const hosts = observed.all.filter(({ deployments }) => deployments?.has(name));
    // Says that there is none.
    if (hosts.length === 0 || version !== undefined) await collection.get(name);
    let flows = 0;
    for (const host of hosts) {
      const params = { deployment: name, dry_run: dryRun };
      const result = await this.#ask(host.name, (session) => session.call("undeploy", params, { key: randomUUID() }));
      if (!result) throw away(host.name);
      flows += result.flows_ended;
      if (!dryRun) events.add("deployment", name, "info", `ended on host ${host.name}, by ${by}: nothing else was known of it`);
      await observed.refresh(host.name);
    }
    const revision = hosts[0]?.deployments?.get(name)?.revision ?? 0;
    return { deployment: name, revision, action: "none", dry_run: dryRun, flows_ended: flows, done: true, version: 0, duration_ms: clock.nowMs() - begin };
  }

  /** From a wish that is whole to its outcome. */
  async #carryOut(
    name: string,
    base: Stored<Deployment> | undefined,
    given: Wish,
    { by, dryRun = false, onAccepted, signal }: WriteOptions & { readonly signal?: AbortSignal },
    begin: number,
  ): Promise<{ readonly outcome: DeployOutcome; readonly carried: Carried }> {
    const { clock, reconciler, events } = this.#options;
    if (base?.object.ending) throw new NfError("cluster.ending", `deployment ${name} is being ended`, { fix: "Deploy it again when it has ended." });
    const before = base && newestOf(base.object);
    const has = this.#options.observed.get(given.host).deployments?.get(name);
    const reached = has?.revision ?? 0;
    // What the host has not done yet is still allowed to end flows.
    const wish = { ...given, replace: given.replace || (before !== undefined && before.replace && reached < before.revision) };
    // The host has something newer than is known: what is wanted now is newer still, whatever it is.
    const isNewer = before !== undefined && has !== undefined && isAhead(has, before);
    const planned = !before ? "start" : isNewer ? changeOf(has.spec, wish.spec) : changeOf(before.spec, wish.spec);
    if (planned === "replace" && !wish.replace)
      throw new NfError("cluster.replace", `deployment ${name} would have to be replaced, and its flows would end: its ports, entries or settings are others`, {
        fix: "Say that it may be replaced, or deploy it under another name.",
      });
    const isScaled =
      before !== undefined &&
      planned === "none" &&
      !isSame([wish.scaling, wish.peers, wish.spec.runtimes], [base!.object.scaling, base!.object.peers, before.spec.runtimes]);
    const action = isScaled ? "scale" : planned;
    const isNew = action !== "none" || isNewer;
    await this.#options.writes.run(() => this.#requireRoom(name, wish));
    const revision = this.#nextRevision(name, wish.host, base);
    const asked = action === "none" || action === "scale" ? {} : await this.#dryRun(name, before?.spec, wish, revision);
    const outcome = (carried: Carried, isDryRun: boolean, at: number, version: number): DeployOutcome => ({
      ...{ deployment: name, revision: at, action: carried.deploy && !isScaled ? carried.deploy.action : action, dry_run: isDryRun },
      ...{ flows_ended: carried.deploy?.flows_ended ?? 0, done: carried.done, duration_ms: clock.nowMs() - begin, version },
    });
    if (dryRun) {
      const carried = { done: asked !== undefined, ...asked };
      return { outcome: outcome(carried, true, isNew ? revision : before!.revision, base?.version ?? 0), carried };
    }
    const written = isNew
      ? await this.#options.writes.run(() => this.#write(name, base, wish, { revision, isNewer, by }))
      : { stored: base!, revision: before!.revision };
    if (isNew) events.add("deployment", name, "info", `revision ${written.revision} (${wish.why}) by ${by}: ${wish.words}`);
    onAccepted?.();
    const carried = await reconciler.wait(written.stored, "there", signal).catch(staysWanted(name, written.revision, before !== undefined));
    const done = action === "none" || action === "scale" ? { done: carried.done } : carried;
    return { outcome: outcome(done, false, written.revision, written.stored.version), carried };
  }

  /** Asks the host what it would do; undefined when it is away. Throws what it refuses. */
  async #dryRun(
    name: string,
    before: DeploymentSpec | undefined,
    { host, spec, replace, versions }: Wish,
    revision: number,
  ): Promise<Omit<Carried, "done"> | undefined> {
    const status = this.#options.observed.get(host).deployments?.get(name);
    const next = status?.state === "running" && !replace ? onlyChange(status.spec, spec) : undefined;
    const key = randomUUID();
    const ask = async (session: HostSession): Promise<Omit<Carried, "done">> => {
      if (next) return { swap: await session.call("swap", { deployment: name, revision, entry: next.name, next, dry_run: true }, { key }) };
      return { deploy: await session.call("deploy", { deployment: name, revision, spec, replace, dry_run: true }, { key }) };
    };
    const asked = await this.#options.whileAsking(host, name, spec, () => this.#ask(host, ask));
    if (!asked && before) await this.#requireSameLayouts(name, before, spec, versions);
    return asked;
  }

  /** Whether flows can go on when layouts differ is for the host to say. */
  async #requireSameLayouts(name: string, before: DeploymentSpec, after: DeploymentSpec, versions: readonly Stored<NfVersion>[]): Promise<void> {
    for (const old of before.chain) {
      const next = after.chain.find((entry) => entry.name === old.name && entry.nf.digest !== old.nf.digest);
      const to = versions.find(({ object }) => object.artifact.digest === next?.nf.digest);
      if (!next || !to) continue;
      const from = await this.#options.artifacts.resolve(tenantOf(name), `${old.nf.name}@sha256:${old.nf.digest}`);
      if (from.object.state.digest === to.object.state.digest) continue;
      throw new NfError(
        "swap.layout",
        `entry '${old.name}': the state layouts of ${old.nf.name}@${old.nf.version} and ${next.nf.version} differ, and the host is away`,
        {
          fix: "Try again when it is there: it knows whether flows can go on. Nothing was changed.",
        },
      );
    }
  }

  async #write(
    name: string,
    base: Stored<Deployment> | undefined,
    wish: Wish,
    { revision, isNewer, by }: { readonly revision: number; readonly isNewer: boolean; readonly by: string },
  ): Promise<Written> {
    const { store, collection, mirror, artifacts, dateMs } = this.#options;
    this.#requireRoomNow(name, wish, await this.#options.tenants.require(tenantOf(name)));
    const { host, scaling, peers, spec, replace, why, versions } = wish;
    // One of them may have been removed since it was looked at.
    if (why === "deploy") for (const one of [host, ...peers.map((peer) => peer.host)]) this.#options.hosts.require(one);
    const at = Math.round(dateMs());
    const next = { revision, at, by: by.slice(0, 128), why, replace, spec };
    const before = base && newestOf(base.object);
    // Other bounds alone are nothing that a host would have to do.
    const revisions = before && isSame(before.spec, spec) && !isNewer ? base.object.revisions : withRevision(base?.object.revisions ?? [], next);
    // A host of that name that is a peer again is another machine.
    const gone = (base?.object.gone ?? []).filter((one) => !peers.some((peer) => peer.host === one));
    const object: Deployment = { host, scaling, peers: [...peers], gone, revisions, ending: false, created: base?.object.created ?? at };
    const uses = [...new Map(versions.map((version) => [version.name, version])).values()];
    const using = uses.map((version) => artifacts.using(version));
    const {
      succeeded,
      results,
      revision: written,
    } = await store.txn({
      if: [base ? collection.ifUnchanged(name, base.version) : collection.ifAbsent(name), ...using.flatMap((parts) => parts.if)],
      then: [collection.put(name, object), ...using.flatMap((parts) => parts.then)],
    });
    if (!succeeded) {
      const now = await collection.find(name);
      if (now?.version !== base?.version) throw stale(name, base, now);
      for (const version of uses) await artifacts.use(version);
      throw stale(name, base, now);
    }
    await mirror.reached(written);
    return { stored: collection.read(results[0]!), revision: revisions.at(-1)!.revision };
  }

  async #requireRoom(name: string, wish: Wish): Promise<void> {
    this.#requireRoomNow(name, wish, await this.#options.tenants.require(tenantOf(name)));
  }

  #requireRoomNow(name: string, { host, spec, scaling }: Wish, tenant: Awaited<ReturnType<Tenants["require"]>>): void {
    const others = [...this.#options.mirror.all].filter((one) => one.name !== name);
    const own = others.filter((one) => tenantOf(one.name) === tenant.name);
    const runtimes = own.reduce((sum, { object }) => sum + object.scaling.min, 0) + scaling.min;
    const { runtimes_max, deployments_max } = tenant.object;
    if (own.length + 1 > deployments_max) throw quota(tenant.name, `${own.length + 1} deployments`, deployments_max);
    if (runtimes > runtimes_max) throw quota(tenant.name, `${runtimes} runtimes at least`, runtimes_max);
    const ifaces = [spec.ports.client.iface, spec.ports.server.iface];
    for (const { name: other, object } of others) {
      if (object.host !== host) continue;
      const { client, server } = newestOf(object).spec.ports;
      const taken = ifaces.find((iface) => iface === client.iface || iface === server.iface);
      if (taken === undefined) continue;
      throw new NfError("cluster.port", `interface ${taken} of host ${host} is ${tenantOf(other) === tenant.name ? other : "another tenant"}'s`, {
        given: taken,
        fix: "Name other interfaces, or undeploy what has them.",
      });
    }
  }

  #nextRevision(name: string, host: string, base: Stored<Deployment> | undefined): number {
    const seen = this.#options.observed.get(host).deployments?.get(name)?.revision ?? 0;
    return Math.max(seen, base ? newestOf(base.object).revision : 0) + 1;
  }

  #hostFor(name: string, given: string | undefined, base: Stored<Deployment> | undefined): string {
    const { hosts } = this.#options;
    const only = hosts.all.length === 1 ? hosts.all[0]!.name : undefined;
    const host = given ?? base?.object.host ?? only;
    if (host === undefined)
      throw new NfError("cluster.host", `it is not said on which host ${name} is to run`, {
        allowed: hosts.all.map((one) => one.name).join(", ") || undefined,
        fix: hosts.all.length === 0 ? "Start a host first: `nfactor up` has one with it." : "Write 'host: <name>'.",
      });
    const known = hosts.require(host);
    if (base && base.object.host !== host)
      throw new NfError("cluster.host", `deployment ${name} is on host ${base.object.host}, where its interfaces are`, {
        given: host,
        allowed: base.object.host,
        fix: "Undeploy it, then deploy it on the other host; or give it another name.",
      });
    if (!base && known.object.cordoned)
      throw new NfError("cluster.host", `host ${host} is cordoned: nothing new comes to it`, { given: host, fix: "Uncordon it, or name another one." });
    return host;
  }

  #peersFor(host: string, peers: Deployment["peers"]): Deployment["peers"] {
    const { hosts } = this.#options;
    for (const peer of peers) hosts.require(peer.host);
    const names = [host, ...peers.map((peer) => peer.host)];
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new NfError("config.field", `peers: host ${twice} is named twice, or is its own host`, { given: twice, fix: "Name each other host once." });
    return peers;
  }

  /** Of all entries but one. */
  async #versionsOf(name: string, { chain }: DeploymentSpec, except?: string): Promise<Stored<NfVersion>[]> {
    const versions: Stored<NfVersion>[] = [];
    for (const entry of chain)
      if (entry.name !== except) versions.push(await this.#options.artifacts.resolve(tenantOf(name), `${entry.nf.name}@sha256:${entry.nf.digest}`));
    return versions;
  }

  async #base(name: string, version: number | undefined): Promise<Stored<Deployment> | undefined> {
    // Version 0 is what something has that is not there.
    const base = version === undefined || version === 0 ? await this.#options.collection.find(name) : await this.#options.collection.get(name);
    if (base) requireVersion(base, version);
    return base;
  }

  async #require(name: string, version: number | undefined): Promise<Stored<Deployment>> {
    requireDeploymentName(name);
    const base = await this.#options.collection.get(name);
    requireVersion(base, version);
    return base;
  }

  /** Undefined when the host is away, or goes meanwhile. */
  async #ask<T>(host: string, call: (session: HostSession) => Promise<T>): Promise<T | undefined> {
    const session = this.#options.sessionOf(host);
    if (!session?.isOpen) return undefined;
    try {
      return await call(session);
    } catch (error) {
      if (!session.isOpen) return undefined;
      throw error;
    }
  }
}

export function away(host: string): NfError {
  return new NfError("cluster.host_away", `host ${host} is not connected`, { given: host, fix: "Try again when it is back: packets flow meanwhile." });
}

function requireVersion(stored: Stored<Deployment>, version: number | undefined): void {
  if (version !== undefined && version !== stored.version) throw stale(stored.name, { version }, stored);
}

function stale(name: string, given: { readonly version: number } | undefined, now: { readonly version: number } | undefined): NfError {
  return new NfError("store.stale", `deployment ${name} was changed meanwhile`, {
    given: given ? `${given.version}` : "none",
    allowed: now ? `${now.version}` : "none",
    fix: "Read it again, and make the change to what it is now.",
  });
}

function quota(tenant: string, what: string, allowed: number): NfError {
  return new NfError("cluster.quota", `tenant ${tenant} would have ${what}`, {
    allowed: `${allowed}`,
    fix: "Make others smaller, or ask the operator for a larger quota.",
  });
}

const shownChain = ({ chain }: DeploymentSpec): string =>
  chain.map(({ name, nf }) => (name === nf.name ? `${name}@${nf.version}` : `${name}=${nf.name}@${nf.version}`)).join(", ");
