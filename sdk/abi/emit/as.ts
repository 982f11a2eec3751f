/**
 * nf_abi.json → gen/abi.as.ts: the ABI in AssemblyScript. Records are @unmanaged classes laid over guest addresses with `changetype`; the
 * top-level `offsetof` checks make a module fail to compile when the compiler lays a class out otherwise.
 *
 * AssemblyScript has no inline arrays: an array of at most 32 bytes becomes u64 (or smaller) words named `<field>_<byte>`; a longer one, which
 * has to end its record, becomes a constant `<RECORD>_<FIELD>_OFFSET`.
 */
import { type AbiModel, type Field, type Record_, SCALAR_BYTES } from "../model.ts";
import { HEAD, hex, pascal, screaming } from "./names.ts";

const INLINE_BYTES_MAX = 32;

export function emitAs(model: AbiModel): string {
  const { abi } = model;
  const constant = (name: string, type: string, value: string | number, doc = "") =>
    `${doc === "" ? "" : `/** ${doc} */\n`}export const ${name}: ${type} = ${value};`;
  const out: string[] = [
    `// ${HEAD}`,
    "// The NF ABI in AssemblyScript. Descriptors and flow records are read-only to the NF: a store to them traps.",
    "",
    constant("ABI_VERSION", "u32", abi.abi_version),
    "",
    ...abi.limits.map((l) => constant(screaming(l.name), l.value > 0xffffffff ? "u64" : "u32", l.value, l.doc)),
    "",
    ...abi.memory.areas.flatMap((a) => [
      constant(`${screaming(a.name)}_AREA`, "usize", hex(a.address), a.doc),
      constant(`${screaming(a.name)}_AREA_BYTES`, "u32", a.bytes),
    ]),
    "",
    ...[...model.call, ...model.result].map((p) => constant(`${screaming(p.name)}_ADDRESS`, "usize", hex(p.address))),
    "",
  ];
  for (const record of model.records) out.push(...emitRecord(record));
  for (const e of abi.enums) {
    out.push(`export enum ${pascal(e.name)} {`);
    for (const v of e.values) out.push(...(v.doc === "" ? [] : [`  /** ${v.doc} */`]), `  ${v.name} = ${v.value},`);
    out.push("}", "");
  }
  return out.join("\n");
}

function emitRecord(record: Record_): string[] {
  const name = pascal(record.name);
  const lines = [`/** ${record.doc} */`, "@unmanaged", `export class ${name} {`];
  const checks: [string, number][] = [];
  const offsets: string[] = [];
  let open = true;
  const add = (field: string, type: string, offset: number, doc: string) => {
    if (!open) throw new Error(`record ${record.name}: ${field} follows a long array; AssemblyScript cannot place it`);
    lines.push(`  /** ${doc} */`, `  ${field}: ${type};`);
    checks.push([field, offset]);
  };
  for (const f of record.fields) {
    if (f.length === undefined) add(f.name, f.scalar, f.offset, f.doc);
    else if (f.bytes <= INLINE_BYTES_MAX) for (const [offset, type] of words(f)) add(`${f.name}_${offset - f.offset}`, type, offset, f.doc);
    else {
      if (!f.reserved) offsets.push(`/** ${f.doc} */`, `export const ${screaming(record.name)}_${screaming(f.name)}_OFFSET: usize = ${f.offset};`);
      open = false;
    }
  }
  lines.push("}", `export const ${screaming(record.name)}_BYTES: usize = ${record.bytes};`, ...offsets);
  for (const [field, offset] of checks) {
    lines.push(`if (offsetof<${name}>("${field}") != ${offset}) ERROR("${name}.${field} is not at ${offset}, where the ABI has it");`);
  }
  if (open) lines.push(`if (offsetof<${name}>() != ${record.bytes}) ERROR("${name} is not ${record.bytes} bytes, as the ABI has it");`);
  return [...lines, ""];
}

/** The largest naturally aligned words that tile an array field. */
function words(f: Field): [number, string][] {
  const out: [number, string][] = [];
  let at = f.offset;
  while (at < f.offset + f.bytes) {
    const type = (["u64", "u32", "u16", "u8"] as const).find((t) => at % SCALAR_BYTES[t] === 0 && at + SCALAR_BYTES[t] <= f.offset + f.bytes)!;
    out.push([at, type]);
    at += SCALAR_BYTES[type];
  }
  return out;
}
