/**
 * The artifact: a component of world nfactor:nf/network-function around one core module, with three custom sections of JSON behind it:
 * `nfactor.manifest`, `nfactor.state` and `nfactor.config`.
 *
 * `packComponent` makes one; `unpackComponent` and `readArtifact` take it apart again, trusting nothing: they do not follow the component's own
 * wiring or WIT, they take the one core module out and strip every custom section of it (`producers`, `component-type`, `name`, source map
 * references), so that the same code has the same bytes and digest whoever wrapped it.
 */
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { MalformedError, binaryKind, concat, customSection, sections } from "./wasm_reader.ts";
import { wrapCore } from "./wrap.ts";

export const METADATA_SECTIONS = { manifest: "nfactor.manifest", stateSchema: "nfactor.state", configSchema: "nfactor.config" } as const;

/** Levels of arrays and objects in a metadata section. */
const METADATA_DEPTH_MAX = 64;

export interface Metadata {
  manifest: unknown;
  stateSchema: unknown;
  configSchema: unknown;
}
export interface Unpacked extends Metadata {
  /** The core module without custom sections. */
  core: Uint8Array;
}

export type ArtifactRule =
  "component_malformed" | "component_size" | "core_modules" | "nested_component" | "metadata_missing" | "metadata_size" | "module_malformed" | "module_bytes";

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

/** Takes an artifact apart; throws ArtifactError for the first thing that is wrong. The metadata is parsed JSON that nobody has checked yet. */
export function unpackComponent(bytes: Uint8Array): Unpacked {
  const parts = readArtifact(bytes, (problem) => {
    throw problem;
  });
  return parts as Unpacked;
}

/**
 * Takes apart what can be taken apart; everything that is wrong goes to `complain`, and what depends on it is missing from the answer. Without a
 * complaint the answer is complete.
 */
export function readArtifact(bytes: Uint8Array, complain: (problem: ArtifactError) => void): Partial<Unpacked> {
  const refuse = (rule: ArtifactRule, message: string, value: number | string): void => complain(new ArtifactError(rule, message, value));
  if (bytes.length > LIMITS.component_bytes_max) {
    refuse("component_size", "the component is too large", bytes.length);
    return {};
  }
  const kind = binaryKind(bytes);
  if (kind !== "component") {
    if (kind === "core") refuse("component_malformed", "this is a core module, not a component", "core module");
    else refuse("component_malformed", "this is no WebAssembly file", hexHead(bytes));
    return {};
  }
  const metadata = new Map<string, unknown>();
  const cores: Uint8Array[] = [];
  const twice = new Set<string>();
  let nested = 0;
  try {
    for (const { id, start, end, body } of sections(bytes)) {
      if (id === 0) {
        const name = body.name("custom section");
        if (!Object.values<string>(METADATA_SECTIONS).includes(name)) continue;
        if (metadata.has(name)) twice.add(name);
        else metadata.set(name, parseMetadata(name, body.take(body.left, name), refuse));
      } else if (id === 1) {
        cores.push(bytes.subarray(start, end));
      } else if (id === 4) {
        nested++;
      } else if (id > 12) {
        throw new MalformedError(`section ${id} is none of a component`, start);
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    refuse("component_malformed", error.message, `offset ${error.offset}`);
    return {};
  }
  if (nested > 0) refuse("nested_component", "the component holds other components", nested);
  for (const name of twice) refuse("metadata_missing", `section ${name} is there more than once`, "repeated");
  const parts: Partial<Unpacked> = {};
  if (cores.length !== 1) refuse("core_modules", `the component holds ${cores.length} core modules instead of one`, cores.length);
  else {
    try {
      parts.core = stripCustomSections(cores[0]!);
    } catch (error) {
      if (!(error instanceof ArtifactError)) throw error;
      complain(error);
    }
  }
  for (const [key, name] of Object.entries(METADATA_SECTIONS)) {
    if (!metadata.has(name)) refuse("metadata_missing", `section ${name} is missing`, 0);
    else if (metadata.get(name) !== undefined) parts[key as keyof Metadata] = metadata.get(name);
  }
  return parts;
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

/** The section's JSON; undefined after a complaint. */
function parseMetadata(name: string, bytes: Uint8Array, refuse: (rule: ArtifactRule, message: string, value: number) => void): unknown {
  if (bytes.length > LIMITS.metadata_bytes_max) return refuse("metadata_size", `section ${name} is too large`, bytes.length);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return refuse("component_malformed", `section ${name} is not JSON in UTF-8`, bytes.length);
  }
  // Checks and printers of JSON call themselves for each level: a file of brackets must not exhaust their stack.
  if (deeper(json, METADATA_DEPTH_MAX)) return refuse("component_malformed", `section ${name} is JSON of more than ${METADATA_DEPTH_MAX} levels`, bytes.length);
  return json;
}

function deeper(json: unknown, max: number): boolean {
  const left: [unknown, number][] = [[json, 1]];
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    const [value, depth] = item;
    if (typeof value !== "object" || value === null) continue;
    if (depth > max) return true;
    for (const child of Object.values(value)) left.push([child, depth + 1]);
  }
  return false;
}

function hexHead(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 8)).toString("hex") || "empty";
}
