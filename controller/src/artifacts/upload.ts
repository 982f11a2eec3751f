/**
 * Uploads: from bytes as they come in to a version in the store, or to nothing.
 *
 * Both files are staged, the artifact is admitted, its rights are compared with what the operator lets the tenant have; then the blobs get their names, and
 * then the store has the version. So many uploads go on at a time, each for so long; admission takes one after the other, as each is a process of its own.
 */
import { type Grant, beyondGrant } from "@nfactor/host/rights";
import { safeText } from "@nfactor/host/text";
import type { AdmittedNf } from "@nfactor/sdk/admission";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock, Stored } from "../store/index.ts";
import { type BlobStore, type StagedBlob, aborted } from "./blob_store.ts";
import { removeBlob } from "./collector.ts";
import type { NfVersion } from "./kinds.ts";
import type { ArtifactLimits, ArtifactQuota } from "./limits.ts";
import { requireArtifactName, requireVersion } from "./nf_reference.ts";
import type { Records } from "./records.ts";

export interface UploadRequest {
  readonly tenant: string;
  /** The artifact, in pieces of any size. It is not read further than it may be large. */
  readonly component: AsyncIterable<Uint8Array>;
  readonly sourceMap?: AsyncIterable<Uint8Array> | undefined;
  /** Who pushes it; shown in lists. */
  readonly uploader: string;
  /** What it is said to be: refused when it is something else. The digest is the artifact's SHA-256, in hex. */
  readonly expect?: { readonly nf?: string; readonly version?: string; readonly digest?: string };
  readonly signal?: AbortSignal | undefined;
  /** All checks, and nothing is kept: what is returned is what would be there. */
  readonly dryRun?: boolean | undefined;
}

export interface Uploaded {
  /** Of a dry run, and not there: of version 0. */
  readonly version: Stored<NfVersion>;
  /** False when it was there already. */
  readonly created: boolean;
}

/** Whether an artifact may come in. Throws NfError (admission.*). `shown` is how its message names it. */
export type Admit = (component: Uint8Array, shown: string) => Promise<AdmittedNf>;

export interface UploadParts {
  readonly records: Records;
  readonly blobs: BlobStore;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly dateMs: () => number;
  readonly admit: Admit;
  readonly quotaOf: (tenant: string) => ArtifactQuota;
  readonly grantOf: (tenant: string) => Grant | "all";
}

export class Uploads {
  readonly #parts: UploadParts;
  readonly #running = new Map<string, number>();
  /** Ends when the last one that waits for admission has it. */
  #admissions: Promise<unknown> = Promise.resolve();

  constructor(parts: UploadParts) {
    this.#parts = parts;
  }

  async upload(request: UploadRequest): Promise<Uploaded> {
    const { tenant, expect = {} } = request;
    requireArtifactName("tenant", tenant);
    if (expect.nf !== undefined) requireArtifactName("NF", expect.nf);
    if (expect.version !== undefined) requireVersion(expect.version);
    this.#requireSlot(tenant);
    this.#running.set(tenant, (this.#running.get(tenant) ?? 0) + 1);
    const staged: StagedBlob[] = [];
    const { limits, clock, blobs } = this.#parts;
    const deadline = new AbortController();
    const end = clock.after(limits.uploadMs, () => deadline.abort(new Error(`it took longer than ${limits.uploadMs} ms`)));
    try {
      const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
      const component = await blobs.stage(request.component, { what: "the artifact", bytesMax: limits.componentBytes, signal });
      staged.push(component);
      requireExpected("digest", component.digest, expect.digest);
      const sourceMap = request.sourceMap && (await blobs.stage(request.sourceMap, { what: "the source map", bytesMax: limits.sourceMapBytes, signal }));
      if (sourceMap) staged.push(sourceMap);
      const version = await this.#admitted(request, component, sourceMap);
      if (signal.aborted) throw aborted("the upload", signal.reason);
      const { records, quotaOf } = this.#parts;
      return request.dryRun ? await records.preview(tenant, version, quotaOf(tenant)) : await this.#commit(tenant, version, staged);
    } finally {
      end();
      for (const blob of staged) await blobs.discard(blob);
      const left = this.#running.get(tenant)! - 1;
      if (left > 0) this.#running.set(tenant, left);
      else this.#running.delete(tenant);
    }
  }

  async #admitted({ tenant, uploader, expect = {} }: UploadRequest, component: StagedBlob, sourceMap: StagedBlob | undefined): Promise<NfVersion> {
    const { blobs, admit, grantOf, dateMs } = this.#parts;
    const shown = `artifact sha256:${component.digest.slice(0, 12)}`;
    const bytes = await blobs.readStaged(component);
    const nf = await this.#inTurn(() => admit(bytes, shown));
    const { manifest, core, digest, abiVersion, heapPages, stateSchema, optionalExports } = nf;
    requireExpected("NF", manifest.name, expect.nf);
    requireExpected("version", manifest.version, expect.version);
    const grant = grantOf(tenant);
    const beyond = grant === "all" ? [] : beyondGrant(manifest.rights, grant);
    if (beyond.length > 0)
      throw new NfError("config.rights", `${manifest.name} asks for '${beyond.join(", ")}', which the NFs of tenant ${tenant} may not have`, {
        given: beyond.join(", "),
        fix: "Ask for less in nf.yaml, or let the operator grant the tenant more.",
      });
    const { description, ...rest } = manifest;
    return {
      artifact: { digest: component.digest, bytes: component.bytes },
      ...(sourceMap && { sourceMap: { digest: sourceMap.digest, bytes: sourceMap.bytes } }),
      module: { digest, bytes: core.byteLength },
      manifest: description === undefined ? rest : { ...rest, description: oneLine(description) },
      abiVersion,
      heapPages,
      state: { version: stateSchema.version, bytes: stateSchema.bytes, digest: stateSchema.digest },
      exports: optionalExports,
      uploader: safeText(uploader, 100),
      uploadedMs: dateMs(),
    };
  }

  /** From here on it is there as a whole or not at all, whatever happens. */
  async #commit(tenant: string, version: NfVersion, staged: readonly StagedBlob[]): Promise<Uploaded> {
    const { records, blobs, quotaOf } = this.#parts;
    const pins = staged.map(({ digest }) => blobs.pin(digest));
    let isThere = false;
    try {
      for (const blob of staged) await blobs.publish(blob);
      const uploaded = await records.add(tenant, version, quotaOf(tenant));
      isThere = true;
      return uploaded;
    } finally {
      for (const unpin of pins) unpin();
      // A store that cannot say whether they are used leaves them to a later collection.
      if (!isThere) for (const { digest } of staged) await removeBlob(records, blobs, digest).catch(() => undefined);
    }
  }

  #requireSlot(tenant: string): void {
    const { uploads, uploadsPerTenant } = this.#parts.limits;
    const all = [...this.#running.values()].reduce((sum, each) => sum + each, 0);
    const [given, allowed, whose] = all >= uploads ? [all, uploads, ""] : [this.#running.get(tenant) ?? 0, uploadsPerTenant, ` of tenant ${tenant}`];
    if (given < allowed) return;
    throw new NfError("artifact.busy", `${given} uploads${whose} are under way`, { given: String(given), allowed: `${allowed} at a time`, fix: "Try again." });
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#admissions.then(task);
    this.#admissions = mine.catch(() => undefined);
    return mine;
  }
}

function requireExpected(what: "digest" | "NF" | "version", given: string, expected: string | undefined): void {
  if (expected === undefined || expected === given) return;
  throw new NfError("artifact.mismatch", `the artifact's ${what} is ${given}, ${safeText(expected, 80)} was announced`, {
    given,
    allowed: safeText(expected, 80),
    fix: what === "digest" ? "It was changed on its way: push it again." : "Push the artifact that was meant, or announce what it is.",
  });
}

/** A stranger's text for lists: what a terminal would obey becomes `�`, and its length stays. */
const oneLine = (text: string): string => text.replace(/\s/g, " ").replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\ufffd");
