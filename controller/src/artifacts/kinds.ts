/**
 * What the store has of artifacts. Everything that belongs to one version is written, and deleted, in one transaction: the version, its place among the NF's
 * versions, its use, its users of blobs, and the tenant's account.
 */
import { manifestSchema } from "@nfactor/sdk/manifest";
import { z } from "zod";
import type { Kind } from "../store/index.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a digest is 64 hex digits");
const count = z.int().min(0);
const blob = z.strictObject({ digest: sha256, bytes: count });

/** An NF of a tenant: its versions, each with the digest of its artifact. */
const nf = z.strictObject({ versions: z.record(z.string(), sha256) });

/** Written once, never changed. What is in the artifact, state layout and configuration schema, is read from there: it may be larger than an object. */
const nfVersion = z.strictObject({
  /** The artifact as it was pushed: what deployments name. */
  artifact: blob,
  sourceMap: blob.optional(),
  /** The core module in it: what hosts compile, run and report. */
  module: blob,
  manifest: manifestSchema,
  abiVersion: count,
  heapPages: count,
  state: z.strictObject({ version: count, bytes: count, digest: sha256 }),
  exports: z.array(z.string().max(64)),
  /** Who pushed it, as harmless text. */
  uploader: z.string().max(1000),
  uploadedMs: z.number(),
});

/** Written by everybody who begins to use a version, so that who is about to delete it notices. */
const nfUse = z.strictObject({
  /** Since a collection found nobody who uses it: milliseconds of the date. */
  idleSinceMs: z.number().optional(),
});

const usage = z.strictObject({ bytes: count, versions: count });

export type Nf = z.output<typeof nf>;
export type NfVersion = z.output<typeof nfVersion>;
export type NfUse = z.output<typeof nfUse>;
export type ArtifactUsage = z.output<typeof usage>;

/** `<tenant>/<nf>` */
export const NF: Kind<Nf> = { noun: "NF", prefix: "artifacts/nfs/", segments: 2, schema: nf, version: 1 };
/** `<tenant>/<nf>/<version>` */
export const NF_VERSION: Kind<NfVersion> = { noun: "NF version", prefix: "artifacts/versions/", segments: 3, schema: nfVersion, version: 1 };
/** `<tenant>/<nf>/<version>` */
export const NF_USE: Kind<NfUse> = { noun: "use of an NF version", prefix: "artifacts/uses/", segments: 3, schema: nfUse, version: 1 };
/** `<sha256>/<tenant>/<nf>/<version>` */
export const BLOB_USER: Kind<Record<string, never>> = {
  noun: "user of a blob",
  prefix: "artifacts/blobs/",
  segments: 4,
  schema: z.strictObject({}) as z.ZodType<Record<string, never>>,
  version: 1,
};
/** `<tenant>` */
export const ARTIFACT_USAGE: Kind<ArtifactUsage> = { noun: "account of artifacts", prefix: "artifacts/usage/", schema: usage, version: 1 };
