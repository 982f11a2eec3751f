// nf_abi.h: constants, records as structs with size and offset assertions, enums with their names.
import { type Abi, type Record_, hex, pascal, typeOf } from "./model.ts";

const CXX: Record<string, string> = { u8: "uint8_t", u16: "uint16_t", u32: "uint32_t", u64: "uint64_t" };
const WASM: Record<string, string> = { u32: "ValueKind::kI32", u64: "ValueKind::kI64" };

function record(r: Record_): string {
  const name = pascal(r.name);
  const fields = r.fields.map((f) => {
    const { element, count } = typeOf(f.type);
    return `  ${CXX[element]!} ${f.name}${count > 0 ? `[${String(count)}]` : ""};  // ${f.doc}`;
  });
  const asserts = r.fields.map((f) => `static_assert(offsetof(${name}, ${f.name}) == ${String(f.offset)});`);
  return [`// ${r.doc}`, `struct ${name} {`, ...fields, "};", `static_assert(sizeof(${name}) == ${String(r.bytes)});`, ...asserts, ""].join("\n");
}

function enums(abi: Abi): string {
  return abi.enums
    .map((e) => {
      const name = pascal(e.name);
      if (e.bits) return [...e.values.map((v) => `inline constexpr ${CXX[e.type]!} k${name}${pascal(v.name)} = ${String(v.value)};  // ${v.doc}`), ""].join("\n");
      const values = e.values.map((v) => `  k${pascal(v.name)} = ${String(v.value)},  // ${v.doc}`.trimEnd());
      const names = e.values.map((v) => `    case ${name}::k${pascal(v.name)}:\n      return "${v.name}";`);
      return [
        `enum class ${name} : ${CXX[e.type]!} {`,
        ...values,
        "};",
        `inline constexpr uint32_t k${name}Count = ${String(Math.max(...e.values.map((v) => v.value)) + 1)};  // one above the largest value`,
        `constexpr const char* ${name}Name(${name} value) {`,
        "  switch (value) {",
        ...names,
        "  }",
        '  return "unknown";',
        "}",
        "",
      ].join("\n");
    })
    .join("\n");
}

function exports_(abi: Abi): string {
  const row = (e: Abi["required"][number]): string => {
    const params = e.params.map((p) => WASM[p.type]!);
    const padded = [...params, ...Array<string>(4 - params.length).fill("ValueKind::kNone")];
    return `    {"${e.name}", {${padded.join(", ")}}, ${String(params.length)}, ${e.result === null ? "ValueKind::kNone" : WASM[e.result]!}},`;
  };
  return [
    "enum class ValueKind : uint8_t { kNone, kI32, kI64 };",
    "struct ExportType {",
    "  const char* name;",
    "  ValueKind params[4];",
    "  uint8_t param_count;",
    "  ValueKind result;",
    "};",
    "inline constexpr ExportType kRequiredExports[] = {",
    ...abi.required.map(row),
    "};",
    "inline constexpr ExportType kOptionalExports[] = {",
    ...abi.optional.map(row),
    "};",
    `inline constexpr const char kMemoryExport[] = "${abi.memoryExport}";`,
  ].join("\n");
}

export function cpp(abi: Abi): string {
  const at = (list: { name: string; address: number }[]): string[] => list.map((l) => `inline constexpr uint32_t k${pascal(l.name)}Address = ${hex(l.address)};`);
  return [
    "// Generated from nf_abi.json by generate.ts. Do not edit.",
    "#pragma once",
    "#include <cstddef>",
    "#include <cstdint>",
    "",
    "namespace nf::abi {",
    "",
    `inline constexpr uint32_t kAbiVersion = ${String(abi.version)};`,
    `inline constexpr uint64_t kPageBytes = ${String(abi.pageBytes)};`,
    `inline constexpr uint64_t kBasePages = ${String(abi.basePages)};`,
    "",
    ...abi.limits.map((l) => `inline constexpr uint64_t k${pascal(l.name)} = ${String(l.value)};  // ${l.doc}`),
    "",
    ...abi.areas.flatMap((a) => [
      `// ${a.doc}`,
      `inline constexpr uint32_t k${pascal(a.name)}AreaAddress = ${hex(a.address)};`,
      `inline constexpr uint64_t k${pascal(a.name)}AreaBytes = ${String(a.bytes)};`,
    ]),
    "",
    ...at(abi.callLayout),
    ...at(abi.resultLayout),
    "",
    ...abi.records.map(record),
    enums(abi),
    exports_(abi),
    "",
    "}  // namespace nf::abi",
    "",
  ].join("\n");
}
