// abi.ts: the numbers as constants for the host, the simulator, the admission check and tests.
import { type Abi, hex, pascal, upper } from "./model.ts";

export function typescript(abi: Abi): string {
  const enums = abi.enums.flatMap((e) => [
    `export const ${pascal(e.name)} = {`,
    ...e.values.map((v) => `  /** ${v.doc} */\n  ${v.name}: ${String(v.value)},`),
    "} as const;",
    `export type ${pascal(e.name)} = (typeof ${pascal(e.name)})[keyof typeof ${pascal(e.name)}];`,
    ...(e.bits
      ? []
      : [
          `const ${upper(e.name)}_NAMES = new Map<number, string>(Object.entries(${pascal(e.name)}).map(([name, value]) => [value, name]));`,
          `export const ${e.name.replaceAll(/_(.)/g, (_, c: string) => c.toUpperCase())}Name = (value: number): string => ${upper(e.name)}_NAMES.get(value) ?? \`unknown_\${String(value)}\`;`,
        ]),
    "",
  ]);
  const place = (name: string, list: { name: string; address: number }[]): string[] => [
    `export const ${name} = {`,
    ...list.map((l) => `  ${l.name}: ${hex(l.address)},`),
    "} as const;",
  ];
  const records = abi.records.flatMap((r) => [
    `  ${r.name}: {`,
    `    bytes: ${String(r.bytes)},`,
    "    fields: {",
    ...r.fields.map((f) => `      ${f.name}: { offset: ${String(f.offset)}, type: "${f.type}" },`),
    "    },",
    "  },",
  ]);
  const flat = abi.records.flatMap((r) => [
    `export const ${upper(r.name)}_BYTES = ${String(r.bytes)};`,
    ...r.fields.filter((f) => !f.name.startsWith("reserved_")).map((f) => `export const ${upper(r.name)}_${upper(f.name)}_OFFSET = ${String(f.offset)};`),
  ]);
  const exports_ = (list: Abi["required"]): string[] =>
    list.map((e) => `    { name: "${e.name}", params: [${e.params.map((p) => `"${p.type}"`).join(", ")}], result: ${e.result === null ? "null" : `"${e.result}"`} },`);
  return [
    "// Generated from nf_abi.json by generate.ts. Do not edit.",
    "",
    `export const ABI_VERSION = ${String(abi.version)};`,
    `export const WIT_PACKAGE = "${abi.wit.package}";`,
    `export const WIT_WORLD = "${abi.wit.world}";`,
    `export const PAGE_BYTES = ${String(abi.pageBytes)};`,
    `export const BASE_PAGES = ${String(abi.basePages)};`,
    `export const MEMORY_EXPORT = "${abi.memoryExport}";`,
    "",
    "export const LIMITS = {",
    ...abi.limits.map((l) => `  /** ${l.doc} */\n  ${l.name}: ${String(l.value)},`),
    "} as const;",
    "",
    "export const AREAS = {",
    ...abi.areas.map((a) => `  /** ${a.doc} */\n  ${a.name}: { address: ${hex(a.address)}, bytes: ${String(a.bytes)}, access: "${a.access}" },`),
    "} as const;",
    `export const MODULE_BASE = ${hex(abi.areas.find((a) => a.name === "module")!.address)};`,
    ...place("CALL", abi.callLayout),
    ...place("RESULT", abi.resultLayout),
    "",
    "export const RECORDS = {",
    ...records,
    "} as const;",
    ...flat,
    "",
    ...enums,
    'export type ExportValue = "u32" | "u64";',
    "export interface ExportType {",
    "  readonly name: string;",
    "  readonly params: readonly ExportValue[];",
    "  readonly result: ExportValue | null;",
    "}",
    "export const EXPORTS: { readonly required: readonly ExportType[]; readonly optional: readonly ExportType[] } = {",
    "  required: [",
    ...exports_(abi.required),
    "  ],",
    "  optional: [",
    ...exports_(abi.optional),
    "  ],",
    "};",
    "",
  ].join("\n");
}
