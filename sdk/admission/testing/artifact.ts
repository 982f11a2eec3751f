/** Artifacts around hand-made core modules, for tests: metadata that fits, and a wrap that does not mind what the module is. */
import { METADATA_SECTIONS, packComponent, type Metadata } from "../../pack/index.ts";
import { COMPONENT_VERSION, concat, customSection, encodeU32 } from "../../pack/wasm_reader.ts";
import { type Manifest, type StateSchema, stateDigest } from "../../manifest/index.ts";

export type ManifestFields = Partial<Omit<Manifest, "rights">> & { rights?: Partial<Manifest["rights"]> };

export function stateSchemaOf(version: number, bytes: number): StateSchema {
  const layout = { version, bytes, fields: [] };
  return { ...layout, digest: stateDigest(layout) };
}

/** Metadata of an NF with a slot of `stateBytes`, without fields. */
export function metadataOf(manifest: ManifestFields = {}, stateBytes = 0, stateVersion = 0): Metadata {
  return {
    manifest: { apiVersion: "nfactor/v1", name: "sample", version: "1.0.0", ...manifest },
    stateSchema: stateSchemaOf(stateVersion, stateBytes),
    configSchema: { type: "object", properties: {}, required: [], additionalProperties: false },
  };
}

/** A component of nothing but one core module and the metadata: what is refused before wiring matters needs none. */
export function bareComponent(core: Uint8Array, metadata: Partial<Metadata> = metadataOf()): Uint8Array {
  return assembleComponent([coreSection(core), ...metadataSections(metadata)]);
}

export function assembleComponent(parts: readonly Uint8Array[]): Uint8Array {
  return concat([Uint8Array.from([0x00, 0x61, 0x73, 0x6d, ...COMPONENT_VERSION]), ...parts]);
}

export function coreSection(core: Uint8Array): Uint8Array {
  return section(1, core);
}
export function section(id: number, content: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([id, ...encodeU32(content.length)]), content]);
}

export function metadataSections(metadata: Partial<Metadata>): Uint8Array[] {
  return Object.entries(METADATA_SECTIONS)
    .filter(([key]) => metadata[key as keyof Metadata] !== undefined)
    .map(([key, name]) => customSection(name, Buffer.from(JSON.stringify(metadata[key as keyof Metadata]))));
}

/** The artifact as `nfactor build` would make it; throws when the module does not fit the world. */
export function wholeComponent(core: Uint8Array, metadata: Metadata = metadataOf()): Promise<Uint8Array> {
  return packComponent(core, metadata);
}
