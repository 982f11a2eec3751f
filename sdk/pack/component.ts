/**
 * The artifact: a component of world nfactor:nf/network-function around one core module, with three custom sections of JSON behind it:
 * `nfactor.manifest`, `nfactor.state` and `nfactor.config`.
 *
 * `packComponent` makes one; `unpackComponent` takes it apart again, trusting nothing: it does not follow the component's own wiring or WIT, it
 * takes the one core module out and strips every custom section of it (`producers`, `component-type`, `name`, source map references), so that the
 * same code has the same bytes and digest whoever wrapped it.
 */
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { MalformedError, binaryKind, concat, customSection, sections } from "./wasm_reader.ts";
import { wrapCore } from "./wrap.ts";

export const METADATA_SECTIONS = { manifest: "nfactor.manifest", stateSchema: "nfactor.state", configSchema: "nfactor.config" } as const;

export interface Metadata {
  manifest: unknown;
  stateSchema: unknown;
  configSchema: unknown;
}
export interface Unpacked extends Metadata {
  /** The core module without custom sections. */
  core: Uint8Array;
}

export type ArtifactRule = "component_malformed" | "component_size" | "core_modules" | "nested_component" | "metadata_missing" | "metadata_size" | "module_malformed" | "module_bytes";

/** Why bytes are no artifact; `rule` is the rule of admission that they break. */
export class ArtifactError extends NfError {
  readonly rule: ArtifactRule;
  readonly value: number | string;
  constructor(rule: ArtifactRule, message: string, value: number | string) {
    super("nf.artifact", message, { given: String(value), fix: "Use the .wasm file that 'nfactor build' wrote, unchanged." });
    this.rule = rule;
    this.value = value;
  }
}

/** Wraps `core` and appends the metadata; throws NfError pack.component when the module does not fit the world. */
export async function packComponent(core: Uint8Array, metadata: Metadata): Promise<Uint8Array> {
  const component = await wrapCore(stripCustomSections(core));
  const encoder = new TextEncoder();
  const extra = Object.entries(METADATA_SECTIONS).map(([key, name]) => {
    const json = JSON.stringify(metadata[key as keyof Metadata]);
    return customSection(name, encoder.encode(json));
  });
  return concat([component, ...extra]);
}

/** Takes an artifact apart; throws ArtifactError. The metadata is parsed JSON that nobody has checked yet. */
export function unpackComponent(bytes: Uint8Array): Unpacked {
  if (bytes.length > LIMITS.component_bytes_max) throw new ArtifactError("component_size", "the component is too large", bytes.length);
  const kind = binaryKind(bytes);
  if (kind === "core") throw new ArtifactError("component_malformed", "this is a core module, not a component", "core module");
  if (kind === undefined) throw new ArtifactError("component_malformed", "this is no WebAssembly file", hexHead(bytes));
  const metadata = new Map<string, unknown>();
  const cores: Uint8Array[] = [];
  try {
    for (const { id, start, end, body } of sections(bytes)) {
      if (id === 0) {
        const name = body.name("custom section");
        if (!Object.values<string>(METADATA_SECTIONS).includes(name)) continue;
        if (metadata.has(name)) throw new ArtifactError("metadata_missing", `section ${name} is there twice`, 2);
        metadata.set(name, parseJson(name, body.take(body.left, name)));
      } else if (id === 1) {
        cores.push(bytes.subarray(start, end));
      } else if (id === 4) {
        throw new ArtifactError("nested_component", "the component holds another component", `section at ${start}`);
      } else if (id > 12) {
        throw new ArtifactError("component_malformed", `section ${id} is none of a component`, id);
      }
    }
  } catch (error) {
    if (error instanceof MalformedError) throw new ArtifactError("component_malformed", error.message, `offset ${error.offset}`);
    throw error;
  }
  if (cores.length !== 1) throw new ArtifactError("core_modules", `the component holds ${cores.length} core modules instead of one`, cores.length);
  const json = (name: string): unknown => {
    if (!metadata.has(name)) throw new ArtifactError("metadata_missing", `section ${name} is missing`, 0);
    return metadata.get(name);
  };
  return {
    core: stripCustomSections(cores[0]!),
    manifest: json(METADATA_SECTIONS.manifest),
    stateSchema: json(METADATA_SECTIONS.stateSchema),
    configSchema: json(METADATA_SECTIONS.configSchema),
  };
}

/** A core module without its custom sections; throws ArtifactError when it is none or its sections do not fit. */
export function stripCustomSections(core: Uint8Array): Uint8Array {
  if (binaryKind(core) !== "core") throw new ArtifactError("module_malformed", "this is no core module", hexHead(core));
  const kept: Uint8Array[] = [core.subarray(0, 8)];
  try {
    // Sections as they are encoded, so that offsets into the code stay those of the compiler's source map.
    for (const { id, head, end } of sections(core)) if (id !== 0) kept.push(core.subarray(head, end));
  } catch (error) {
    if (error instanceof MalformedError) throw new ArtifactError("module_malformed", error.message, `offset ${error.offset}`);
    throw error;
  }
  return concat(kept);
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  if (bytes.length > LIMITS.metadata_bytes_max) throw new ArtifactError("metadata_size", `section ${name} is too large`, bytes.length);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ArtifactError("component_malformed", `section ${name} is not JSON in UTF-8`, bytes.length);
  }
}

function hexHead(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 8)).toString("hex") || "empty";
}
