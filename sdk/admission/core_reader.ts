/**
 * Reads a core module: every section, every entry, every instruction. Refuses what is malformed, uses a feature outside of the ABI, or is too much
 * of something; what it returns is the module's shape, on which shape_rules.ts goes on. It runs nothing, recurses nowhere, and takes time in
 * proportion to the module's bytes.
 */
import { LIMITS } from "../abi/gen/abi.ts";
import { MalformedError, type Section, type WasmReader, binaryKind, sections } from "../pack/wasm_reader.ts";
import { type Body, FeatureError, readBody, readValueType } from "./code_reader.ts";
import { type Report, quote } from "./rules.ts";
import { readConstant, readMemory, readTable, type Limits } from "./section_parts.ts";

export interface FunctionType {
  params: number[];
  results: number[];
}
export interface Export {
  name: string;
  kind: number;
  index: number;
}
export const ExportKind = { function: 0, table: 1, memory: 2, global: 3 } as const;

/** What a module is made of. A section that could not be read to its end is in `broken`, and its part of the shape is not whole. */
export interface Shape {
  types: FunctionType[];
  /** Type of each function, imported ones first. */
  functions: number[];
  importedFunctions: number;
  imports: number;
  tables: Limits[];
  memories: Limits[];
  exports: Export[];
  elements: { offset: number | undefined; count: number }[];
  /** `address` is undefined when it is not a constant, or the segment is not active. */
  data: { address: number | undefined; bytes: number }[];
  bodies: Body[];
  broken: Set<number>;
}

const CUSTOM = 0;
const NAMES = ["custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count", "tag"];
/** Place of each section id in the order that the format demands: tags come after memories, the data count before the code. */
const ORDER = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6];

/** `core` should be free of custom sections; they are skipped. */
export function readCore(core: Uint8Array, report: Report): Shape {
  const shape: Shape = {
    types: [],
    functions: [],
    importedFunctions: 0,
    imports: 0,
    tables: [],
    memories: [],
    exports: [],
    elements: [],
    data: [],
    bodies: [],
    broken: new Set(),
  };
  report.within("module_bytes", core.length, `the core module has ${core.length} bytes`);
  if (binaryKind(core) !== "core") {
    report.refuse("module_malformed", "header", "the bytes do not begin like a core module");
    return shape;
  }
  let last = 0;
  try {
    for (const section of sections(core)) {
      if (section.id === CUSTOM) continue;
      const place = ORDER[section.id];
      if (place === undefined) throw new MalformedError(`section ${section.id} is unknown`, section.head);
      if (place <= last) throw new MalformedError(`the ${NAMES[section.id]} section is out of order or there twice`, section.head);
      last = place;
      readSection(section, shape, report);
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    report.refuse("module_malformed", `offset ${error.offset}`, error.message);
    // What was not reached is not whole either.
    for (const id of NAMES.keys()) shape.broken.add(id);
    return shape;
  }
  const defined = shape.functions.length - shape.importedFunctions;
  if (shape.broken.size === 0 && defined !== shape.bodies.length) {
    report.refuse("module_malformed", shape.bodies.length, `there are ${defined} functions, but ${shape.bodies.length} bodies`);
  }
  return shape;
}

function readSection(section: Section, shape: Shape, report: Report): void {
  const { id, body: reader } = section;
  let whole = false;
  guard(report, `${NAMES[id]} section`, () => {
    if (!SECTIONS[id]!(reader, shape, report)) return;
    reader.finish(`${NAMES[id]} section`);
    whole = true;
  });
  if (!whole) shape.broken.add(id);
}

/** Runs `read` and turns what it throws into a refusal. */
function guard(report: Report, where: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof FeatureError) report.refuse("feature", error.feature, `${where}: ${error.message}`);
    else if (error instanceof MalformedError) report.refuse("module_malformed", `offset ${error.offset}`, `${where}: ${error.message}`);
    else throw error;
  }
}

/** Reads a section's content; false when it cannot be read to its end although it is well-formed. */
type SectionReader = (reader: WasmReader, shape: Shape, report: Report) => boolean;

const SECTIONS: readonly SectionReader[] = [
  () => true,
  function readTypes(reader, shape, report) {
    const count = reader.count("types", 3);
    if (!report.within("types", count, `there are ${count} function types`)) return false;
    for (let i = 0; i < count; i++) {
      const at = reader.position;
      const form = reader.u8("form of the type");
      if (form >= 0x4d && form < 0x60) throw new FeatureError("garbage collection", at);
      if (form !== 0x60) throw new MalformedError(`0x${form.toString(16)} is no form of a type`, at);
      const list = (rule: "params" | "type_results", what: string): number[] => {
        const n = reader.count(what);
        report.within(rule, n, `type ${i} has ${n} ${what}`);
        return Array.from({ length: n }, () => readValueType(reader, what));
      };
      shape.types.push({ params: list("params", "parameters"), results: list("type_results", "results") });
    }
    return true;
  },
  function readImports(reader, shape, report) {
    shape.imports = reader.count("imports", 4);
    for (let i = 0; i < shape.imports; i++) {
      const module = reader.name("import");
      const name = reader.name("import");
      const at = reader.position;
      const kind = reader.u8("kind of the import");
      report.refuse("imports", shape.imports, `the module imports ${quote(name)} from ${quote(module)}`, 0);
      if (kind === ExportKind.function) {
        shape.functions.push(reader.u32("type index"));
        shape.importedFunctions++;
      } else if (kind === ExportKind.table) shape.tables.push(readTable(reader));
      else if (kind === ExportKind.memory) shape.memories.push(readMemory(reader));
      else if (kind === ExportKind.global) {
        readValueType(reader, "global type");
        reader.u8("mutability");
      } else if (kind === 4) throw new FeatureError("exceptions", at);
      else throw new MalformedError(`${kind} is no kind of import`, at);
    }
    return true;
  },
  function readFunctions(reader, shape, report) {
    const count = reader.count("functions");
    if (!report.within("functions", count, `there are ${count} functions`)) return false;
    for (let i = 0; i < count; i++) {
      const at = reader.position;
      const type = reader.u32("type index");
      if (type >= shape.types.length && !shape.broken.has(1)) throw new MalformedError(`type ${type} does not exist`, at);
      shape.functions.push(type);
    }
    return true;
  },
  function readTables(reader, shape) {
    for (let count = reader.count("tables", 3); count > 0; count--) shape.tables.push(readTable(reader));
    return true;
  },
  function readMemories(reader, shape) {
    for (let count = reader.count("memories", 2); count > 0; count--) shape.memories.push(readMemory(reader));
    return true;
  },
  function readGlobals(reader, shape, report) {
    const count = reader.count("globals", 4);
    if (!report.within("globals", count, `there are ${count} globals`)) return false;
    for (let i = 0; i < count; i++) {
      readValueType(reader, "global type");
      const at = reader.position;
      const mutability = reader.u8("mutability");
      if (mutability > 1) throw mutability > 3 ? new MalformedError(`${mutability} is no mutability`, at) : new FeatureError("threads", at);
      readConstant(reader, "initial value");
    }
    return true;
  },
  function readExports(reader, shape, report) {
    const count = reader.count("exports", 3);
    if (!report.within("exports", count, `there are ${count} exports`)) return false;
    const names = new Set<string>();
    for (let i = 0; i < count; i++) {
      const at = reader.position;
      const name = reader.name("export");
      const kind = reader.u8("kind of the export");
      if (kind === 4) throw new FeatureError("exceptions", at);
      if (kind > 4) throw new MalformedError(`${kind} is no kind of export`, at);
      if (names.has(name)) throw new MalformedError(`${quote(name)} is exported twice`, at);
      names.add(name);
      shape.exports.push({ name, kind, index: reader.u32("index") });
    }
    return true;
  },
  function readStart(reader, _shape, report) {
    const index = reader.u32("start function");
    report.refuse("start_section", `function ${index}`, `function ${index} would run when the module is instantiated`);
    return true;
  },
  function readElements(reader, shape, report) {
    const count = reader.count("element segments");
    if (!report.within("elements", count, `there are ${count} element segments`)) return false;
    for (let i = 0; i < count; i++) {
      const flags = reader.u32("kind of the segment");
      if (flags !== 0) {
        report.refuse("elements", `kind ${flags}`, `element segment ${i} is not an active one of functions`, "kind 0");
        return false;
      }
      const offset = readConstant(reader, "offset of the segment");
      const members = reader.count("functions of the segment");
      for (let k = 0; k < members; k++) reader.u32("function index");
      shape.elements.push({ offset, count: members });
    }
    return true;
  },
  function readCode(reader, shape, report) {
    const count = reader.count("function bodies", 2);
    // Too many functions were refused with the function section.
    if (count > LIMITS.functions_max) return false;
    for (let i = 0; i < count; i++) {
      const index = shape.importedFunctions + i;
      const body = reader.sub(reader.u32("length of the body"), "function body");
      guard(report, `function ${index}`, () => {
        const measured = readBody(body, shape.types.length);
        shape.bodies.push(measured);
        measureBody(index, measured, shape, report);
      });
    }
    return shape.bodies.length === count;
  },
  function readData(reader, shape, report) {
    const count = reader.count("data segments", 2);
    if (!report.within("data_segments", count, `there are ${count} data segments`)) return false;
    for (let i = 0; i < count; i++) {
      const at = reader.position;
      const flags = reader.u32("kind of the segment");
      if (flags > 2) throw new MalformedError(`${flags} is no kind of data segment`, at);
      if (flags === 2) throw new FeatureError("several memories", at);
      const address = flags === 0 ? readConstant(reader, "address of the segment") : undefined;
      const bytes = reader.take(reader.u32("length of the segment"), "data segment").length;
      shape.data.push({ address, bytes });
    }
    return true;
  },
  function readDataCount(reader) {
    throw new FeatureError("bulk memory", reader.position);
  },
  function readTags(reader) {
    throw new FeatureError("exceptions", reader.position);
  },
];

function measureBody(index: number, body: Body, shape: Shape, report: Report): void {
  const name = `function ${index}`;
  const params = shape.types[shape.functions[index] ?? -1]?.params.length ?? 0;
  report.within("function_body", body.bytes, `${name} has ${body.bytes} bytes`);
  report.within("locals", body.locals + params, `${name} has ${body.locals + params} locals`);
  report.within("nesting", body.nesting, `${name} nests ${body.nesting} blocks`);
  report.within("br_table", body.branchTargets, `${name} has a br_table of ${body.branchTargets} targets`);
}
