/** The registry of NFs, as the rest of the controller sees it. */
export type { CollectOptions, Collected } from "./collector.ts";
export type { ArtifactUsage, NfVersion } from "./kinds.ts";
export { type ArtifactLimits, type ArtifactQuota, DEFAULT_ARTIFACT_LIMITS, DEFAULT_ARTIFACT_QUOTA } from "./limits.ts";
export { type NfReference, compareVersions, newestOf, parseNfReference } from "./nf_reference.ts";
export type { ArtifactReference, ReferenceSource } from "./references.ts";
export { ArtifactRegistry, type NfSummary, type Page, type PageQuery, type RegistryOptions } from "./registry.ts";
export type { Admit, UploadRequest, Uploaded } from "./upload.ts";
