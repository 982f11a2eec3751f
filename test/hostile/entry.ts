/** What an entry of the hostile corpus is: what it tries, what it is made of, and what has to become of it. */
import type { FaultKindName, OptionalExport, RequiredExport } from "@nfactor/sdk/abi";
import type { RuleId } from "@nfactor/sdk/admission";
import type { ManifestFields } from "../../sdk/admission/testing/artifact.ts";

export type ExportName = RequiredExport | OptionalExport;

/** Exports that are called only where flows move between runtimes. */
export const OF_MOVES: readonly string[] = ["migration-target", "flow-arrived", "flow-left"];

/** A valid artifact that misbehaves when it runs. */
export interface RunExpectation {
  /** The export in which it misbehaves: what a test has to make happen. */
  in: ExportName;
  /** The kind of the fault that is reported, at least once; undefined: it is contained without one. */
  fault?: FaultKindName;
  /** The same fault on engines that cannot tell it from another one. */
  orFault?: FaultKindName;
  /**
   * What becomes of the packets of its flows (IPv4, TCP or UDP, with payload), when nothing else drops them:
   * - `forwarded`: all leave, byte for byte as they came;
   * - `faulted`: all are dropped as nf_fault or, after too many, nf_quarantined;
   * - `some_faulted`: at least one is, at least one leaves;
   * - `dropped`: by the NF itself, or as flow_refused;
   * - `key_changed`: the first of each flow leaves, the others are dropped as key_changed;
   * - `never_started`: no runtime with this NF starts (error nf.start, or config.refused).
   */
  packets: "forwarded" | "faulted" | "some_faulted" | "dropped" | "key_changed" | "never_started";
  /** Values of the NF's own counters at the end, from number 0 on. */
  counters?: readonly bigint[];
}

export type Expectation = { refused: readonly RuleId[] } | { run: RunExpectation };

/** A text in corpus/<name>.wat, a text, or the bytes of a core module or of a whole artifact. */
export type Source = { file: true } | { text: string } | { core: () => Uint8Array } | { artifact: () => Uint8Array | Promise<Uint8Array> };

export interface HostileEntry {
  name: string;
  /** What it tries, in one sentence. */
  tries: string;
  source: Source;
  manifest?: ManifestFields;
  /** Bytes of a slot; 8 unless told. */
  stateBytes?: number;
  /** It can put the blame on any packet of its call, as every NF can drop any packet: nothing is promised to other flows of its chain. */
  blamesOthers?: boolean;
  /** Required exports that it lacks. */
  omit?: readonly RequiredExport[];
  expect: Expectation;
}

/** An entry that is refused; its text is in corpus/<name>.wat. */
export function refused(name: string, tries: string, rules: RuleId | readonly RuleId[], more: Partial<HostileEntry> = {}): HostileEntry {
  return { name, tries, source: { file: true }, expect: { refused: typeof rules === "string" ? [rules] : rules }, ...more };
}

/** An entry that runs; its text is in corpus/<name>.wat. */
export function running(name: string, tries: string, run: RunExpectation, more: Partial<HostileEntry> = {}): HostileEntry {
  return { name, tries, source: { file: true }, expect: { run }, ...more };
}
