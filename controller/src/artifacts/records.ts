/**
 * The registry's objects in the store, and the transactions that change them.
 *
 * Two rules carry everything. A version is in the store only while its blobs are on disk: blobs come first and go last. And whoever deletes a version
 * compares two keys with what they were before it asked who uses it: the version, and its use, which everybody writes who begins to use it. So a use that was
 * there before is seen, one that comes meanwhile makes the deletion fail, and one that comes later finds no version.
 */
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type Compare, type Op, type Store, type Stored } from "../store/index.ts";
import { ARTIFACT_USAGE, type ArtifactUsage, BLOB_USER, NF, NF_USE, NF_VERSION, type Nf, type NfUse, type NfVersion } from "./kinds.ts";
import type { ArtifactLimits, ArtifactQuota } from "./limits.ts";

/** A writer that finds others there before it this many times in a row gives up. */
const ATTEMPTS = 16;

/** A version, and what its use was when it was read. */
export interface VersionAndUse {
  readonly version: Stored<NfVersion>;
  readonly use: Stored<NfUse>;
}

export const versionName = (tenant: string, { manifest }: Pick<NfVersion, "manifest">): string => `${tenant}/${manifest.name}/${manifest.version}`;
/** As people write it, without the tenant. */
export const shownVersion = ({ manifest }: Pick<NfVersion, "manifest">): string => `${manifest.name}@${manifest.version}`;

export const blobsOf = ({ artifact, sourceMap }: NfVersion): readonly { readonly digest: string; readonly bytes: number }[] => [
  artifact,
  ...(sourceMap === undefined ? [] : [sourceMap]),
];

const bytesOf = (version: NfVersion): number => blobsOf(version).reduce((sum, { bytes }) => sum + bytes, 0);
/** Once each, if both were the same: a transaction writes no key twice. */
const digestsOf = (version: NfVersion): string[] => [...new Set(blobsOf(version).map(({ digest }) => digest))];

export class Records {
  readonly nfs: Collection<Nf>;
  readonly versions: Collection<NfVersion>;
  readonly uses: Collection<NfUse>;
  readonly blobUsers: Collection<Record<string, never>>;
  readonly usage: Collection<ArtifactUsage>;
  readonly #store: Store;
  readonly #limits: ArtifactLimits;
  readonly #tenantKey: ((tenant: string) => string) | undefined;

  constructor(store: Store, limits: ArtifactLimits, tenantKey?: (tenant: string) => string) {
    this.#tenantKey = tenantKey;
    this.#store = store;
    this.#limits = limits;
    this.nfs = new Collection(store, NF);
    this.versions = new Collection(store, NF_VERSION);
    this.uses = new Collection(store, NF_USE);
    this.blobUsers = new Collection(store, BLOB_USER);
    this.usage = new Collection(store, ARTIFACT_USAGE);
  }

  /**
   * Writes a version whose blobs are on disk, or finds that it is there. Then it counts as used just now, so that no collection takes it that had it in sight
   * before. Throws NfError (artifact.version_taken, artifact.quota, artifact.busy, store.not_found of the tenant, and what Store.txn() throws).
   */
  async add(tenant: string, version: NfVersion, quota: ArtifactQuota): Promise<{ readonly version: Stored<NfVersion>; readonly created: boolean }> {
    const name = versionName(tenant, version);
    const tenantKey = this.#tenantKey?.(tenant);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const known = await this.versions.find(name);
      if (known) {
        requireSame(known.object, version);
        if (await this.touch(known)) return { version: known, created: false };
        continue;
      }
      const { nfName, nf, usage, versions, used } = await this.#accountWith(tenant, version, quota);
      const { succeeded, results } = await this.#store.txn({
        if: [
          ...[this.versions.ifAbsent(name), ifAsRead(this.nfs, nfName, nf), ifAsRead(this.usage, tenant, usage)],
          ...(tenantKey === undefined ? [] : [{ key: tenantKey, field: "create", is: ">", to: 0 } as const]),
        ],
        else: tenantKey === undefined ? [] : [{ op: "get", key: tenantKey }],
        then: [
          this.versions.put(name, version),
          this.uses.put(name, {}),
          ...digestsOf(version).map((digest) => this.blobUsers.put(`${digest}/${name}`, {})),
          this.nfs.put(nfName, { versions }),
          this.usage.put(tenant, used),
        ],
      });
      if (succeeded) return { version: this.versions.read(results[0]!), created: true };
      if (tenantKey !== undefined && !results[0])
        throw new NfError("store.not_found", `tenant ${tenant} was removed meanwhile`, { given: tenant, fix: "Push it to another tenant. Nothing was kept." });
    }
    return refuseBusy(shownVersion(version));
  }

  /** What `add` would return now, or what it would throw. */
  async preview(tenant: string, version: NfVersion, quota: ArtifactQuota): Promise<{ readonly version: Stored<NfVersion>; readonly created: boolean }> {
    const name = versionName(tenant, version);
    const known = await this.versions.find(name);
    if (known) requireSame(known.object, version);
    else await this.#accountWith(tenant, version, quota);
    return { version: known ?? { name, object: version, version: 0, createRevision: 0 }, created: !known };
  }

  /**
   * Deletes a version, unless it was written or used since `found` was read. The store has it no more when this returns true; its blobs are its
   * caller's matter. Throws NfError (artifact.busy, and what Store.txn() throws).
   */
  async remove({ version, use }: VersionAndUse): Promise<boolean> {
    const { name, object } = version;
    const tenant = name.slice(0, name.indexOf("/"));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [nfName, nf, usage] = await this.#account(tenant, object);
      const versions = { ...nf?.object.versions };
      delete versions[object.manifest.version];
      const used = { bytes: (usage?.object.bytes ?? 0) - bytesOf(object), versions: (usage?.object.versions ?? 0) - 1 };
      const mine = [this.versions.ifUnchanged(name, version.version), this.uses.ifUnchanged(name, use.version)];
      const { succeeded, results } = await this.#store.txn({
        if: [...mine, ifAsRead(this.nfs, nfName, nf), ifAsRead(this.usage, tenant, usage)],
        then: [
          ...[this.versions.keyOf(name), this.uses.keyOf(name)].map((key): Op => ({ op: "delete", key })),
          ...digestsOf(object).map((digest): Op => ({ op: "delete", key: this.blobUsers.keyOf(`${digest}/${name}`) })),
          Object.keys(versions).length > 0 ? this.nfs.put(nfName, { versions }) : { op: "delete", key: this.nfs.keyOf(nfName) },
          used.versions > 0 ? this.usage.put(tenant, used) : { op: "delete", key: this.usage.keyOf(tenant) },
        ],
        else: [this.versions.keyOf(name), this.uses.keyOf(name)].map((key): Op => ({ op: "get", key })),
      });
      if (succeeded) return true;
      if (results[0]?.modRevision !== version.version || results[1]?.modRevision !== use.version) return false;
    }
    return refuseBusy(shownVersion(object));
  }

  /** Says that a version is used from now on. False when it is there no more. */
  async touch(version: Stored<NfVersion>): Promise<boolean> {
    const { succeeded } = await this.#store.txn(this.using(version));
    return succeeded;
  }

  /** The same, as parts of somebody's transaction. */
  using({ name, version }: Pick<Stored<NfVersion>, "name" | "version">): { readonly if: readonly Compare[]; readonly then: readonly Op[] } {
    return { if: [this.versions.ifUnchanged(name, version)], then: [this.uses.put(name, {})] };
  }

  /** Keeps since when nobody uses it; false when it was used or deleted meanwhile. */
  async setIdle({ version, use }: VersionAndUse, idleSinceMs: number | undefined): Promise<boolean> {
    const { succeeded } = await this.#store.txn({
      if: [this.versions.ifUnchanged(version.name, version.version), this.uses.ifUnchanged(use.name, use.version)],
      then: [this.uses.put(use.name, idleSinceMs === undefined ? {} : { idleSinceMs })],
    });
    return succeeded;
  }

  /** All versions with their uses, each as it is when it is read. Those that cannot be read are left out. */
  async all(): Promise<VersionAndUse[]> {
    const found: VersionAndUse[] = [];
    let after: string | undefined;
    do {
      const page = await this.versions.list({ after, limit: this.#limits.pageEntries });
      for (const version of page.objects) {
        const use = await readable(this.uses.find(version.name));
        if (use && !(use instanceof NfError)) found.push({ version, use });
      }
      after = page.next;
    } while (after !== undefined);
    return found;
  }

  /** Undefined when it is not there. */
  async find(name: string): Promise<VersionAndUse | undefined> {
    const version = await this.versions.find(name);
    const use = version && (await this.uses.find(name));
    return use && { version, use };
  }

  async isBlobUsed(digest: string): Promise<boolean> {
    const { entries } = await this.#store.range({ prefix: `${BLOB_USER.prefix}${digest}/`, limit: 1 });
    return entries.length > 0;
  }

  /** Of all blobs that versions have. */
  async usedBlobs(): Promise<Set<string>> {
    const used = new Set<string>();
    let after: string | undefined;
    do {
      const page = await this.#store.range({ prefix: BLOB_USER.prefix, after });
      for (const { key } of page.entries) used.add(key.slice(BLOB_USER.prefix.length).split("/")[0]!);
      after = page.next;
    } while (after !== undefined);
    return used;
  }

  async #account(
    tenant: string,
    { manifest }: NfVersion,
  ): Promise<readonly [nfName: string, nf: Stored<Nf> | undefined, usage: Stored<ArtifactUsage> | undefined]> {
    const nfName = `${tenant}/${manifest.name}`;
    return [nfName, await this.nfs.find(nfName), await this.usage.find(tenant)];
  }

  /** The tenant's account with one more version. Throws NfError (artifact.quota). */
  async #accountWith(tenant: string, version: NfVersion, quota: ArtifactQuota) {
    const [nfName, nf, usage] = await this.#account(tenant, version);
    const versions = { ...nf?.object.versions, [version.manifest.version]: version.artifact.digest };
    const used = { bytes: (usage?.object.bytes ?? 0) + bytesOf(version), versions: (usage?.object.versions ?? 0) + 1 };
    this.#requireRoom(tenant, nfName, Object.keys(versions).length, used, quota);
    return { nfName, nf, usage, versions, used };
  }

  #requireRoom(tenant: string, nfName: string, versionsOfNf: number, used: ArtifactUsage, quota: ArtifactQuota): void {
    const refuse = (what: string, given: number, allowed: number): void => {
      if (given <= allowed) return;
      throw new NfError("artifact.quota", `tenant ${tenant} would have ${given} ${what}`, {
        given: String(given),
        allowed: `at most ${allowed}`,
        fix: "Delete versions that are not needed any more, or ask the operator for a larger quota.",
      });
    };
    refuse(`versions of ${nfName}`, versionsOfNf, this.#limits.versionsPerNf);
    refuse("versions of NFs", used.versions, quota.versions);
    refuse("bytes of artifacts", used.bytes, quota.bytes);
  }
}

/** What was read, or the error of an object that cannot be read. */
export async function readable<T>(read: Promise<T>): Promise<T | NfError> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof NfError && error.code === "store.object") return error;
    throw error;
  }
}

function ifAsRead<T>(collection: Collection<T>, name: string, read: Stored<T> | undefined): Compare {
  return read ? collection.ifUnchanged(name, read.version) : collection.ifAbsent(name);
}

function requireSame(known: NfVersion, pushed: NfVersion): void {
  const [what, has, given] =
    known.artifact.digest !== pushed.artifact.digest
      ? (["artifact", known.artifact.digest, pushed.artifact.digest] as const)
      : (["source map", known.sourceMap?.digest, pushed.sourceMap?.digest] as const);
  // Who pushes it again without its source map changes nothing.
  if (given === undefined || has === given) return;
  throw new NfError("artifact.version_taken", `there is a version ${shownVersion(known)} already, with another ${what}`, {
    given: `sha256:${given}`,
    allowed: has === undefined ? "no source map" : `sha256:${has}`,
    fix: "Raise 'version' in nf.yaml, build and push again: a version never changes.",
  });
}

function refuseBusy(what: string): never {
  throw new NfError("artifact.busy", `others were faster each time: ${what} was left as it is`, { fix: "Try again." });
}
