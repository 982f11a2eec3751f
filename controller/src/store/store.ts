/**
 * The store: names with values under one global revision, as etcd has them. What the controller is to remember lies here and nowhere else.
 *
 * Every transaction that changes something makes the next revision, and everything it changes bears that number. A reader sees one revision as a whole.
 * Old revisions stay readable, and watches start from any of them, until they are compacted. So whoever keeps up with the store reads it once
 * (`range`), watches from the revision after it, and reads again only after `store.compacted`.
 *
 * Implementations: memory and SQLite (local/, sqlite/); etcd v3 fits as it is. testing/conformance.ts is the contract as tests: an implementation is one
 * that passes. All methods throw NfError of the area `store`, and change nothing when they do. `store.io` alone leaves it open whether a transaction took
 * place; the store is of no use after it and has to be opened again.
 */

/** Positive, below 2^53. 0 stands for "there is none" in comparisons. */
export type Revision = number;

/** Opaque. Never used again, also not after a restart. */
export type LeaseId = string;

/** Bytes belong to the caller that got them. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision in which the key came into being, after its last deletion. */
  readonly createRevision: Revision;
  /** The revision that wrote this value: what optimistic concurrency compares. */
  readonly modRevision: Revision;
  /** How often the key was written since it came into being; 1 at first. */
  readonly version: number;
  /** The lease whose end deletes the key. */
  readonly lease: LeaseId | undefined;
}

/** A key that is absent has 0 in each numeric field; its value is neither equal to anything nor different from it. */
export type Compare =
  | { readonly key: string; readonly field: "create" | "mod" | "version"; readonly is: "=" | "!=" | "<" | ">"; readonly to: number }
  | { readonly key: string; readonly field: "value"; readonly is: "=" | "!="; readonly to: Uint8Array };

/** In a list of operations each sees what those before it did. A put without a lease takes the key off the one it was bound to. */
export type Op =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "put"; readonly key: string; readonly value: Uint8Array; readonly lease?: LeaseId | undefined }
  | { readonly op: "delete"; readonly key: string };

/** Comparisons and both lists of operations name at most `txnOps` keys each; no list writes a key twice. */
export interface Txn {
  readonly if?: readonly Compare[];
  readonly then?: readonly Op[];
  readonly else?: readonly Op[];
}

export interface TxnResult {
  /** Whether all comparisons held, and so which list was carried out. */
  readonly succeeded: boolean;
  /** The store's after the transaction: a new one when something changed. */
  readonly revision: Revision;
  /** One for each operation: what `get` found; what `delete` deleted; of `put` the entry as it now is. */
  readonly results: readonly (Entry | undefined)[];
}

export interface GetResult {
  readonly revision: Revision;
  readonly entry: Entry | undefined;
}

export interface RangeQuery {
  /** "" for everything, or segments that end with a slash. */
  readonly prefix: string;
  /** At most this many entries, `pageEntries` by default and at most; a page is also cut, after an entry at least, at `pageBytes`. */
  readonly limit?: number;
  /** Begin behind this key: `next` of the page before. Give the revision of that page too, or pages may be of different ones. */
  readonly after?: string | undefined;
  readonly revision?: Revision | undefined;
}

export interface RangeResult {
  /** Of what was read; the store's own may be higher when one was asked for. */
  readonly revision: Revision;
  /** In order of their keys. */
  readonly entries: readonly Entry[];
  /** There when there are more: `after` of the next page. */
  readonly next: string | undefined;
}

export type WatchTarget = { readonly key: string } | { readonly prefix: string };

export type Change = { readonly type: "put"; readonly entry: Entry } | { readonly type: "delete"; readonly key: string; readonly revision: Revision };

/** All that one revision changed of what is watched, in the order of its operations. */
export interface Changes {
  readonly revision: Revision;
  readonly changes: readonly Change[];
}

/**
 * Revisions in order, none twice, none left out. Nothing is queued for a reader that is slow: it reads the store's history, and fails with `store.compacted`
 * when that no longer reaches back to where it stands. One reader for each watch. Leaving the loop, or close(), ends it.
 */
export interface Watch extends AsyncIterableIterator<Changes> {
  close(): void;
}

export interface Lease {
  readonly lease: LeaseId;
  /** From now on, unless it is kept alive. An implementation may give more than was asked for. */
  readonly ttlSeconds: number;
}

/** What the store holds, and its bounds are measured by. */
export interface StoreStatus {
  readonly revision: Revision;
  /** Up to here history is gone: reads from this revision on and watches from the next one on are possible. 0: nothing was compacted. */
  readonly compacted: Revision;
  readonly entries: number;
  /** Of keys and values, history included. */
  readonly bytes: number;
  readonly leases: number;
  readonly watches: number;
}

export interface Store {
  /** Throws store.name, store.compacted, store.future. */
  get(key: string, options?: { readonly revision?: Revision | undefined }): Promise<GetResult>;

  /** Throws store.name, store.limit, store.compacted, store.future. */
  range(query: RangeQuery): Promise<RangeResult>;

  /**
   * Compares and carries out one list, as one. When the promise is fulfilled, all of it is on disk; when it is rejected, nothing of it.
   * Throws store.name, store.limit (too many operations or bytes, a key written twice), store.lease, store.full, store.io.
   */
  txn(txn: Txn): Promise<TxnResult>;

  /** From revision `from` on (it may be one to come), or from the next change on. Throws store.name, store.limit, store.compacted. */
  watch(target: WatchTarget, options?: { readonly from?: Revision | undefined }): Promise<Watch>;

  /** Throws store.limit. */
  grantLease(ttlSeconds: number): Promise<Lease>;

  /** Its time begins anew. Throws store.lease when it is over. */
  keepAlive(lease: LeaseId): Promise<Lease>;

  /** Ends it and deletes its keys, as its time does when it runs out: as one revision. Throws store.lease. */
  revokeLease(lease: LeaseId): Promise<void>;

  /** Gives up the history before `revision`; nothing happens when that is gone already. Throws store.future. */
  compact(revision: Revision): Promise<void>;

  status(): Promise<StoreStatus>;

  /** Watches fail with store.closed, as everything does that is called afterwards. Leases live on, and have their whole time again when it is opened. */
  close(): Promise<void>;
}

/** The key has never been there, or was deleted. */
export const isAbsent = (key: string): Compare => ({ key, field: "create", is: "=", to: 0 });

export const isPresent = (key: string): Compare => ({ key, field: "create", is: ">", to: 0 });

/** Nobody has written the key since it was read. */
export const isUnchanged = (key: string, modRevision: Revision): Compare => ({ key, field: "mod", is: "=", to: modRevision });
