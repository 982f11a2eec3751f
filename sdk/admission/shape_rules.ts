/**
 * The rules on a module's shape: its memory, table, exports, constants, and where its segments lie. Rules whose sections could not be read to
 * their end are left out: the refusal that says so is there already.
 */
import {
  ABI_VERSION,
  BASE_PAGES,
  EXPORTS,
  LIMITS,
  MEMORY_EXPORT,
  MODULE_BASE,
  PAGE_BYTES,
  type AbiScalar,
  type ExportSpec,
  type OptionalExport,
} from "../abi/gen/abi.ts";
import { type Export, ExportKind, type FunctionType, type Shape } from "./core_reader.ts";
import { ValueType, valueTypeName } from "./opcodes.ts";
import { type Report, quote } from "./rules.ts";

const SECTION = { type: 1, import: 2, function: 3, table: 4, memory: 5, export: 7, element: 9, code: 10, data: 11 } as const;

export interface ModuleFacts {
  abiVersion: number | undefined;
  stateBytes: number | undefined;
  stateVersion: number | undefined;
  heapPages: number | undefined;
  optionalExports: OptionalExport[];
}

/** `heapPagesGranted` is the manifest's heap_pages; undefined when the manifest is no use. */
export function checkShape(shape: Shape, heapPagesGranted: number | undefined, report: Report): ModuleFacts {
  const whole = (...ids: number[]): boolean => ids.every((id) => !shape.broken.has(id));
  const heapPages = whole(SECTION.import, SECTION.memory) ? checkMemory(shape, heapPagesGranted, report) : undefined;
  if (whole(SECTION.import, SECTION.table)) checkTables(shape, report);
  if (whole(SECTION.element, SECTION.import, SECTION.table)) checkElements(shape, report);
  if (whole(SECTION.data)) checkData(shape, heapPages, report);
  const facts: ModuleFacts = { abiVersion: undefined, stateBytes: undefined, stateVersion: undefined, heapPages, optionalExports: [] };
  if (!whole(SECTION.type, SECTION.import, SECTION.function, SECTION.export)) return facts;
  const exports = checkExports(shape, report);
  facts.optionalExports = EXPORTS.optional.map(({ name }) => name).filter((name) => exports.has(name));
  if (!whole(SECTION.code)) return facts;
  facts.abiVersion = constantOf("abi-version", exports, shape, report);
  facts.stateBytes = constantOf("state-bytes", exports, shape, report);
  facts.stateVersion = constantOf("state-version", exports, shape, report);
  if (facts.abiVersion !== undefined && facts.abiVersion !== ABI_VERSION) {
    report.refuse("abi_version", facts.abiVersion, `the module is made for ABI version ${facts.abiVersion}, this host runs ${ABI_VERSION}`, ABI_VERSION);
  }
  if (facts.stateBytes !== undefined && !report.within("state_bytes", facts.stateBytes, `a slot has ${facts.stateBytes} bytes`)) facts.stateBytes = undefined;
  return facts;
}

/** The heap pages of a memory as it has to be. */
function checkMemory(shape: Shape, granted: number | undefined, report: Report): number | undefined {
  const memory = shape.memories[0];
  if (memory === undefined || shape.memories.length > 1) {
    report.refuse("memory_missing", shape.memories.length, `the module has ${shape.memories.length} memories`, 1);
    return undefined;
  }
  const { min, max } = memory;
  if (max !== min || min <= BASE_PAGES) {
    report.refuse("memory_limits", `${min} to ${max ?? "any number of"} pages`, `the memory has ${min} pages and may grow to ${max ?? "any size"}`);
    return undefined;
  }
  const heapPages = min - BASE_PAGES;
  const limit = Math.min(granted ?? LIMITS.heap_pages_max, LIMITS.heap_pages_max);
  const allowed = granted === undefined ? "" : `, nf.yaml says ${granted}`;
  return report.within("heap_pages", heapPages, `the memory has ${heapPages} heap pages${allowed}`, limit) ? heapPages : undefined;
}

function checkTables(shape: Shape, report: Report): void {
  if (shape.tables.length > 1) report.refuse("table", shape.tables.length, `the module has ${shape.tables.length} tables`, 1);
  for (const { min, max } of shape.tables) {
    const size = Math.max(min, max ?? 0);
    report.within("table", size, `the table has ${size} elements`);
  }
}

function checkElements(shape: Shape, report: Report): void {
  const size = shape.tables[0]?.min ?? 0;
  for (const [i, { offset, count }] of shape.elements.entries()) {
    if (offset === undefined) report.refuse("elements", "no constant", `element segment ${i} has no constant offset`, "i32.const");
    else if (offset + count > size) report.refuse("elements", offset + count, `element segment ${i} ends beyond the table's ${size} elements`, size);
  }
}

function checkData(shape: Shape, heapPages: number | undefined, report: Report): void {
  const end = MODULE_BASE + (heapPages ?? LIMITS.heap_pages_max) * PAGE_BYTES;
  const allowed = `${hex(MODULE_BASE)} to ${hex(end)}`;
  for (const [i, { address, bytes }] of shape.data.entries()) {
    if (address === undefined) report.refuse("data_place", "no constant", `data segment ${i} is passive or has no constant address`, allowed);
    else if (address < MODULE_BASE || address + bytes > end) {
      const place = `${hex(address)} to ${hex(address + bytes)}`;
      report.refuse("data_place", place, `data segment ${i} lies at ${place}, the module area is ${allowed}`, allowed);
    }
  }
}

/** The functions that are exported as the ABI says, by name. */
function checkExports(shape: Shape, report: Report): Map<string, Export> {
  const specs = new Map<string, ExportSpec>([...EXPORTS.required, ...EXPORTS.optional].map((spec) => [spec.name, spec]));
  const good = new Map<string, Export>();
  const seen = new Set<string>();
  for (const entry of shape.exports) {
    const { name, kind, index } = entry;
    const spec = specs.get(name);
    seen.add(name);
    if (name === MEMORY_EXPORT) {
      if (kind !== ExportKind.memory) report.refuse("memory_export", kindName(kind), `'${name}' is the name of a ${kindName(kind)}`);
    } else if (spec === undefined) {
      report.refuse("export_unknown", quote(name), `${quote(name)} is exported, but not a part of the ABI`);
    } else if (kind !== ExportKind.function) {
      report.refuse("export_type", kindName(kind), `'${name}' is a ${kindName(kind)}`, typeText(wanted(spec)));
    } else {
      const type = shape.types[shape.functions[index] ?? -1];
      const found = type === undefined ? "no function" : typeText(type);
      if (found === typeText(wanted(spec))) good.set(name, entry);
      else report.refuse("export_type", found, `'${name}' is ${found} instead of ${typeText(wanted(spec))}`, typeText(wanted(spec)));
    }
  }
  if (!seen.has(MEMORY_EXPORT) && shape.memories.length > 0) report.refuse("memory_export", "missing", `there is no export '${MEMORY_EXPORT}'`);
  for (const { name } of EXPORTS.required) if (!seen.has(name)) report.refuse("export_missing", name, `the module does not export '${name}'`);
  return good;
}

/** The constant that an exported function of no parameters returns, read from its body. */
function constantOf(name: string, exports: Map<string, Export>, shape: Shape, report: Report): number | undefined {
  const index = exports.get(name)?.index;
  if (index === undefined) return undefined;
  const value = shape.bodies[index - shape.importedFunctions]?.constant;
  if (value === undefined) report.refuse("constant_export", name, `'${name}' computes its value`, "one i32.const");
  return value;
}

function wanted(spec: ExportSpec): FunctionType {
  const type = (scalar: AbiScalar): number => (scalar === "u64" ? ValueType.i64 : ValueType.i32);
  return { params: spec.params.map((p) => type(p.type)), results: spec.result === undefined ? [] : [type(spec.result)] };
}

function typeText({ params, results }: FunctionType): string {
  const list = (types: number[]): string => `(${types.slice(0, 8).map(valueTypeName).join(", ")}${types.length > 8 ? ", ..." : ""})`;
  return `${list(params)} -> ${list(results)}`;
}

function kindName(kind: number): string {
  return ["function", "table", "memory", "global"][kind] ?? "thing";
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
