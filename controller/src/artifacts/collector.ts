/**
 * Garbage collection: takes versions that nobody has used for a while, and blobs that no version has.
 *
 * A collection reads all versions with their uses, and only then asks who uses them. A version that is found unused is marked with the date; the mark goes when
 * it is used or found in use. One whose mark is older than the grace is deleted, if nobody has used it since it was read (records.ts). So what is deleted was
 * unused at two collections at least, with the grace between them, and nobody began to use it since.
 */
import type { BlobStore } from "./blob_store.ts";
import { type Records, type VersionAndUse, blobsOf } from "./records.ts";
import { type ReferenceSource, References } from "./references.ts";

export interface CollectOptions {
  /** How long nobody has to have used a version. */
  readonly graceMs: number;
  /** Of each NF, so many of those that were pushed last stay, used or not. */
  readonly keep: number;
}

export const DEFAULT_COLLECT: CollectOptions = { graceMs: 7 * 24 * 3_600_000, keep: 5 };

export interface Collected {
  /** `<tenant>/<nf>/<version>` of those that are gone. */
  readonly versions: readonly string[];
  readonly blobs: number;
  readonly bytes: number;
  /** How many stay for which reason. `marked` wait for the end of their grace; `contested` were used, pushed or deleted during the collection. */
  readonly stay: { readonly inUse: number; readonly kept: number; readonly marked: number; readonly contested: number };
}

export interface CollectorParts {
  readonly records: Records;
  readonly blobs: BlobStore;
  readonly sources: readonly ReferenceSource[];
  readonly dateMs: () => number;
}

/** Throws NfError (artifact.uncertain, artifact.io, and what Store.txn() throws); what was done until then stays done. */
export async function collect({ records, blobs, sources, dateMs }: CollectorParts, { graceMs, keep }: CollectOptions): Promise<Collected> {
  const found = await records.all();
  const references = await References.ask(sources);
  const kept = newestOfEach(found, keep);
  const stay = { inUse: 0, kept: 0, marked: 0, contested: 0 };
  const gone: string[] = [];
  const freed = { blobs: 0, bytes: 0 };
  for (const each of found) {
    const { object, name } = each.version;
    const { idleSinceMs } = each.use.object;
    if (references.userOf(object) !== undefined) {
      if (idleSinceMs !== undefined) await records.setIdle(each, undefined);
      stay.inUse += 1;
    } else if (kept.has(name)) {
      stay.kept += 1;
    } else if (idleSinceMs === undefined || idleSinceMs > dateMs()) {
      // Also when the date was set back: better late than too early.
      stay[(await records.setIdle(each, dateMs())) ? "marked" : "contested"] += 1;
    } else if (dateMs() - idleSinceMs < graceMs) {
      stay.marked += 1;
    } else if (await records.remove(each)) {
      gone.push(name);
      for (const { digest } of blobsOf(object)) count(freed, await removeBlob(records, blobs, digest));
    } else {
      stay.contested += 1;
    }
  }
  await removeStrays(records, blobs, dateMs() - graceMs, freed);
  return { versions: gone, ...freed, stay };
}

/** Returns the bytes that became free. */
export function removeBlob(records: Records, blobs: BlobStore, digest: string): Promise<number> {
  return blobs.removeUnless(digest, () => records.isBlobUsed(digest));
}

/** What uploads and deletions have left that were cut off: blobs that no version has, as long as they are old, and files of ended uploads. */
async function removeStrays(records: Records, blobs: BlobStore, beforeMs: number, freed: { blobs: number; bytes: number }): Promise<void> {
  await blobs.sweep();
  const used = await records.usedBlobs();
  for (const { digest, sinceMs } of blobs.list()) if (!used.has(digest) && sinceMs <= beforeMs) count(freed, await removeBlob(records, blobs, digest));
}

function count(freed: { blobs: number; bytes: number }, bytes: number): void {
  if (bytes === 0) return;
  freed.blobs += 1;
  freed.bytes += bytes;
}

function newestOfEach(found: readonly VersionAndUse[], keep: number): Set<string> {
  const ofNf = new Map<string, VersionAndUse[]>();
  for (const each of found) {
    const nf = each.version.name.slice(0, each.version.name.lastIndexOf("/"));
    ofNf.set(nf, [...(ofNf.get(nf) ?? []), each]);
  }
  const newest = [...ofNf.values()].flatMap((versions) => versions.sort((a, b) => b.version.createRevision - a.version.createRevision).slice(0, keep));
  return new Set(newest.map(({ version }) => version.name));
}
