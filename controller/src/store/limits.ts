/** Bounds of a store. All of them are within what etcd allows by default, so that what fits one implementation fits the next. */
import { NfError } from "@nfactor/sdk/errors";
import { requireKey, shown } from "./names.ts";
import type { Op, Txn } from "./store.ts";

export interface StoreLimits {
  readonly valueBytes: number;
  /** Of comparisons, and of operations in either list. */
  readonly txnOps: number;
  /** Of all keys and values that a transaction names. */
  readonly txnBytes: number;
  readonly pageEntries: number;
  readonly pageBytes: number;
  readonly watches: number;
  readonly leases: number;
  readonly ttlSeconds: number;
  /** Revisions that stay readable. Up to a quarter more are kept, so that compaction is rare. */
  readonly historyRevisions: number;
  /** Of everything, history included. When it is reached, history goes first, and then `store.full` is what a put gets; deletions go on. */
  readonly bytes: number;
}

export const DEFAULT_LIMITS: StoreLimits = {
  valueBytes: 512 * 1024,
  txnOps: 128,
  txnBytes: 1024 * 1024,
  pageEntries: 1000,
  pageBytes: 4 * 1024 * 1024,
  watches: 1000,
  leases: 10_000,
  ttlSeconds: 86_400,
  historyRevisions: 10_000,
  bytes: 512 * 1024 * 1024,
};

const FIX = "Make it smaller, or several.";

/** Throws NfError (store.limit) unless `given` is a whole number from `least` to `most`. */
export function requireLimit(what: string, given: number, least: number, most: number, fix = FIX): void {
  if (Number.isInteger(given) && given >= least && given <= most) return;
  throw new NfError("store.limit", `${what}: ${given}`, { given: String(given), allowed: `${least} to ${most}`, fix });
}

function requireOps(list: string, ops: readonly Op[], limits: StoreLimits): number {
  requireLimit(`operations of a transaction ('${list}')`, ops.length, 0, limits.txnOps);
  const written = new Set<string>();
  let bytes = 0;
  for (const op of ops) {
    requireKey(op.key);
    bytes += op.key.length;
    if (op.op === "get") continue;
    if (written.has(op.key))
      throw new NfError("store.limit", `a transaction writes ${shown(op.key)} twice ('${list}')`, {
        allowed: "one put or delete of a key",
        fix: "Leave one out.",
      });
    written.add(op.key);
    if (op.op !== "put") continue;
    requireLimit(`bytes of the value of ${shown(op.key)}`, op.value.byteLength, 0, limits.valueBytes);
    bytes += op.value.byteLength;
  }
  return bytes;
}

/** Throws NfError (store.name, store.limit). */
export function requireTxn(txn: Txn, limits: StoreLimits): void {
  const { if: compares = [], then = [], else: otherwise = [] } = txn;
  requireLimit("comparisons of a transaction", compares.length, 0, limits.txnOps);
  let bytes = 0;
  for (const { key, to } of compares) {
    requireKey(key);
    bytes += key.length + (typeof to === "number" ? 0 : to.byteLength);
  }
  bytes += requireOps("then", then, limits) + requireOps("else", otherwise, limits);
  requireLimit("bytes of a transaction", bytes, 0, limits.txnBytes);
}
