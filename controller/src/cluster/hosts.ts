/**
 * The hosts of a cluster: known from their first connection on, there while they keep their lease, connected while they have a session. A lease outlasts its
 * connection, so that a short break is no failure; when it runs out, the host is lost, and what was on it is taken for dead. A controller that was away takes
 * nobody for lost: the store gives every lease its whole time again.
 */
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type LeaseId, type Revision, type Store, type Stored } from "../store/index.ts";
import { HOST, HOST_ALIVE, HOST_SEEN, type Host, type HostAlive } from "./kinds.ts";
import type { EventLog } from "./event_log.ts";
import { Mirror } from "./mirror.ts";

export const LEASE_SECONDS = 30;

export interface HostsOptions {
  readonly store: Store;
  readonly dateMs: () => number;
  readonly events: EventLog;
  readonly onChange: (host: string) => void;
  readonly onTrouble: (why: NfError) => void;
}

export class Hosts {
  readonly #options: HostsOptions;
  readonly #hosts: Collection<Host>;
  readonly #lives: Collection<HostAlive>;
  readonly #leases = new Map<string, LeaseId>();
  #known!: Mirror<Host>;
  #alive!: Mirror<HostAlive>;

  private constructor(options: HostsOptions) {
    this.#options = options;
    this.#hosts = new Collection(options.store, HOST);
    this.#lives = new Collection(options.store, HOST_ALIVE);
  }

  static async open(options: HostsOptions): Promise<Hosts> {
    const hosts = new Hosts(options);
    const { entries } = await options.store.range({ prefix: HOST_ALIVE.prefix });
    for (const { key, lease } of entries) if (lease !== undefined) hosts.#leases.set(key.slice(HOST_ALIVE.prefix.length), lease);
    hosts.#known = await Mirror.open(hosts.#hosts, (name) => options.onChange(name), options.onTrouble);
    hosts.#alive = await Mirror.open(hosts.#lives, (name, now) => hosts.#onAlive(name, now !== undefined), options.onTrouble);
    return hosts;
  }

  get all(): readonly Stored<Host>[] {
    return [...this.#known.all].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): Stored<Host> | undefined {
    return this.#known.get(name);
  }

  /** Throws NfError (store.not_found). */
  require(name: string): Stored<Host> {
    const known = this.#known.get(name);
    if (known) return known;
    const names = this.all.map((host) => host.name);
    throw new NfError("store.not_found", `there is no host '${name}'`, {
      given: name,
      allowed: names.length === 0 ? undefined : names.slice(0, 20).join(", "),
      fix: names.length === 0 ? "Start one: `nfactor up` has one with it, `nfactor host` is one." : "Name one that has joined.",
    });
  }

  isLeased(name: string): boolean {
    return this.#alive.get(name) !== undefined;
  }

  /** It is there, and has its whole time again. */
  async keepAlive(name: string): Promise<void> {
    await this.know(name);
    const { store, dateMs } = this.#options;
    const lease = this.#leases.get(name);
    if (lease !== undefined) {
      try {
        await store.keepAlive(lease);
        return;
      } catch (error) {
        if (!(error instanceof NfError) || error.code !== "store.lease") throw error;
      }
    }
    const granted = (await store.grantLease(LEASE_SECONDS)).lease;
    const op = this.#lives.put(name, { since: Math.round(dateMs()) });
    const { revision } = await store.txn({ then: [op.op === "put" ? { ...op, lease: granted } : op] });
    this.#leases.set(name, granted);
    await this.#alive.reached(revision);
  }

  /** From now on. */
  async know(name: string): Promise<void> {
    if (this.#known.get(name)) return;
    const { store, dateMs, events } = this.#options;
    const { succeeded, revision } = await store.txn({
      if: [this.#hosts.ifAbsent(name)],
      then: [this.#hosts.put(name, { cordoned: false, joined: Math.round(dateMs()) })],
    });
    if (!succeeded) return;
    events.add("host", name, "info", "it has joined");
    await this.#known.reached(revision);
  }

  /** Throws NfError (store.stale, store.not_found). */
  async change(name: string, change: (host: Host) => Host, version: Revision | undefined): Promise<Stored<Host>> {
    const stored =
      version === undefined ? await this.#hosts.modify(name, change) : await this.#hosts.update(name, change((await this.#hosts.get(name)).object), version);
    await this.#known.reached(stored.version);
    return stored;
  }

  /** Nothing is known of it any more. */
  async remove(name: string): Promise<void> {
    const { revision } = await this.#options.store.txn({
      then: [HOST.prefix, HOST_ALIVE.prefix, HOST_SEEN.prefix].map((prefix) => ({ op: "delete", key: prefix + name })),
    });
    this.#leases.delete(name);
    await this.#known.reached(revision);
  }

  close(): void {
    this.#known.close();
    this.#alive.close();
  }

  #onAlive(name: string, isAlive: boolean): void {
    const { events, onChange } = this.#options;
    if (!isAlive) {
      this.#leases.delete(name);
      if (this.#known.get(name)) events.add("host", name, "error", `it is lost: nothing was heard of it for ${LEASE_SECONDS} s`);
    } else events.add("host", name, "info", "it is there");
    onChange(name);
  }
}
