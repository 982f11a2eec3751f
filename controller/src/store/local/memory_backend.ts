/** Versions in memory: for tests and simulations, and as the plain statement of what SQLite has to do. Nothing outlives the process. */
import type { KeyRange } from "../names.ts";
import type { LeaseId, Revision } from "../store.ts";
import { type Backend, FIRST_REVISION, type KeptLease, type LiveVersion, type Version, versionBytes } from "./backend.ts";

const isLive = (version: Version | undefined): version is LiveVersion => version?.value !== undefined;

/** The first index at which `isBehind` holds; it holds from there on. */
function lowerBound<T>(list: readonly T[], isBehind: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBehind(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class MemoryBackend implements Backend {
  revision = FIRST_REVISION;
  compacted = 0;
  entries = 0;
  bytes = 0;
  /** In the order they were written. */
  #log: Version[] = [];
  /** The same by key, each list in order of revisions. */
  readonly #byKey = new Map<string, Version[]>();
  /** Keys of #byKey in order. */
  readonly #keys: string[] = [];
  readonly #leases = new Map<LeaseId, number>();
  #lastLease = 0;

  find(key: string, at: Revision = this.revision): LiveVersion | undefined {
    const found = this.#byKey.get(key)?.findLast(({ modRevision }) => modRevision <= at);
    return isLive(found) ? found : undefined;
  }

  *scan({ lower, upper }: KeyRange, at: Revision | undefined): Iterable<LiveVersion> {
    for (let i = lowerBound(this.#keys, (key) => key >= lower); i < this.#keys.length && this.#keys[i]! < upper; i++) {
      const found = this.find(this.#keys[i]!, at);
      if (found) yield found;
    }
  }

  changes({ lower, upper }: KeyRange, from: Revision): readonly Version[] {
    const found: Version[] = [];
    for (let i = lowerBound(this.#log, ({ modRevision }) => modRevision >= from); i < this.#log.length; i++) {
      const version = this.#log[i]!;
      if (found[0] && found[0].modRevision !== version.modRevision) break;
      if (version.key >= lower && version.key < upper) found.push(version);
    }
    return found;
  }

  append(versions: readonly Version[], endedLease?: LeaseId): void {
    for (const kept of versions) {
      this.entries += Number(isLive(kept)) - Number(this.find(kept.key) !== undefined);
      this.bytes += versionBytes(kept.key, kept.value);
      this.#log.push(kept);
      this.#versionsOf(kept.key).push(kept);
    }
    if (versions.length > 0) this.revision += 1;
    if (endedLease !== undefined) this.#leases.delete(endedLease);
  }

  #versionsOf(key: string): Version[] {
    let versions = this.#byKey.get(key);
    if (versions) return versions;
    versions = [];
    this.#byKey.set(key, versions);
    this.#keys.splice(
      lowerBound(this.#keys, (other) => other > key),
      0,
      key,
    );
    return versions;
  }

  addLease(ttlSeconds: number): LeaseId {
    this.#lastLease += 1;
    this.#leases.set(String(this.#lastLease), ttlSeconds);
    return String(this.#lastLease);
  }

  leases(): readonly KeptLease[] {
    const live = [...this.scan({ lower: "", upper: "\x7f" }, undefined)];
    return [...this.#leases].map(([lease, ttlSeconds]) => ({ lease, ttlSeconds, keys: live.filter((v) => v.lease === lease).map(({ key }) => key) }));
  }

  compact(revision: Revision): void {
    this.compacted = revision;
    const gone = new Set<Version>();
    for (let i = 0; i < this.#log.length && this.#log[i]!.modRevision <= revision; i++) {
      const version = this.#log[i]!;
      const versions = this.#byKey.get(version.key)!;
      const next = versions.find(({ modRevision }) => modRevision > version.modRevision);
      if (isLive(version) && !(next && next.modRevision <= revision)) continue;
      gone.add(version);
      this.bytes -= versionBytes(version.key, version.value);
    }
    this.#log = this.#log.filter((version) => !gone.has(version));
    for (const key of new Set([...gone].map((version) => version.key))) {
      const left = this.#byKey.get(key)!.filter((version) => !gone.has(version));
      if (left.length > 0) {
        this.#byKey.set(key, left);
        continue;
      }
      this.#byKey.delete(key);
      this.#keys.splice(
        lowerBound(this.#keys, (other) => other >= key),
        1,
      );
    }
  }

  close(): void {}
}
