/**
 * Admission: is this file an NF that a host may run? `checkComponent` takes the artifact apart, reads the core module with readers that believe
 * nothing, lets V8 validate it and wraps it anew with the host's own WIT. All rules are in rules.ts; it goes on after a refusal wherever that makes
 * sense, so that an author sees everything at once. Nothing of the module runs.
 *
 * For files of strangers use checkInChild (child.ts): the same, in a process that can be ended.
 */
import { createHash } from "node:crypto";
import type { OptionalExport } from "../abi/gen/abi.ts";
import type { ConfigSchema } from "../config/index.ts";
import { NfError } from "../errors.ts";
import type { Manifest, StateSchema } from "../manifest/index.ts";
import { readArtifact, wrapCore } from "../pack/index.ts";
import { readCore } from "./core_reader.ts";
import { checkMetadata, checkStateAgrees } from "./metadata_rules.ts";
import { type Measure, type LimitName, type Refusal, Report, printable } from "./rules.ts";
import { type ModuleFacts, checkShape } from "./shape_rules.ts";

/** What a host needs of an admitted NF. */
export interface AdmittedNf {
  manifest: Manifest;
  stateSchema: StateSchema;
  configSchema: ConfigSchema;
  /** The core module without custom sections: what is compiled. */
  core: Uint8Array;
  /** SHA-256 of `core`, hex. */
  digest: string;
  abiVersion: number;
  stateBytes: number;
  stateVersion: number;
  heapPages: number;
  optionalExports: OptionalExport[];
}

export interface Admission {
  ok: boolean;
  refusals: Refusal[];
  /** Further refusals of rules that had been broken often enough. */
  hidden: number;
  measured: Partial<Record<LimitName, Measure>>;
  /** There if, and only if, `ok`. */
  nf?: AdmittedNf;
}

/** Checks the bytes of a component. Takes time in proportion to its size; throws only for faults of our own. */
export async function checkComponent(bytes: Uint8Array): Promise<Admission> {
  const report = new Report();
  report.measure("component_size", bytes.length);
  const artifact = readArtifact(bytes, ({ rule, message, value }) => report.refuse(rule, value, message));
  const { manifest, stateSchema, configSchema } = checkMetadata(artifact, report);
  const facts = artifact.core === undefined ? undefined : await checkCore(artifact.core, report, manifest?.heap_pages);
  if (facts && stateSchema) checkStateAgrees(stateSchema, facts.stateBytes, facts.stateVersion, report);
  return conclude(report, { manifest, stateSchema, configSchema, core: artifact.core, ...facts });
}

/** The rules on a core module alone; `heapPages` is what the manifest grants. */
export async function checkCore(core: Uint8Array, report: Report, heapPages?: number): Promise<ModuleFacts> {
  const before = report.refusals.length;
  const shape = readCore(core, report);
  const facts = checkShape(shape, heapPages, report);
  // V8 knows features that are refused here, and others not: its verdict says something only about what has passed so far.
  if (report.count("module_malformed", "feature", "memory_missing") === 0) checkValid(core, report);
  // What the wrap would complain of has been said already, when something has been said of the module.
  if (report.refusals.length === before) await checkWorld(core, report);
  return facts;
}

/** V8's own, which the types of this project's standard library leave out. */
const v8 = (globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean; Module: new (bytes: Uint8Array) => object } }).WebAssembly;

/** V8's validation: types of all operands, indexes, alignments. */
function checkValid(core: Uint8Array, report: Report): void {
  if (v8.validate(core)) return;
  let reason = "it does not say why";
  try {
    new v8.Module(core);
  } catch (error) {
    if (error instanceof Error) reason = error.message.replace(/^WebAssembly\.Module\(\): /, "");
  }
  report.refuse("module_invalid", "invalid", `V8: ${printable(reason, 200)}`);
}

/** Wraps the module with the host's own WIT: wasm-tools compares names and signatures with the world. */
export async function checkWorld(core: Uint8Array, report: Report): Promise<void> {
  try {
    await wrapCore(core);
  } catch (error) {
    if (!(error instanceof NfError)) throw error;
    report.refuse("world", "misfit", printable(error.message, 300));
  }
}

type Found = { [K in Exclude<keyof AdmittedNf, "digest">]?: AdmittedNf[K] | undefined };

function conclude(report: Report, found: Found): Admission {
  const { refusals, hidden, measured } = report;
  if (!report.ok) return { ok: false, refusals, hidden, measured };
  const { manifest, stateSchema, configSchema, core, abiVersion, stateBytes, stateVersion, heapPages, optionalExports } = found;
  if (!manifest || !stateSchema || !configSchema || !core || !optionalExports) throw new Error("admission found nothing wrong, and not everything");
  if (abiVersion === undefined || stateBytes === undefined || stateVersion === undefined || heapPages === undefined) {
    throw new Error("admission found nothing wrong, and not everything");
  }
  const digest = createHash("sha256").update(core).digest("hex");
  const nf = { manifest, stateSchema, configSchema, core, digest, abiVersion, stateBytes, stateVersion, heapPages, optionalExports };
  return { ok: true, refusals, hidden, measured, nf };
}
