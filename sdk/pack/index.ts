/** The artifact: core module ↔ component with metadata. */
export {
  ArtifactError,
  METADATA_SECTIONS,
  type Metadata,
  type Unpacked,
  packComponent,
  readArtifact,
  stripCustomSections,
  unpackComponent,
} from "./component.ts";
export { wrapCore } from "./wrap.ts";
