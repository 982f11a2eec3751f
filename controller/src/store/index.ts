/** The store, as the rest of the controller sees it. */
import { LocalStore, type LocalStoreOptions } from "./local/local_store.ts";
import { MemoryBackend } from "./local/memory_backend.ts";
import { openDatabase } from "./sqlite/database_file.ts";
import { SqliteBackend } from "./sqlite/sqlite_backend.ts";
import type { Store } from "./store.ts";

export { type Clock, systemClock } from "@nfactor/host/clock";
export { Collection, type CollectionChange, type CollectionChanges, type CollectionWatch, type Kind, type Stored, requireUnchanged } from "./collection.ts";
export { DEFAULT_LIMITS, type StoreLimits } from "./limits.ts";
export type { LocalStoreOptions as StoreOptions } from "./local/local_store.ts";
export * from "./store.ts";

/** Nothing of it outlives the process. */
export function openMemoryStore(options: LocalStoreOptions = {}): Store {
  return new LocalStore(new MemoryBackend(), options);
}

/**
 * The store in this file, which is made with its folder when it is not there. A file has one process at a time, and in it one store.
 * Throws NfError (store.locked, store.format, store.damaged, store.io, store.full, native.missing); a file that cannot be opened is left as it is.
 */
export function openSqliteStore(path: string, options: LocalStoreOptions = {}): Store {
  return new LocalStore(new SqliteBackend(path, openDatabase(path)), options);
}
