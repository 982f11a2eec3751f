/** nf_abi.json → gen/abi.ts: the numbers as `as const` objects plus flat constants, and the names of enum values. */
import { type AbiModel, type ExportedFunction } from "../model.ts";
import { HEAD, hex, pascal, screaming } from "./names.ts";

export function emitTs(model: AbiModel): string {
  const { abi } = model;
  const out: string[] = [
    `// ${HEAD}`,
    "// The NF ABI in TypeScript. Offsets are bytes from a record's start; addresses are guest addresses.",
    "",
    `export const ABI_VERSION = ${abi.abi_version};`,
    `export const WIT_PACKAGE = "${abi.wit.package}";`,
    `export const WIT_WORLD = "${abi.wit.world}";`,
    "",
    "export const LIMITS = {",
    ...abi.limits.map((l) => `  /** ${l.doc} */\n  ${l.name}: ${l.value},`),
    "} as const;",
    "",
    `export const PAGE_BYTES = ${abi.memory.page_bytes};`,
    `export const BASE_PAGES = ${abi.memory.base_pages};`,
    `export const MODULE_BASE = ${hex(abi.memory.base_pages * abi.memory.page_bytes)};`,
    "",
    'export type Access = "none" | "read" | "write" | "by rights";',
    "export const AREAS = {",
    ...abi.memory.areas.map((a) => `  /** ${a.doc} */\n  ${a.name}: { address: ${hex(a.address)}, bytes: ${a.bytes}, access: "${a.access}" },`),
    "} as const satisfies Record<string, { address: number; bytes: number; access: Access }>;",
    "",
    "/** Guest addresses of the parts of the call area. */",
    "export const CALL = {",
    ...model.call.map((p) => `  ${p.name}: ${hex(p.address)},`),
    "} as const;",
    "/** Guest addresses of the parts of the result area. */",
    "export const RESULT = {",
    ...model.result.map((p) => `  ${p.name}: ${hex(p.address)},`),
    "} as const;",
    "",
    "export const RECORDS = {",
  ];
  for (const r of model.records) {
    out.push(`  /** ${r.doc} */`, `  ${r.name}: {`, `    bytes: ${r.bytes},`, "    fields: {");
    for (const f of r.fields.filter((f) => !f.reserved)) {
      const length = f.length === undefined ? "" : `, length: ${f.length}`;
      out.push(`      /** ${f.doc} */`, `      ${f.name}: { offset: ${f.offset}, type: "${f.scalar}"${length} },`);
    }
    const holes = r.fields.filter((f) => f.reserved).map((f) => `[${f.offset}, ${f.bytes}]`);
    out.push("    },", "    /** [offset, bytes] of what is reserved and zero. */", `    reserved: [${holes.join(", ")}],`, "  },");
  }
  out.push("} as const;", "");
  for (const r of model.records) {
    out.push(`export const ${screaming(r.name)}_BYTES = ${r.bytes};`);
    for (const f of r.fields.filter((f) => !f.reserved)) out.push(`export const ${screaming(r.name)}_${screaming(f.name)}_OFFSET = ${f.offset};`);
  }
  out.push("");
  for (const e of abi.enums) {
    const name = pascal(e.name);
    out.push(`export const ${name} = {`);
    for (const v of e.values) out.push(...(v.doc === "" ? [] : [`  /** ${v.doc} */`]), `  ${v.name}: ${v.value},`);
    out.push("} as const;", `export type ${name} = (typeof ${name})[keyof typeof ${name}];`, `export type ${name}Name = keyof typeof ${name};`);
    if (e.bits) {
      out.push(
        `/** Every bit of ${e.name} that has a meaning. */`,
        `export const ${screaming(e.name)}_ALL = ${e.values.reduce((s, v) => s | v.value, 0)};`,
        "",
      );
    } else {
      const fn = name[0]!.toLowerCase() + name.slice(1) + "Name";
      out.push(`const ${fn}s: ReadonlyMap<number, string> = new Map([${e.values.map((v) => `[${v.value}, "${v.name}"]`).join(", ")}]);`);
      out.push(`/** The name of a ${e.name}; unknown_<value> for a value that has none. */`);
      out.push(`export function ${fn}(value: number): string {\n  return ${fn}s.get(value) ?? \`unknown_\${String(value)}\`;\n}`, "");
      if (e.name === "drop_reason") {
        out.push("/** What a drop reason means, for people; by its name. */", `export const DROP_REASON_DOCS: Readonly<Record<string, string>> = {`);
        out.push(...e.values.map((v) => `  ${v.name}: ${JSON.stringify(v.doc)},`), "};", "");
      }
    }
  }
  out.push(...emitExports(abi.exports.required, abi.exports.optional, abi.exports.memory));
  return out.join("\n");
}

function emitExports(required: ExportedFunction[], optional: ExportedFunction[], memory: string): string[] {
  const row = (e: ExportedFunction) => {
    const params = e.params.map((p) => `{ name: "${p.name}", type: "${p.type}" }`).join(", ");
    return `    // ${e.doc}\n    { name: "${e.name}", params: [${params}], result: ${e.result === null ? "undefined" : `"${e.result}"`} },`;
  };
  const names = (list: ExportedFunction[]) => list.map((e) => `"${e.name}"`).join(" | ");
  return [
    'export type AbiScalar = "u32" | "u64";',
    `export type RequiredExport = ${names(required)};`,
    `export type OptionalExport = ${names(optional)};`,
    "export interface ExportSpec<Name extends string = string> {",
    "  readonly name: Name;",
    "  readonly params: readonly { readonly name: string; readonly type: AbiScalar }[];",
    "  readonly result: AbiScalar | undefined;",
    "}",
    "export const EXPORTS: {",
    "  readonly required: readonly ExportSpec<RequiredExport>[];",
    "  readonly optional: readonly ExportSpec<OptionalExport>[];",
    "  readonly memory: string;",
    "} = {",
    "  required: [",
    ...required.map(row),
    "  ],",
    "  optional: [",
    ...optional.map(row),
    "  ],",
    `  memory: "${memory}",`,
    "};",
    "export const MEMORY_EXPORT = EXPORTS.memory;",
    "",
  ];
}
