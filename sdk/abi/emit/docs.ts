/** nf_abi.json → docs/abi.md: every number, for people. The meaning of it all is in docs/packet_path.md. */
import { type AbiModel, type ExportedFunction, type Part } from "../model.ts";
import { HEAD, hex } from "./names.ts";

export function emitDocs(model: AbiModel): string {
  const { abi } = model;
  const signature = (e: ExportedFunction) =>
    `\`${e.name}(${e.params.map((p) => `${p.name}: ${p.type}`).join(", ")})${e.result === null ? "" : ` -> ${e.result}`}\``;
  const part = (p: Part) => `| \`${hex(p.address)}\` | ${p.name} | ${p.count} × ${p.of} | ${p.bytes} |`;
  const out: string[] = [
    `<!-- ${HEAD} -->`,
    `# The NF ABI, version ${abi.abi_version}`,
    "",
    "All numbers of the contract between a network function and its host. What happens to a packet, step by step, is in",
    "[packet_path.md](packet_path.md). Everything is little-endian and naturally aligned; what is not named here is reserved and zero.",
    "",
    "## Linear memory",
    "",
    `The module defines one memory and exports it as \`${abi.exports.memory}\`, with minimum = maximum = ${abi.memory.base_pages} + heap pages (of`,
    `${abi.memory.page_bytes} bytes). The host supplies the pages. What no area covers is a hole: touching it faults as \`out_of_bounds\`.`,
    "",
    "| from | area | bytes | access | what |",
    "|---|---|---|---|---|",
    ...abi.memory.areas.map((a) => `| \`${hex(a.address)}\` | ${a.name} | ${a.bytes === 0 ? "heap pages" : a.bytes} | ${a.access} | ${a.doc} |`),
    "",
    "### Call area",
    "",
    "| at | part | holds | bytes |",
    "|---|---|---|---|",
    ...model.call.map(part),
    "",
    "### Result area",
    "",
    "| at | part | holds | bytes |",
    "|---|---|---|---|",
    ...model.result.map(part),
    "",
    "## Exports",
    "",
    `WIT world \`${abi.wit.package}\`, \`${abi.wit.world}\`; the required ones:`,
    "",
    "| export | what |",
    "|---|---|",
    ...abi.exports.required.map((e) => `| ${signature(e)} | ${e.doc} |`),
    "",
    "Optional ones, checked by name and exact type. Any other export is refused.",
    "",
    "| export | what |",
    "|---|---|",
    ...abi.exports.optional.map((e) => `| ${signature(e)} | ${e.doc} |`),
    "",
    "## Records",
    "",
  ];
  for (const r of model.records) {
    out.push(`### ${r.name} (${r.bytes} bytes)`, "", r.doc, "", "| at | type | field | |", "|---|---|---|---|");
    for (const f of r.fields)
      out.push(`| ${f.offset} | ${f.scalar}${f.length === undefined ? "" : `[${f.length}]`} | ${f.reserved ? "–" : f.name} | ${f.doc} |`);
    out.push("");
  }
  out.push("## Enums", "");
  for (const e of abi.enums) {
    out.push(`### ${e.name} (${e.type}${e.bits ? ", bits" : ""})`, "", "| value | name | |", "|---|---|---|");
    out.push(...e.values.map((v) => `| ${v.value} | ${v.name} | ${v.doc} |`), "");
  }
  out.push(
    "## Limits",
    "",
    "| name | value | |",
    "|---|---|---|",
    ...abi.limits.map((l) => `| ${l.name} | ${l.value.toLocaleString("en-US")} | ${l.doc} |`),
    "",
  );
  return out.join("\n");
}
