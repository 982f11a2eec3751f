/** What tests of stores need: bytes from text, operations, and a store as plain data. */
import type { Entry, Op, Store, StoreStatus, WatchTarget } from "../store.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);
export const put = (key: string, value = "", lease?: string): Op => ({ op: "put", key, value: bytes(value), lease });
export const del = (key: string): Op => ({ op: "delete", key });

/** An entry in short: `key=value @created/modified #version lease`. */
export function inShort(entry: Entry | undefined): string | undefined {
  if (!entry) return undefined;
  const { key, value, createRevision, modRevision, version, lease } = entry;
  return `${key}=${Buffer.from(value).toString("latin1")} @${createRevision}/${modRevision} #${version}${lease === undefined ? "" : ` ${lease}`}`;
}

/** Everything in it at a revision, in short. */
export async function contents(store: Store, revision?: number): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await store.range({ prefix: "", limit: 7, after, revision });
    found.push(...page.entries.map((entry) => inShort(entry)!));
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** What a watch from a revision has to tell by now, in short. */
export async function history(store: Store, from: number, target: WatchTarget = { prefix: "" }): Promise<string[]> {
  const { revision: until } = await store.status();
  const found: string[] = [];
  const watch = await store.watch(target, { from });
  try {
    while (from <= until) {
      const next = await Promise.race([watch.next(), new Promise<undefined>((done) => setImmediate(done, undefined))]);
      if (!next || next.done) break;
      for (const change of next.value.changes) {
        found.push(change.type === "put" ? inShort(change.entry)! : `${change.key} deleted @${change.revision}`);
        if ((change.type === "put" ? change.entry.modRevision : change.revision) !== next.value.revision) throw new Error("a change of another revision");
      }
      from = next.value.revision + 1;
    }
    return found;
  } finally {
    watch.close();
  }
}

/** All that can be read of it, without what belongs to one process. */
export async function everything(store: Store): Promise<{ status: Omit<StoreStatus, "watches">; contents: string[]; history: string[] }> {
  const { revision, compacted, entries, bytes, leases } = await store.status();
  const status = { revision, compacted, entries, bytes, leases };
  return { status, contents: await contents(store), history: await history(store, status.compacted + 1) };
}
