/** Bounds of the registry. */
import { LIMITS } from "@nfactor/sdk/abi";

export interface ArtifactLimits {
  readonly componentBytes: number;
  readonly sourceMapBytes: number;
  /** Of all blobs together, those that are being uploaded included. */
  readonly totalBytes: number;
  /** Each upload may hold this many bytes of `totalBytes`, and a process of admission, while it lasts. */
  readonly uploads: number;
  readonly uploadsPerTenant: number;
  /** From the first byte that is waited for to the verdict of admission. */
  readonly uploadMs: number;
  /** An NF's versions are one object of the store. */
  readonly versionsPerNf: number;
  readonly pageEntries: number;
}

export const DEFAULT_ARTIFACT_LIMITS: ArtifactLimits = {
  componentBytes: LIMITS.component_bytes_max,
  sourceMapBytes: 8 * 1024 * 1024,
  totalBytes: 4 * 1024 * 1024 * 1024,
  uploads: 8,
  uploadsPerTenant: 2,
  uploadMs: 120_000,
  versionsPerNf: 500,
  pageEntries: 100,
};

/** What a tenant may have. A blob counts for each version that has it, though it is kept once: what a tenant may have does not depend on others. */
export interface ArtifactQuota {
  readonly bytes: number;
  readonly versions: number;
}

export const DEFAULT_ARTIFACT_QUOTA: ArtifactQuota = { bytes: 256 * 1024 * 1024, versions: 1000 };
