/**
 * Reads one function body, instruction by instruction, without a stack of its own: what it measures is compared with the limits, what it does not
 * know is refused. Whether operands fit is V8's business (module_invalid): here only the form counts.
 */
import type { WasmReader } from "../pack/wasm_reader.ts";
import { MalformedError } from "../pack/wasm_reader.ts";
import { IMMEDIATES, Immediate, PAGE_LAST, featureOf, featureOfType, valueTypeName } from "./opcodes.ts";

/** A form that is WebAssembly, but not of the kind that is allowed. */
export class FeatureError extends Error {
  readonly feature: string;
  constructor(feature: string, offset: number) {
    super(`${feature} at offset ${offset}`);
    this.name = "FeatureError";
    this.feature = feature;
  }
}

export interface Body {
  bytes: number;
  /** Locals that the body declares. */
  locals: number;
  /** Deepest nesting of blocks. */
  nesting: number;
  /** Targets of the largest br_table. */
  branchTargets: number;
  /** The value, when the whole body is one `i32.const`. */
  constant: number | undefined;
}

/** A value type of WebAssembly 1.0; throws FeatureError for others. */
export function readValueType(reader: WasmReader, what: string): number {
  const at = reader.position;
  const type = reader.u8(what);
  if (valueTypeName(type) !== undefined) return type;
  const feature = featureOfType(type);
  if (feature !== undefined) throw new FeatureError(feature, at);
  throw new MalformedError(`${what}: 0x${type.toString(16)} is no value type`, at);
}

/** Reads what `reader` holds; throws MalformedError or FeatureError. `types` is the number of function types. */
export function readBody(reader: WasmReader, types: number): Body {
  const bytes = reader.left;
  let locals = 0;
  for (let runs = reader.count("local declarations", 2); runs > 0; runs--) {
    // A run is one number and a type, whatever its length: nothing is made of it but this sum.
    locals += reader.u32("number of locals");
    readValueType(reader, "type of locals");
  }
  const body: Body = { bytes, locals, nesting: 0, branchTargets: 0, constant: locals === 0 ? readConstantBody(reader) : undefined };
  let depth = 1;
  while (depth > 0) {
    const at = reader.position;
    const opcode = reader.u8("instruction");
    switch (IMMEDIATES[opcode]) {
      case Immediate.none:
      case Immediate.otherwise:
        break;
      case Immediate.block:
        readBlockType(reader, types);
        // The function itself is no nesting.
        body.nesting = Math.max(body.nesting, depth);
        depth++;
        break;
      case Immediate.end:
        depth--;
        break;
      case Immediate.index:
        reader.u32("index");
        break;
      case Immediate.branchTable: {
        const targets = reader.count("targets of br_table");
        body.branchTargets = Math.max(body.branchTargets, targets);
        for (let i = 0; i <= targets; i++) reader.u32("target of br_table");
        break;
      }
      case Immediate.callIndirect:
        reader.u32("type index");
        readZero(reader, "table of call_indirect", "reference types");
        break;
      case Immediate.memory:
        // Bit 6 of the alignment announces a memory index.
        if (reader.u32("alignment") >= 64) throw new FeatureError("several memories", at);
        reader.u32("offset");
        break;
      case Immediate.zero:
        readZero(reader, "memory index", "several memories");
        break;
      case Immediate.i32:
        reader.s32("i32.const");
        break;
      case Immediate.i64:
        reader.signed(64, "i64.const");
        break;
      case Immediate.f32:
        reader.take(4, "f32.const");
        break;
      case Immediate.f64:
        reader.take(8, "f64.const");
        break;
      case Immediate.page: {
        const sub = reader.u32("opcode");
        if (sub > PAGE_LAST) refuseOpcode(at, opcode, sub);
        break;
      }
      default:
        refuseOpcode(at, opcode);
    }
  }
  reader.finish("function body");
  return body;
}

function readBlockType(reader: WasmReader, types: number): void {
  const at = reader.position;
  const first = reader.bytes[at];
  if (first === 0x40 || (first !== undefined && valueTypeName(first) !== undefined)) {
    reader.position++;
    return;
  }
  const feature = first === undefined ? undefined : featureOfType(first);
  if (feature !== undefined) throw new FeatureError(feature, at);
  const index = reader.signed(33, "block type");
  if (index < 0n || index >= BigInt(types)) throw new MalformedError(`block type ${index} does not exist`, at);
}

/** One byte that is zero as long as the feature that gave it a meaning is not used. */
export function readZero(reader: WasmReader, what: string, feature: string): void {
  const at = reader.position;
  if (reader.u8(what) !== 0) throw new FeatureError(feature, at);
}

function refuseOpcode(at: number, opcode: number, sub?: number): never {
  const feature = featureOf(opcode, sub);
  if (feature !== undefined) throw new FeatureError(feature, at);
  throw new MalformedError(`0x${opcode.toString(16)}${sub === undefined ? "" : ` ${sub}`} is no instruction`, at);
}

/** The value if what follows is `i32.const n; end` and nothing else. Does not move the reader. */
function readConstantBody(reader: WasmReader): number | undefined {
  const start = reader.position;
  try {
    if (reader.left < 3 || reader.u8("instruction") !== 0x41) return undefined;
    const value = reader.s32("i32.const") >>> 0;
    return reader.left === 1 && reader.u8("instruction") === 0x0b ? value : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  } finally {
    reader.position = start;
  }
}
