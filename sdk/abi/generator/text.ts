// nf.wit, the typed contract, and docs/abi.md, the reference.
import { type Abi, hex, upper } from "./model.ts";

export function wit(abi: Abi): string {
  return [
    "// Generated from nf_abi.json by generate.ts. Do not edit.",
    `package ${abi.wit.package};`,
    "",
    `world ${abi.wit.world} {`,
    ...abi.required.flatMap((e) => [
      `  /// ${e.doc}`,
      `  export ${e.name}: func(${e.params.map((p) => `${p.name}: ${p.type}`).join(", ")})${e.result === null ? "" : ` -> ${e.result}`};`,
    ]),
    "}",
    "",
  ].join("\n");
}

export function markdown(abi: Abi): string {
  const table = (head: string[], rows: string[][]): string[] => [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
  ];
  const signature = (e: Abi["required"][number]): string[] => [
    `\`${e.name}(${e.params.map((p) => `${p.name}: ${p.type}`).join(", ")})${e.result === null ? "" : ` -> ${e.result}`}\``,
    e.doc,
  ];
  return [
    "<!-- Generated from sdk/abi/nf_abi.json by sdk/abi/generate.ts. Do not edit. -->",
    `# NF ABI, version ${String(abi.version)}`,
    "",
    `World \`${abi.wit.package.replace("@", `/${abi.wit.world}@`)}\`. Little-endian, naturally aligned; reserved bytes are zero. What the records mean to a packet is on [packet_path.md](packet_path.md).`,
    "",
    "## Linear memory",
    "",
    `The module defines its memory, min = max = ${String(abi.basePages)} + heap pages, and exports it as \`${abi.memoryExport}\`.`,
    "",
    ...table(["area", "address", "bytes", "guest access", ""], abi.areas.map((a) => [a.name, hex(a.address), a.bytes === 0 ? "heap pages" : String(a.bytes), a.access, a.doc])),
    ...table(["inside call and result area", "address"], [...abi.callLayout, ...abi.resultLayout].map((l) => [l.name, hex(l.address)])),
    "## Exports",
    "",
    ...table(["required", ""], abi.required.map(signature)),
    ...table(["optional", ""], abi.optional.map(signature)),
    "## Records",
    "",
    ...abi.records.flatMap((r) => [
      `### ${r.name} (${String(r.bytes)} bytes)`,
      "",
      r.doc,
      "",
      ...table(["offset", "field", "type", ""], r.fields.map((f) => [String(f.offset), f.name, f.type, f.doc])),
    ]),
    "## Enums",
    "",
    ...abi.enums.flatMap((e) => [`### ${e.name} (${e.type}${e.bits ? ", bits" : ""})`, "", ...table(["value", "name", ""], e.values.map((v) => [String(v.value), v.name, v.doc]))]),
    "## Limits",
    "",
    ...table(["limit", "value", ""], abi.limits.map((l) => [upper(l.name).toLowerCase(), String(l.value), l.doc])),
  ].join("\n");
}
