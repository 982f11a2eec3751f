/** nf_abi.json → gen/nf_abi.h: constants, records with checked layouts, enums with their names, the export table. */
import { type AbiModel, type EnumSpec, type ExportedFunction, type Record_ } from "../model.ts";
import { HEAD, hex, pascal } from "./names.ts";

const CPP_TYPES = { u8: "uint8_t", u16: "uint16_t", u32: "uint32_t", u64: "uint64_t" } as const;

export function emitCpp(model: AbiModel): string {
  const { abi } = model;
  const out: string[] = [
    `// ${HEAD}`,
    "// The NF ABI in C++: plain constants and records as they lie in a guest's memory (little-endian, naturally aligned, holes as explicit",
    "// reserved fields). Guest memory is untrusted: copy a record out of it once, then judge the copy.",
    "#pragma once",
    "",
    "#include <bit>",
    "#include <cstddef>",
    "#include <cstdint>",
    "",
    'static_assert(std::endian::native == std::endian::little, "the ABI is little-endian");',
    "",
    "namespace nf::abi {",
    "",
    `inline constexpr uint32_t kAbiVersion = ${abi.abi_version};`,
    `inline constexpr const char* kWitPackage = "${abi.wit.package}";`,
    `inline constexpr const char* kWitWorld = "${abi.wit.world}";`,
    "",
    "// Limits.",
    ...abi.limits.map((l) => `inline constexpr ${l.value > 0xffffffff ? "uint64_t" : "uint32_t"} k${pascal(l.name)} = ${l.value};  // ${l.doc}`),
    "",
    "// Linear memory: areas (guest addresses), and the parts of the call and result areas.",
    `inline constexpr uint32_t kPageBytes = ${abi.memory.page_bytes};`,
    `inline constexpr uint32_t kBasePages = ${abi.memory.base_pages};`,
    `inline constexpr uint32_t kModuleBase = ${hex(abi.memory.base_pages * abi.memory.page_bytes)};`,
  ];
  for (const area of abi.memory.areas) {
    out.push(`// ${area.doc} Access: ${area.access}.`);
    out.push(`inline constexpr uint32_t k${pascal(area.name)}AreaAddress = ${hex(area.address)};`);
    out.push(`inline constexpr uint32_t k${pascal(area.name)}AreaBytes = ${area.bytes};`);
  }
  for (const [areaName, parts] of [["call", model.call] as const, ["result", model.result] as const]) {
    for (const part of parts) {
      out.push(`inline constexpr uint32_t k${pascal(part.name)}Address = ${hex(part.address)};`);
      out.push(`inline constexpr uint32_t k${pascal(part.name)}Offset = k${pascal(part.name)}Address - k${pascal(areaName)}AreaAddress;`);
    }
  }
  out.push("");
  for (const record of model.records) out.push(...emitRecord(record));
  for (const e of abi.enums) out.push(...(e.bits ? emitBits(e) : emitEnum(e)));
  out.push(...emitExports([...abi.exports.required], [...abi.exports.optional], abi.exports.memory));
  out.push("}  // namespace nf::abi", "");
  return out.join("\n");
}

/** gen/nf_abi_fields.h: the records' fields as lists that a macro is applied to, for code that goes through all of them. */
export function emitCppFields(model: AbiModel): string {
  const lists = model.records.flatMap((record) => [
    `#define NF_ABI_${record.name.toUpperCase()}_FIELDS(X) ${record.fields
      .filter((f) => !f.name.startsWith("reserved_"))
      .map((f) => `X(${f.name})`)
      .join(" ")}`,
  ]);
  const all = `#define NF_ABI_RECORDS(X) ${model.records.map((r) => `X(${r.name}, ${pascal(r.name)}, NF_ABI_${r.name.toUpperCase()}_FIELDS)`).join(" ")}`;
  return [`// ${HEAD}`, "// Fields by record, reserved ones left out.", "#pragma once", "", ...lists, all, ""].join("\n");
}

function emitRecord(record: Record_): string[] {
  const name = pascal(record.name);
  const lines = [`// ${record.doc}`, `struct ${name} {`];
  for (const f of record.fields) {
    const array = f.length === undefined ? "" : `[${f.length}]`;
    lines.push(`  ${CPP_TYPES[f.scalar]} ${f.name}${array};  // @${f.offset} ${f.doc}`);
  }
  lines.push("};", `inline constexpr uint32_t k${name}Bytes = ${record.bytes};`);
  lines.push(`static_assert(sizeof(${name}) == ${record.bytes} && alignof(${name}) == ${record.align});`);
  for (const f of record.fields) lines.push(`static_assert(offsetof(${name}, ${f.name}) == ${f.offset});`);
  return [...lines, ""];
}

function emitBits(e: EnumSpec): string[] {
  const type = CPP_TYPES[e.type];
  const name = pascal(e.name);
  const all = e.values.reduce((sum, v) => sum | v.value, 0);
  return [
    ...e.values.map((v) => `inline constexpr ${type} k${name}${pascal(v.name)} = ${v.value};  // ${v.doc}`),
    `inline constexpr ${type} k${name}All = ${all};  // Every bit that has a meaning.`,
    "",
  ];
}

function emitEnum(e: EnumSpec): string[] {
  const name = pascal(e.name);
  const max = Math.max(...e.values.map((v) => v.value));
  return [
    `enum class ${name} : ${CPP_TYPES[e.type]} {`,
    ...e.values.map((v) => `  k${pascal(v.name)} = ${v.value},${v.doc === "" ? "" : `  // ${v.doc}`}`),
    "};",
    `inline constexpr uint32_t k${name}Count = ${max + 1};  // One more than the largest value.`,
    `// The name as it is written in counters, messages and JSON; "unknown" for any other value.`,
    `inline constexpr const char* ${name}Name(${name} value) {`,
    "  switch (value) {",
    ...e.values.map((v) => `    case ${name}::k${pascal(v.name)}:\n      return "${v.name}";`),
    "  }",
    '  return "unknown";',
    "}",
    "",
  ];
}

function emitExports(required: ExportedFunction[], optional: ExportedFunction[], memory: string): string[] {
  const type = (t: string | null) => (t === null ? "kNone" : t === "u64" ? "kI64" : "kI32");
  const params = Math.max(...[...required, ...optional].map((e) => e.params.length));
  const row = (e: ExportedFunction, isRequired: boolean) => {
    const list = [...e.params.map((p) => `WasmType::${type(p.type)}`), ...Array<string>(params - e.params.length).fill("WasmType::kNone")];
    return `    {"${e.name}", {${list.join(", ")}}, ${e.params.length}, WasmType::${type(e.result)}, ${isRequired}},  // ${e.doc}`;
  };
  const all = [...required, ...optional];
  return [
    "// What a module exports, as core WebAssembly types.",
    "enum class WasmType : uint8_t { kNone, kI32, kI64 };",
    "struct ExportSpec {",
    "  const char* name;",
    `  WasmType params[${params}];`,
    "  uint8_t param_count;",
    "  WasmType result;",
    "  bool is_required;",
    "};",
    "enum class Export : uint8_t {",
    ...all.map((e, i) => `  k${pascal(e.name)} = ${i},`),
    "};",
    `inline constexpr uint32_t kExportCount = ${all.length};`,
    "// Indexed by Export.",
    "inline constexpr ExportSpec kExports[kExportCount] = {",
    ...required.map((e) => row(e, true)),
    ...optional.map((e) => row(e, false)),
    "};",
    `inline constexpr const char* kMemoryExport = "${memory}";`,
    "",
  ];
}
