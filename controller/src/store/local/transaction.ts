/** What a transaction does, worked out before anything is written: comparisons, and the versions that its operations make of the next revision. */
import type { Compare, Entry, LeaseId, Op, Revision } from "../store.ts";
import type { LiveVersion, Version } from "./backend.ts";

/** A copy, also of a Buffer, whose slice() is none: what the caller does with its bytes changes nothing here. */
export function entryOf(version: LiveVersion): Entry {
  const { key, value, createRevision, modRevision, version: count, lease } = version;
  return { key, value: new Uint8Array(value), createRevision, modRevision, version: count, lease };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}

export function holds(compare: Compare, found: LiveVersion | undefined): boolean {
  if (compare.field === "value") return found !== undefined && sameBytes(found.value, compare.to) === (compare.is === "=");
  const numbers = { create: found?.createRevision ?? 0, mod: found?.modRevision ?? 0, version: found?.version ?? 0 };
  const given = numbers[compare.field];
  switch (compare.is) {
    case "=":
      return given === compare.to;
    case "!=":
      return given !== compare.to;
    case "<":
      return given < compare.to;
    case ">":
      return given > compare.to;
  }
}

export interface Worked {
  readonly versions: readonly Version[];
  readonly results: readonly (Entry | undefined)[];
  /** Leases that keys leave, and those that they come to. */
  readonly unbound: readonly { readonly key: string; readonly lease: LeaseId }[];
  readonly bound: readonly { readonly key: string; readonly lease: LeaseId }[];
}

/** `find` is the store before the transaction, `revision` the one that it makes. */
export function workOut(ops: readonly Op[], find: (key: string) => LiveVersion | undefined, revision: Revision): Worked {
  const made = new Map<string, Version>();
  const results: (Entry | undefined)[] = [];
  const unbound: { key: string; lease: LeaseId }[] = [];
  const bound: { key: string; lease: LeaseId }[] = [];
  const now = (key: string): LiveVersion | undefined => {
    const version = made.get(key);
    if (!version) return find(key);
    return version.value === undefined ? undefined : (version as LiveVersion);
  };
  for (const op of ops) {
    const before = now(op.key);
    if (op.op === "get") {
      results.push(before && entryOf(before));
      continue;
    }
    if (before?.lease !== undefined) unbound.push({ key: op.key, lease: before.lease });
    if (op.op === "delete") {
      results.push(before && entryOf(before));
      if (before) made.set(op.key, { key: op.key, modRevision: revision, createRevision: 0, version: 0, lease: undefined, value: undefined });
      continue;
    }
    const version: LiveVersion = {
      key: op.key,
      modRevision: revision,
      createRevision: before?.createRevision ?? revision,
      version: (before?.version ?? 0) + 1,
      lease: op.lease,
      value: new Uint8Array(op.value),
    };
    if (op.lease !== undefined) bound.push({ key: op.key, lease: op.lease });
    made.set(op.key, version);
    results.push(entryOf(version));
  }
  return { versions: [...made.values()], results, unbound, bound };
}
