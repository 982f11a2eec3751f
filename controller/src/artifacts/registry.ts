/**
 * The registry of NFs: artifacts of tenants, each version under its digest, in a folder beside the store, which says what is there.
 *
 * What is deployed is a digest. The registry keeps it as long as anybody uses it (references.ts), and hands it out only as it was pushed.
 */
import { checkConfigSchema, type ConfigSchema } from "@nfactor/sdk/config";
import { type AdmittedNf, checkInChild, refusedError } from "@nfactor/sdk/admission";
import { NfError } from "@nfactor/sdk/errors";
import { type StateSchema, stateSchema } from "@nfactor/sdk/manifest";
import { unpackComponent } from "@nfactor/sdk/pack";
import type { Grant } from "@nfactor/host/rights";
import { safeText } from "@nfactor/host/text";
import { requireLimit } from "../store/limits.ts";
import { type Clock, type Compare, type Op, type Store, type Stored, systemClock } from "../store/index.ts";
import { BlobStore } from "./blob_store.ts";
import { type CollectOptions, type Collected, DEFAULT_COLLECT, collect, removeBlob } from "./collector.ts";
import type { ArtifactUsage, Nf, NfVersion } from "./kinds.ts";
import { type ArtifactLimits, type ArtifactQuota, DEFAULT_ARTIFACT_LIMITS, DEFAULT_ARTIFACT_QUOTA } from "./limits.ts";
import { compareVersions, newestOf, parseNfReference, requireArtifactName, requireVersion } from "./nf_reference.ts";
import { Records, blobsOf, readable, shownVersion } from "./records.ts";
import { type ReferenceSource, References } from "./references.ts";
import { type Admit, type UploadRequest, type Uploaded, Uploads } from "./upload.ts";

export interface RegistryOptions {
  readonly store: Store;
  /** Where the blobs lie: `blobs` beside the store's file. */
  readonly folder: string;
  /** Everybody who knows of uses. Without them, all that is old counts as unused. */
  readonly sources: readonly ReferenceSource[];
  /** By default in a child process for each artifact. */
  readonly admit?: Admit;
  readonly quotaOf?: (tenant: string) => ArtifactQuota;
  /** The most that a tenant's NFs may ask for; all by default. What one gets is said by its entry in a chain. */
  readonly grantOf?: (tenant: string) => Grant | "all";
  /** Key of the tenant in the store: no version comes in without it, also when it goes during the upload. Without this, any name is a tenant. */
  readonly tenantKey?: (tenant: string) => string;
  readonly limits?: Partial<ArtifactLimits>;
  readonly clock?: Clock;
  /** Milliseconds of the date. */
  readonly dateMs?: () => number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Objects that cannot be read; they keep nobody from the others. */
  readonly unreadable: readonly NfError[];
  /** `after` of the next page, when there is one. */
  readonly next: string | undefined;
}

export interface PageQuery {
  readonly limit?: number;
  readonly after?: string | undefined;
}

export interface NfSummary {
  readonly name: string;
  readonly newest: string;
  readonly versions: number;
}

/** A deletion that somebody was faster than this many times gives up. */
const DELETE_ATTEMPTS = 4;

export class ArtifactRegistry {
  readonly #records: Records;
  readonly #blobs: BlobStore;
  readonly #uploads: Uploads;
  readonly #limits: ArtifactLimits;
  readonly #sources: readonly ReferenceSource[];
  readonly #dateMs: () => number;
  #collection: Promise<Collected> | undefined;

  private constructor(options: RegistryOptions, blobs: BlobStore, limits: ArtifactLimits) {
    const {
      store,
      sources,
      dateMs = Date.now,
      admit = admitInChild,
      quotaOf = () => DEFAULT_ARTIFACT_QUOTA,
      grantOf = () => "all",
      clock = systemClock,
    } = options;
    const records = new Records(store, limits, options.tenantKey);
    this.#records = records;
    this.#blobs = blobs;
    this.#uploads = new Uploads({ records, blobs, limits, clock, dateMs, admit, quotaOf, grantOf });
    this.#limits = limits;
    this.#sources = sources;
    this.#dateMs = dateMs;
  }

  /** One process has the folder, the one that has the store. Throws NfError (artifact.io, artifact.full, host.permission). */
  static async open(options: RegistryOptions): Promise<ArtifactRegistry> {
    const limits = { ...DEFAULT_ARTIFACT_LIMITS, ...options.limits };
    return new ArtifactRegistry(options, await BlobStore.open(options.folder, limits), limits);
  }

  /**
   * Takes an artifact in. When it returns, the version is there and on disk; when it throws, nothing is. The same artifact again is the same version. Throws
   * NfError (artifact.name, busy, too_large, full, io, aborted, mismatch, version_taken, quota; admission.*; config.rights; and what Store.txn() throws:
   * store.io alone leaves it open).
   */
  upload(request: UploadRequest): Promise<Uploaded> {
    return this.#uploads.upload(request);
  }

  /** A tenant's NFs by name. Throws NfError (artifact.name, store.limit). */
  async nfs(tenant: string, { limit, after }: PageQuery = {}): Promise<Page<NfSummary>> {
    requireArtifactName("tenant", tenant);
    if (after !== undefined) requireArtifactName("NF", after);
    const page = await this.#records.nfs.list({
      under: tenant,
      limit: limit ?? this.#limits.pageEntries,
      after: after === undefined ? undefined : `${tenant}/${after}`,
    });
    const items = page.objects.map(({ name, object: { versions } }) => ({
      name: lastSegment(name),
      newest: newestOf(Object.keys(versions))!,
      versions: Object.keys(versions).length,
    }));
    return { items, unreadable: page.unreadable, next: page.next === undefined ? undefined : lastSegment(page.next) };
  }

  /** An NF's versions, the highest first; `after` is one of them. Throws NfError (artifact.name, artifact.not_found, store.limit). */
  async versions(tenant: string, nf: string, { limit = this.#limits.pageEntries, after }: PageQuery = {}): Promise<Page<Stored<NfVersion>>> {
    requireLimit("versions of a page", limit, 1, this.#limits.pageEntries, "Ask for another page.");
    if (after !== undefined) requireVersion(after);
    const sorted = Object.keys((await this.#nf(tenant, nf)).versions).sort((a, b) => compareVersions(b, a));
    const rest = after === undefined ? sorted : sorted.filter((version) => compareVersions(version, after) < 0);
    const page = rest.slice(0, limit);
    const found = await Promise.all(page.map((version) => readable(this.#records.versions.find(`${tenant}/${nf}/${version}`))));
    return {
      // Without those that were deleted meanwhile.
      items: found.filter((each) => each !== undefined && !(each instanceof NfError)) as Stored<NfVersion>[],
      unreadable: found.filter((each) => each instanceof NfError),
      next: rest.length > limit ? page.at(-1) : undefined,
    };
  }

  /** What `name`, `name@1.2.0` or `name@sha256:…` is now. Throws NfError (artifact.name, artifact.not_found, artifact.ambiguous). */
  async resolve(tenant: string, reference: string): Promise<Stored<NfVersion>> {
    const { nf, version, digest } = parseNfReference(reference);
    const { versions } = await this.#nf(tenant, nf);
    const all = Object.keys(versions);
    const fitting = digest === undefined ? [version ?? newestOf(all)!] : all.filter((each) => versions[each]!.startsWith(digest));
    if (fitting.length > 1)
      throw new NfError("artifact.ambiguous", `${reference} is the beginning of ${fitting.length} digests`, {
        allowed: fitting.map((each) => `${nf}@sha256:${versions[each]!}`).join(", "),
        fix: "Give more digits, or the version.",
      });
    const found = fitting[0] === undefined ? undefined : await this.#records.versions.find(`${tenant}/${nf}/${fitting[0]}`);
    return found ?? refuseMissing(tenant, reference, all);
  }

  /** As it was pushed, every byte. Throws NfError (artifact.damaged, artifact.io). */
  component({ artifact }: NfVersion): Promise<Uint8Array> {
    return this.#blobs.read(artifact);
  }

  /** Undefined when none was pushed with it. It is a stranger's text. Throws NfError (artifact.damaged, artifact.io). */
  async sourceMap({ sourceMap }: NfVersion): Promise<Uint8Array | undefined> {
    return sourceMap && this.#blobs.read(sourceMap);
  }

  /** The layout of its flow state, and what its configuration has to be. Throws NfError (artifact.damaged, artifact.io). */
  async schemas(version: NfVersion): Promise<{ readonly state: StateSchema; readonly config: ConfigSchema }> {
    const unpacked = unpackComponent(await this.component(version));
    return { state: stateSchema.parse(unpacked.stateSchema), config: checkConfigSchema(unpacked.configSchema) };
  }

  /** Says that the version is used from now on; references.ts says when. Throws NfError (artifact.not_found) when it is there no more. */
  async use(version: Stored<NfVersion>): Promise<void> {
    if (!(await this.#records.touch(version))) refuseGone(version);
  }

  /**
   * The same for who writes a reference into the store: parts of that transaction. When it does not succeed and the version is the reason, it was deleted:
   * `use()` says so.
   */
  using(version: Stored<NfVersion>): { readonly if: readonly Compare[]; readonly then: readonly Op[] } {
    return this.#records.using(version);
  }

  /**
   * Throws NfError (artifact.in_use, artifact.uncertain, artifact.name, artifact.not_found, artifact.busy, and what Store.txn() throws). With `dryRun` it
   * only throws what stands against it.
   */
  async delete(tenant: string, reference: string, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<void> {
    const { version, digest } = parseNfReference(reference);
    if (version === undefined && digest === undefined)
      throw new NfError("artifact.name", `${reference} does not say which version`, {
        given: reference,
        allowed: `${reference}@<version>`,
        fix: "Name the version.",
      });
    const { name } = await this.resolve(tenant, reference);
    for (let attempt = 0; attempt < DELETE_ATTEMPTS; attempt++) {
      const found = await this.#records.find(name);
      if (!found) return refuseMissing(tenant, reference, []);
      const { object } = found.version;
      const user = (await References.ask(this.#sources)).userOf(object);
      if (user !== undefined)
        throw new NfError("artifact.in_use", `${shownVersion(object)} of tenant ${tenant} is used by ${safeText(user, 200)}`, {
          given: reference,
          fix: "Undeploy it there first.",
        });
      if (dryRun) return;
      if (!(await this.#records.remove(found))) continue;
      for (const blob of blobsOf(object)) await removeBlob(this.#records, this.#blobs, blob.digest);
      return;
    }
    throw new NfError("artifact.busy", `${reference} of tenant ${tenant} was pushed or used each time it was to be deleted`, {
      given: reference,
      fix: "Try again.",
    });
  }

  /** Takes what nobody uses (collector.ts). One collection goes on at a time; who asks meanwhile gets its result. */
  collect(options: Partial<CollectOptions> = {}): Promise<Collected> {
    const parts = { records: this.#records, blobs: this.#blobs, sources: this.#sources, dateMs: this.#dateMs };
    return (this.#collection ??= collect(parts, { ...DEFAULT_COLLECT, ...options }).finally(() => (this.#collection = undefined)));
  }

  /** Reads every blob of every version. Returns what is wrong. */
  async check(): Promise<readonly NfError[]> {
    const wrong: NfError[] = [];
    for (const { version } of await this.#records.all()) {
      for (const blob of blobsOf(version.object)) {
        try {
          await this.#blobs.read(blob);
        } catch (error) {
          if (!(error instanceof NfError)) throw error;
          wrong.push(new NfError(error.code, `${version.name}: ${error.message}`, { cause: error, given: error.given, fix: error.fix }));
        }
      }
    }
    return wrong;
  }

  /** What the tenant has, by which its quota is measured. Throws NfError (artifact.name). */
  async usage(tenant: string): Promise<ArtifactUsage> {
    requireArtifactName("tenant", tenant);
    return (await this.#records.usage.find(tenant))?.object ?? { bytes: 0, versions: 0 };
  }

  /** That the tenant has none, for who writes something that hangs on it. */
  ifNone(tenant: string): Compare {
    return this.#records.usage.ifAbsent(tenant);
  }

  /** Bytes of all blobs on disk, those that come in included. */
  get bytes(): number {
    return this.#blobs.bytes;
  }

  async #nf(tenant: string, nf: string): Promise<Nf> {
    requireArtifactName("tenant", tenant);
    requireArtifactName("NF", nf);
    const found = await this.#records.nfs.find(`${tenant}/${nf}`);
    return found?.object ?? refuseMissing(tenant, nf, []);
  }
}

async function admitInChild(component: Uint8Array, shown: string): Promise<AdmittedNf> {
  const admission = await checkInChild(component);
  if (!admission.nf) throw refusedError(shown, admission);
  return admission.nf;
}

const lastSegment = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

function refuseMissing(tenant: string, reference: string, versions: readonly string[]): never {
  const newest = [...versions].sort((a, b) => compareVersions(b, a)).slice(0, 10);
  throw new NfError("artifact.not_found", `tenant ${tenant} has no ${reference}`, {
    given: reference,
    allowed: newest.length === 0 ? undefined : newest.join(", "),
    fix: "Look for it in the list of NFs and their versions, or push it.",
  });
}

function refuseGone({ name, object }: Stored<NfVersion>): never {
  throw new NfError("artifact.not_found", `${shownVersion(object)} was deleted meanwhile`, { given: name, fix: "Push it again, or take another version." });
}
