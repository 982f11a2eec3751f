/**
 * Where a LocalStore keeps what it has: versions of keys by revision, and leases. A backend knows nothing of transactions, names, watches or time; each of its
 * writing methods takes place as a whole or throws and leaves everything as it was.
 */
import type { KeyRange } from "../names.ts";
import type { LeaseId, Revision } from "../store.ts";

/** What a revision made of a key. */
export interface Version {
  readonly key: string;
  readonly modRevision: Revision;
  /** 0 and 0 when the revision deleted it. */
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: LeaseId | undefined;
  /** Undefined when the revision deleted it. */
  readonly value: Uint8Array | undefined;
}

/** A version that is no deletion. */
export type LiveVersion = Version & { readonly value: Uint8Array };

export interface KeptLease {
  readonly lease: LeaseId;
  readonly ttlSeconds: number;
  readonly keys: readonly string[];
}

export interface Backend {
  /** 1 when nothing was ever written, as in etcd. */
  readonly revision: Revision;
  readonly compacted: Revision;
  /** Keys that are there now. */
  readonly entries: number;
  /** versionBytes() of all versions. */
  readonly bytes: number;

  /** The key as it was in that revision, or is now. Undefined when it was absent. */
  find(key: string, at?: Revision): LiveVersion | undefined;
  /** In order of keys, as they were in that revision or are now. The caller stops when it has enough, and calls nothing else before. */
  scan(range: KeyRange, at: Revision | undefined): Iterable<LiveVersion>;
  /** The versions of the first revision from `from` on that changed a key of the range, in the order they were written; none when there is none. */
  changes(range: KeyRange, from: Revision): readonly Version[];

  /** Writes the versions of the next revision, one of a key, whose values are the store's own from now on; with them a lease ends that is named. */
  append(versions: readonly Version[], endedLease?: LeaseId): void;
  addLease(ttlSeconds: number): LeaseId;
  leases(): readonly KeptLease[];
  /** Forgets versions that no revision from this one on can see. */
  compact(revision: Revision): void;
  close(): void;
}

/** What a version counts against the bound of a store: its bytes, and about what is kept beside them. */
export const versionBytes = (key: string, value: Uint8Array | undefined): number => key.length + (value?.byteLength ?? 0) + 64;

export const FIRST_REVISION: Revision = 1;
