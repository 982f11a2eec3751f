/**
 * The rules of admission: one table, from which messages, tests and docs/admission_rules.md are made. A refusal names its rule, the measured
 * value, the limit, and what to do.
 */
import { LIMITS } from "../abi/gen/abi.ts";

export type LimitName = keyof typeof LIMITS;
export interface Measure {
  value: number;
  limit: number;
}
interface Rule {
  /** What has to hold. */
  what: string;
  /** The number of nf_abi.json that bounds it, if one does. */
  limit?: LimitName;
  fix: string;
}

const rebuild = "Build the NF with 'nfactor build'; it writes modules of this shape.";

export const RULES = {
  // The artifact.
  component_malformed: {
    what: "The file is a WebAssembly component, whole and well-formed.",
    fix: "Upload the .wasm file that 'nfactor build' wrote, unchanged.",
  },
  component_size: {
    what: "The component is not too large.",
    limit: "component_bytes_max",
    fix: "Make the NF smaller: its tables belong into the configuration.",
  },
  core_modules: { what: "The component holds exactly one core module.", fix: rebuild },
  nested_component: { what: "The component holds no other component.", fix: rebuild },
  metadata_missing: { what: "The component carries nfactor.manifest, nfactor.state and nfactor.config, each once.", fix: rebuild },
  metadata_size: { what: "Each metadata section is not too large.", limit: "metadata_bytes_max", fix: "Shorten descriptions, or split the configuration." },
  manifest: { what: "The manifest is a valid nf.yaml, as JSON.", fix: "Mend nf.yaml and build again." },
  state_schema: { what: "The state schema is valid and describes the slot that state-bytes and state-version declare.", fix: rebuild },
  config_schema: { what: "The configuration schema is of the kind that the compiler writes: an object of typed fields.", fix: rebuild },
  world: { what: "The core module fits the world nfactor:nf/network-function when it is wrapped again with the host's own WIT.", fix: rebuild },
  // The module as a whole.
  module_malformed: { what: "The core module is a well-formed WebAssembly 1.0 binary.", fix: "Compile again; the file may be damaged." },
  module_invalid: { what: "The core module passes WebAssembly validation.", fix: "Compile again; the compiler made an invalid module." },
  module_bytes: { what: "The core module is not too large.", limit: "module_bytes_max", fix: "Make the NF smaller: its tables belong into the configuration." },
  feature: {
    what: "Only WebAssembly 1.0, mutable globals, sign extension, non-trapping conversions and multi-value are used: no bulk memory, SIMD, threads, reference types, tail calls, exceptions, GC, memory64, several memories.",
    fix: "Compile without this feature; for AssemblyScript, 'nfactor build' sets the flags.",
  },
  imports: {
    what: "The module imports nothing.",
    fix: "Use the SDK's log, counter, random and now: they are records in memory, not imports. Math.random, Date.now, console and trace pull imports in.",
  },
  start_section: { what: "There is no start section: nothing runs before the host calls init.", fix: "Compile with --exportStart init." },
  // Counts and sizes.
  types: { what: "Function types are not too many.", limit: "types_max", fix: "Use fewer distinct signatures." },
  params: { what: "A function type has not too many parameters.", limit: "params_max", fix: "Pass a reference to a class." },
  type_results: { what: "A function type has not too many results.", limit: "type_results_max", fix: "Return a reference to a class." },
  functions: { what: "Functions are not too many.", limit: "functions_max", fix: "Split the NF in two and chain them." },
  function_body: { what: "No function body is too long.", limit: "function_body_bytes_max", fix: "Split the function." },
  locals: { what: "No function has too many locals, parameters included.", limit: "function_locals_max", fix: "Split the function." },
  nesting: { what: "Blocks are not nested too deep.", limit: "nesting_max", fix: "Split the function." },
  br_table: { what: "No br_table has too many targets.", limit: "br_table_targets_max", fix: "Use a table in memory instead of a large switch." },
  globals: { what: "Globals are not too many.", limit: "globals_max", fix: "Keep values in a class." },
  table: { what: "There is at most one table, of functions, and not too large.", limit: "table_elements_max", fix: "Use fewer indirect calls." },
  elements: { what: "Element segments are active, in place, lie within the table and are not too many.", limit: "element_segments_max", fix: rebuild },
  data_segments: { what: "Data segments are not too many.", limit: "data_segments_max", fix: "Join static data." },
  data_place: { what: "Data segments are active, at a constant address inside the module area.", fix: "Compile with --memoryBase 2147483648." },
  // Memory.
  memory_missing: { what: "The module defines exactly one memory of its own.", fix: rebuild },
  memory_export: { what: "The memory is exported as 'memory'.", fix: rebuild },
  memory_limits: {
    what: "The memory's minimum and maximum are equal: 32768 pages and at least one heap page.",
    fix: "Compile with --initialMemory and --maximumMemory of 32768 + heap pages.",
  },
  heap_pages: {
    what: "Heap pages are within the manifest's heap_pages.",
    limit: "heap_pages_max",
    fix: "Raise heap_pages in nf.yaml, or use less static data.",
  },
  // Exports.
  exports: { what: "Exports are not too many.", limit: "exports_max", fix: rebuild },
  export_missing: { what: "All required exports are there.", fix: "Extend NetworkFunction and build with 'nfactor build'." },
  export_type: { what: "Every export has exactly the type that the ABI gives it.", fix: rebuild },
  export_unknown: { what: "Nothing else is exported.", fix: "Remove 'export' from what the host does not call." },
  constant_export: {
    what: "abi-version, state-bytes and state-version are functions that return a constant.",
    fix: "Write them as functions whose body is one constant; the transform does.",
  },
  abi_version: { what: "The ABI version is one that this host runs.", fix: "Build the NF with the SDK of this host's version." },
  state_bytes: { what: "A slot is not too large.", limit: "state_bytes_max", fix: "Keep less per flow." },
  // How the check itself ended.
  check_limits: { what: "The check itself stays within its time and memory.", fix: "Make the module smaller and simpler." },
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;

export interface Refusal {
  rule: RuleId;
  /** What was measured or found. */
  value: number | string;
  /** What is allowed, as a number of nf_abi.json where the rule has one. */
  limit: number | string;
  message: string;
  fix: string;
}

/** Refusals of one rule that are kept; a module may break it a thousand times. */
const REFUSALS_PER_RULE = 3;

/** Collects refusals and what was measured. */
export class Report {
  readonly refusals: Refusal[] = [];
  /** The largest value seen, and its limit, by the limit's name. */
  readonly measured: Partial<Record<LimitName, Measure>> = {};
  readonly #counts = new Map<RuleId, number>();

  /** `detail` says where or what; it must not hold unbounded text of the module. */
  refuse(rule: RuleId, value: number | string, detail: string, limit?: number | string): void {
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count > REFUSALS_PER_RULE) return;
    const { what, fix, limit: limitName }: Rule = RULES[rule];
    const bound = limit ?? (limitName === undefined ? what : LIMITS[limitName]);
    this.refusals.push({ rule, value, limit: bound, message: detail, fix });
  }

  /** Measures, and refuses when `value` is above the rule's limit, or above `max` where the NF itself declares less; true when it is within. */
  within(rule: RuleId, value: number, detail: string, max = limitOf(rule)): boolean {
    this.measure(rule, value, max);
    if (value > max) this.refuse(rule, value, detail, max);
    return value <= max;
  }

  /** Notes what was measured for a rule; the largest value counts. */
  measure(rule: RuleId, value: number, max = limitOf(rule)): void {
    const { limit }: Rule = RULES[rule];
    if (limit !== undefined && (this.measured[limit]?.value ?? -1) < value) this.measured[limit] = { value, limit: max };
  }

  /** How often one of these rules was broken, kept or not. */
  count(...rules: RuleId[]): number {
    return rules.reduce((sum, rule) => sum + (this.#counts.get(rule) ?? 0), 0);
  }

  get ok(): boolean {
    return this.refusals.length === 0;
  }

  /** Refusals that were not kept because the same rule had been broken often enough. */
  get hidden(): number {
    return [...this.#counts.values()].reduce((sum, n) => sum + Math.max(0, n - REFUSALS_PER_RULE), 0);
  }
}

function limitOf(rule: RuleId): number {
  const { limit }: Rule = RULES[rule];
  return limit === undefined ? Number.POSITIVE_INFINITY : LIMITS[limit];
}

/** `rule: message (value …, limit …). fix` */
export function formatRefusal(r: Refusal): string {
  const limit = typeof r.limit === "number" ? ` (${r.value}, at most ${r.limit})` : "";
  return `${r.rule}: ${r.message}${limit}. ${r.fix}`;
}

/** Text of a stranger made fit for a message: printable, of at most `max` characters. */
export function printable(text: string, max: number): string {
  const head = text.slice(0, max + 1);
  const clean = head.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?");
  return clean.length > max ? `${clean.slice(0, max - 3)}...` : clean;
}

/** The same for a name, in quotes. */
export function quote(text: string): string {
  return `'${printable(text, 64)}'`;
}

export function admissionRulesMarkdown(): string {
  const rows = Object.entries<Rule>(RULES).map(([id, r]) => {
    const limit = r.limit === undefined ? "" : `${LIMITS[r.limit].toLocaleString("en-US")} (\`${r.limit}\`)`;
    return `| \`${id}\` | ${r.what} | ${limit} | ${r.fix} |`;
  });
  return [
    "<!-- Generated from sdk/admission/rules.ts by `npm run generate`. Do not edit. -->",
    "# Rules of admission",
    "",
    "An NF is checked against these by `nfactor check`, and again by the host, in a child process, before any native code is made of it. A refusal",
    "gives the rule, the measured value, the limit and the fix.",
    "",
    "| rule | what has to hold | limit | if not |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
