/**
 * A store of this process over a backend: all there is to say about transactions, leases, watches and bounds, once for memory and SQLite.
 *
 * Each method does its work in one go, without waiting for anything, before it returns its promise; so calls take place in the order in which they are made.
 * Leases whose time is over end before anything else happens: no call sees a key of one.
 */
import { NfError } from "@nfactor/sdk/errors";
import { type Clock, systemClock } from "@nfactor/host/clock";
import { DEFAULT_LIMITS, type StoreLimits, requireLimit, requireTxn } from "../limits.ts";
import { type KeyRange, keyAfter, rangeOfKey, rangeOfPrefix, requireKey, requirePrefix, shown } from "../names.ts";
import type {
  Change,
  Changes,
  Entry,
  GetResult,
  Lease,
  LeaseId,
  RangeQuery,
  RangeResult,
  Revision,
  Store,
  StoreStatus,
  Txn,
  TxnResult,
  Watch,
  WatchTarget,
} from "../store.ts";
import { type Backend, type Version, versionBytes } from "./backend.ts";
import { Leases } from "./leases.ts";
import { LocalWatch, type WatchSource } from "./local_watch.ts";
import { entryOf, holds, workOut } from "./transaction.ts";

const RETRY_MS = 1000;

export interface LocalStoreOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<StoreLimits>;
}

export class LocalStore implements Store {
  readonly #backend: Backend;
  readonly #limits: StoreLimits;
  readonly #leases: Leases;
  readonly #watches = new Set<LocalWatch>();
  readonly #source: WatchSource;
  /** What the last revision changed: watches that wait need not read it, each for itself, from the backend. */
  #last: readonly Version[] = [];
  /** Why nothing works any more. */
  #failure: NfError | undefined;

  constructor(backend: Backend, { clock = systemClock, limits = {} }: LocalStoreOptions = {}) {
    this.#backend = backend;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#leases = new Leases(clock, backend.leases(), () => this.#onDue());
    this.#source = {
      get revision() {
        return backend.revision;
      },
      changesFrom: (range, from) => this.#changesFrom(range, from),
      forget: (watch) => this.#watches.delete(watch),
    };
  }

  async get(key: string, { revision }: { readonly revision?: Revision | undefined } = {}): Promise<GetResult> {
    requireKey(key);
    this.#begin();
    this.#requireReadable(revision);
    const found = this.#guard(() => this.#backend.find(key, revision));
    return { revision: revision ?? this.#backend.revision, entry: found && entryOf(found) };
  }

  async range({ prefix, limit = this.#limits.pageEntries, after, revision }: RangeQuery): Promise<RangeResult> {
    requirePrefix(prefix);
    requireLimit("entries of a page", limit, 1, this.#limits.pageEntries, "Ask for the rest with 'after'.");
    if (after !== undefined) requireKey(after);
    if (after !== undefined && !after.startsWith(prefix))
      throw new NfError("store.name", `the page begins behind ${shown(after)}`, {
        allowed: `keys that begin with ${shown(prefix)}`,
        fix: "Use 'next' of the page before.",
      });
    this.#begin();
    this.#requireReadable(revision);
    const { lower, upper } = rangeOfPrefix(prefix);
    const range = { lower: after === undefined ? lower : keyAfter(after), upper };
    const { entries, hasMore } = this.#guard(() => this.#page(range, revision, limit));
    return { revision: revision ?? this.#backend.revision, entries, next: hasMore ? entries.at(-1)!.key : undefined };
  }

  #page(range: KeyRange, at: Revision | undefined, limit: number): { entries: Entry[]; hasMore: boolean } {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const version of this.#backend.scan(range, at)) {
      bytes += versionBytes(version.key, version.value);
      if (entries.length === limit || (entries.length > 0 && bytes > this.#limits.pageBytes)) return { entries, hasMore: true };
      entries.push(entryOf(version));
    }
    return { entries, hasMore: false };
  }

  async txn(txn: Txn): Promise<TxnResult> {
    requireTxn(txn, this.#limits);
    this.#begin();
    const find = (key: string) => this.#guard(() => this.#backend.find(key));
    const succeeded = (txn.if ?? []).every((compare) => holds(compare, find(compare.key)));
    const ops = (succeeded ? txn.then : txn.else) ?? [];
    for (const op of ops) if (op.op === "put" && op.lease !== undefined) this.#leases.require(op.lease);
    const { versions, results, unbound, bound } = workOut(ops, find, this.#backend.revision + 1);
    if (versions.some(({ value }) => value !== undefined)) this.#makeRoom(versions);
    this.#append(versions);
    for (const { key, lease } of unbound) this.#leases.unbind(key, lease);
    for (const { key, lease } of bound) this.#leases.bind(key, lease);
    return { succeeded, revision: this.#backend.revision, results };
  }

  async watch(target: WatchTarget, { from }: { readonly from?: Revision | undefined } = {}): Promise<Watch> {
    if ("key" in target) requireKey(target.key);
    else requirePrefix(target.prefix);
    this.#begin();
    requireLimit("watches of the store", this.#watches.size + 1, 1, this.#limits.watches, "Close one that nobody reads.");
    const first = from ?? this.#backend.revision + 1;
    this.#requireHistory(first);
    const watch = new LocalWatch(this.#source, "key" in target ? rangeOfKey(target.key) : rangeOfPrefix(target.prefix), first);
    this.#watches.add(watch);
    return watch;
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    requireLimit("seconds of a lease", ttlSeconds, 1, this.#limits.ttlSeconds, "Ask for another time.");
    this.#begin();
    requireLimit("leases of the store", this.#leases.count + 1, 1, this.#limits.leases, "End one that nobody needs.");
    const lease = this.#guard(() => this.#backend.addLease(ttlSeconds));
    this.#leases.add(lease, ttlSeconds);
    return { lease, ttlSeconds };
  }

  async keepAlive(lease: LeaseId): Promise<Lease> {
    this.#begin();
    return { lease, ttlSeconds: this.#leases.renew(lease) };
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    this.#begin();
    this.#leases.require(lease);
    this.#endLease(lease);
  }

  async compact(revision: Revision): Promise<void> {
    requireRevision(revision);
    this.#begin();
    if (revision > this.#backend.revision) this.#refuseFuture(revision);
    if (revision > this.#backend.compacted) this.#guard(() => this.#backend.compact(revision));
  }

  async status(): Promise<StoreStatus> {
    this.#begin();
    const { revision, compacted, entries, bytes } = this.#backend;
    return { revision, compacted, entries, bytes, leases: this.#leases.count, watches: this.#watches.size };
  }

  async close(): Promise<void> {
    if (this.#failure?.code === "store.closed") return;
    this.#fail(new NfError("store.closed", "the store is closed", { fix: "Open it again." }));
    this.#backend.close();
  }

  #onDue(): void {
    try {
      if (!this.#failure) this.#begin();
    } catch {
      // Whoever calls next is told. A full disk may have room again by then.
      if (!this.#failure) this.#leases.tryAgainIn(RETRY_MS);
    }
  }

  /** What comes before each call: a broken store does nothing, and leases that are over end. */
  #begin(): void {
    if (this.#failure) throw this.#failure;
    for (let lease = this.#leases.due(); lease !== undefined; lease = this.#leases.due()) this.#endLease(lease);
  }

  #endLease(lease: LeaseId): void {
    const revision = this.#backend.revision + 1;
    const ops = this.#leases.keysOf(lease).map((key) => ({ op: "delete", key }) as const);
    const { versions } = workOut(ops, (key) => this.#guard(() => this.#backend.find(key)), revision);
    this.#append(versions, lease);
    this.#leases.remove(lease);
  }

  #append(versions: readonly Version[], endedLease?: LeaseId): void {
    if (versions.length === 0 && endedLease === undefined) return;
    this.#guard(() => this.#backend.append(versions, endedLease));
    if (versions.length > 0) this.#last = versions;
    // Watches that wait look now, before anybody can write again: they are never behind.
    for (const watch of [...this.#watches]) watch.look();
    this.#trimHistory();
  }

  #trimHistory(): void {
    const { revision, compacted } = this.#backend;
    const { historyRevisions } = this.#limits;
    if (revision - compacted <= historyRevisions + Math.ceil(historyRevisions / 4)) return;
    try {
      this.#guard(() => this.#backend.compact(revision - historyRevisions));
    } catch (error) {
      // What was to be written is, and says so. A store that broke here tells the next caller; a full disk leaves more history for a while.
      if (!(error instanceof NfError)) throw error;
    }
  }

  /** History goes before a put is refused. */
  #makeRoom(versions: readonly Version[]): void {
    const more = versions.reduce((sum, { key, value }) => sum + versionBytes(key, value), 0);
    if (this.#backend.bytes + more <= this.#limits.bytes) return;
    if (this.#backend.compacted < this.#backend.revision) this.#guard(() => this.#backend.compact(this.#backend.revision));
    if (this.#backend.bytes + more <= this.#limits.bytes) return;
    throw new NfError("store.full", `the store has ${this.#backend.bytes} bytes and was to take ${more} more`, {
      given: String(this.#backend.bytes + more),
      allowed: `${this.#limits.bytes} bytes`,
      fix: "Delete what is not needed any more, or raise the bound of the store.",
    });
  }

  #changesFrom(range: KeyRange, from: Revision): Changes | undefined {
    this.#requireHistory(from);
    const { lower, upper } = range;
    const isLast = from === this.#last[0]?.modRevision;
    const versions = isLast ? this.#last.filter(({ key }) => key >= lower && key < upper) : this.#guard(() => this.#backend.changes(range, from));
    if (!versions[0]) return undefined;
    const changes = versions.map((version): Change => {
      const { value, key, modRevision } = version;
      return value === undefined ? { type: "delete", key, revision: modRevision } : { type: "put", entry: entryOf({ ...version, value }) };
    });
    return { revision: versions[0].modRevision, changes };
  }

  #requireHistory(from: Revision): void {
    requireRevision(from);
    if (from <= this.#backend.compacted) this.#refuseCompacted(from, this.#backend.compacted + 1);
  }

  #requireReadable(revision: Revision | undefined): void {
    if (revision === undefined) return;
    requireRevision(revision);
    if (revision > this.#backend.revision) this.#refuseFuture(revision);
    if (revision < this.#backend.compacted) this.#refuseCompacted(revision, this.#backend.compacted);
  }

  #refuseCompacted(given: Revision, first: Revision): never {
    throw new NfError("store.compacted", `revision ${given} is no longer kept`, {
      given: String(given),
      allowed: `${first} and later`,
      fix: "Read everything again, and watch from the revision after that.",
    });
  }

  #refuseFuture(given: Revision): never {
    throw new NfError("store.future", `revision ${given} has not been made yet`, {
      given: String(given),
      allowed: `up to ${this.#backend.revision}`,
      fix: "Leave the revision out for the newest. If it was made once, this is another store, or an older copy of it.",
    });
  }

  /** After these errors of a backend it is not known what it holds. */
  #guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof NfError && (error.code === "store.io" || error.code === "store.damaged")) this.#fail(error);
      throw error;
    }
  }

  #fail(error: NfError): void {
    this.#failure = error;
    this.#leases.close();
    for (const watch of [...this.#watches]) watch.fail(error);
  }
}

function requireRevision(revision: Revision): void {
  requireLimit("revision", revision, 1, Number.MAX_SAFE_INTEGER, "Use a revision that the store gave.");
}
