// abi.as.ts: the numbers for NFs. Records are @unmanaged classes over a pointer; array fields, which the language lacks, are
// reserved by filler fields and named by an offset constant. Top-level checks fail the compilation when an offset is off.
import { type Abi, type Record_, hex, pascal, typeOf, upper } from "./model.ts";

function record(r: Record_): string[] {
  const fields: string[] = [];
  const checks: string[] = [];
  for (const f of r.fields) {
    const { element, bytes, count } = typeOf(f.type);
    if (count === 0) {
      fields.push(`  ${f.name}: ${element};`);
      checks.push(`if (offsetof<${pascal(r.name)}>("${f.name}") != ${String(f.offset)}) ERROR("ABI: ${r.name}.${f.name} is not at ${String(f.offset)}");`);
      continue;
    }
    const end = f.offset + bytes * count;
    for (let at = f.offset; at < end; ) {
      const size = [8, 4, 2, 1].find((s) => at % s === 0 && at + s <= end)!;
      fields.push(`  private _${f.name}_${String(at)}: u${String(size * 8)};`);
      at += size;
    }
  }
  const arrays = r.fields.filter((f) => typeOf(f.type).count > 0 && !f.name.startsWith("reserved_"));
  return [
    `/** ${r.doc} */`,
    "@unmanaged",
    "@final",
    `export class ${pascal(r.name)} {`,
    ...fields,
    "}",
    ...arrays.map((f) => `export const ${upper(r.name)}_${upper(f.name)}_OFFSET: usize = ${String(f.offset)};`),
    `export const ${upper(r.name)}_BYTES: usize = ${String(r.bytes)};`,
    `if (offsetof<${pascal(r.name)}>() > ${String(r.bytes)}) ERROR("ABI: ${r.name} is longer than ${String(r.bytes)} bytes");`,
    ...checks,
    "",
  ];
}

export function assemblyscript(abi: Abi): string {
  return [
    "// Generated from nf_abi.json by generate.ts. Do not edit.",
    "",
    `export const ABI_VERSION: u32 = ${String(abi.version)};`,
    ...abi.limits.map((l) => `export const ${upper(l.name)}: ${l.value > 0xffffffff ? "u64" : "u32"} = ${String(l.value)};`),
    ...abi.areas.map((a) => `export const ${upper(a.name)}_AREA: usize = ${hex(a.address)};`),
    ...[...abi.callLayout, ...abi.resultLayout].map((l) => `export const ${upper(l.name)}: usize = ${hex(l.address)};`),
    "",
    ...abi.records.flatMap(record),
    ...abi.enums.flatMap((e) => [
      ...(e.bits ? [`export namespace ${pascal(e.name)} {`] : [`export namespace ${pascal(e.name)}Value {`]),
      ...e.values.map((v) => `  /** ${v.doc} */\n  // @ts-ignore: decorator\n  @inline export const ${upper(v.name)}: u32 = ${String(v.value)};`),
      "}",
    ]),
    "",
  ].join("\n");
}
