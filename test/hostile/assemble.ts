/**
 * Text of a hostile module made a binary. A text holds only what is special about the module: memory, constants and the required exports that it
 * does not write itself are added, so that everything but the attack is in order. `{{area.header}}`, `{{area.header.end}}`, `{{call.descriptors}}`,
 * `{{result.results}}`, `{{record.descriptor.state}}` (an offset) and `{{limit.burst_packets}}` stand for numbers of the ABI.
 *
 * A text may define `$packet (param $result i32) (param $descriptor i32)`, called for each packet, instead of process-burst; and may call
 * `$forward (param $n i32)`, which answers FORWARD for n packets.
 */
import binaryen from "binaryen";
import { ABI_VERSION, AREAS, BASE_PAGES, CALL, EXPORTS, LIMITS, PAGE_BYTES, RECORDS, RESULT, ResultFlag, Verdict, type RequiredExport } from "@nfactor/sdk/abi";

export interface ModuleText {
  text: string;
  stateBytes: number;
  heapPages: number;
  /** Required exports that are not added. */
  omit: readonly RequiredExport[];
  /** `$packet` is called for flows with this responder port only; the others are forwarded. */
  onlyPort?: number | undefined;
  /** The text uses features that no NF may use. */
  allFeatures: boolean;
}

/** Throws when the text is wrong: the corpus is ours. */
export function assemble(module: ModuleText): Uint8Array {
  const text = moduleText(module);
  let parsed: binaryen.Module;
  try {
    parsed = binaryen.parseText(text);
  } catch (cause) {
    throw new Error(`the text of the hostile module is wrong: ${cause instanceof Error ? cause.message : String(cause)}\n${text}`, { cause });
  }
  // With all features the writer uses newer encodings, which would be refused before what the text is about.
  const { MutableGlobals, SignExt, NontrappingFPToInt, Multivalue, All } = binaryen.Features;
  parsed.setFeatures(module.allFeatures ? All : MutableGlobals | SignExt | NontrappingFPToInt | Multivalue);
  const binary = parsed.emitBinary();
  parsed.dispose();
  return new Uint8Array(binary);
}

/** The whole module as text. */
export function moduleText({ text, stateBytes, heapPages, omit, onlyPort }: Omit<ModuleText, "allFeatures">): string {
  const own = substitute(text, heapPages);
  if (/^\s*\(module\b/m.test(own)) return own;
  const has = (name: string): boolean => new RegExp(`\\(export "${name}"`).test(own) || omit.includes(name as RequiredExport);
  const pages = BASE_PAGES + heapPages;
  const memory = /\(memory[ )]/.test(own) ? [] : [`(memory (export "${EXPORTS.memory}") ${pages} ${pages})`];
  const added = EXPORTS.required.filter(({ name }) => !has(name)).map(({ name }) => standard(name, stateBytes, own, onlyPort));
  const parts = [own, ...memory, ...added, forwardAll];
  return `(module\n${parts.join("\n")}\n)`;
}

/** Whether what the text does, it does packet by packet: then `onlyPort` holds it to some flows. */
export function isByPacket(text: string): boolean {
  return /\(func \$packet /.test(text) && !/\(export "process-burst"/.test(text);
}

function standard(name: RequiredExport, stateBytes: number, own: string, onlyPort: number | undefined): string {
  switch (name) {
    case "abi-version":
      return `(func (export "abi-version") (result i32) (i32.const ${ABI_VERSION}))`;
    case "state-bytes":
      return `(func (export "state-bytes") (result i32) (i32.const ${stateBytes}))`;
    case "state-version":
      return `(func (export "state-version") (result i32) (i32.const 0))`;
    case "init":
      return `(func (export "init"))`;
    case "configure":
      return `(func (export "configure") (param i32 i32) (result i32) (i32.const 0))`;
    case "flow-close":
      return `(func (export "flow-close") (param i32 i32 i32))`;
    case "process-burst":
      return isByPacket(own)
        ? `(func (export "process-burst") (param $n i32) (local $i i32) ${eachPacket(onlyPort === undefined ? callPacket : ifPort(onlyPort))})`
        : `(func (export "process-burst") (param $n i32) (call $forward (local.get $n)))`;
  }
}

const address = (base: number, shift: number): string => `(i32.add (i32.const ${base}) (i32.shl (local.get $i) (i32.const ${shift})))`;
const eachPacket = (body: string): string =>
  `(block $done (loop $next (br_if $done (i32.ge_u (local.get $i) (local.get $n))) ${body} (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))`;
// Shifts instead of products: 16 bytes a result, 64 a descriptor.
const result = address(RESULT.results, Math.log2(RECORDS.result.bytes));
const descriptor = address(CALL.descriptors, Math.log2(RECORDS.descriptor.bytes));
const callPacket = `(call $packet ${result} ${descriptor})`;
const forward = `(i32.store8 ${result} (i32.const ${Verdict.FORWARD}))`;
const forwardAll = `(func $forward (param $n i32) (local $i i32) ${eachPacket(forward)})`;
const ifPort = (port: number): string => {
  const { descriptor: of, flow_record: flow } = RECORDS;
  const found = `(i32.load16_u offset=${flow.fields.responder_port.offset} (i32.load offset=${of.fields.flow.offset} ${descriptor}))`;
  return `(if (i32.eq ${found} (i32.const ${port})) (then ${callPacket}) (else ${forward}))`;
};

function substitute(text: string, heapPages: number): string {
  return text.replace(/\{\{([\w.]+)\}\}/g, (_whole, name: string) => {
    const value = number(name.split("."), heapPages);
    if (value === undefined) throw new Error(`{{${name}}} is no number of the ABI`);
    return String(value);
  });
}

function number([kind, name = "", part]: string[], heapPages: number): number | undefined {
  const get = (table: object, key: string): unknown => (Object.hasOwn(table, key) ? (table as Record<string, unknown>)[key] : undefined);
  switch (kind) {
    case "area": {
      const area = get(AREAS, name) as { address: number; bytes: number } | undefined;
      if (area === undefined) return undefined;
      return part === "end" ? area.address + (name === "module" ? heapPages * PAGE_BYTES : area.bytes) : area.address;
    }
    case "call":
      return get(CALL, name) as number | undefined;
    case "result":
      return get(RESULT, name) as number | undefined;
    case "record": {
      const record = get(RECORDS, name) as { bytes: number; fields: object } | undefined;
      if (record === undefined || part === undefined) return record?.bytes;
      return (get(record.fields, part) as { offset: number } | undefined)?.offset;
    }
    case "limit":
      return get(LIMITS, name) as number | undefined;
    case "verdict":
      return get(Verdict, name) as number | undefined;
    case "flag":
      return get(ResultFlag, name) as number | undefined;
    default:
      return undefined;
  }
}
