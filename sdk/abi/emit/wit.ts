/** nf_abi.json → sdk/wit/nf.wit: the world with the required exports. Optional ones are core exports that admission checks by type. */
import { type AbiModel } from "../model.ts";
import { HEAD } from "./names.ts";

export function emitWit(model: AbiModel): string {
  const { abi } = model;
  const functions = abi.exports.required.map((e) => {
    const params = e.params.map((p) => `${p.name}: ${p.type}`).join(", ");
    return `  /// ${e.doc}\n  export ${e.name}: func(${params})${e.result === null ? "" : ` -> ${e.result}`};`;
  });
  const optional = abi.exports.optional.map((e) => {
    const params = e.params.map((p) => `${p.name}: ${p.type}`).join(", ");
    return `//   ${e.name}: func(${params})${e.result === null ? "" : ` -> ${e.result}`}`;
  });
  return [
    `// ${HEAD}`,
    `package ${abi.wit.package};`,
    "",
    "// A network function. It imports nothing. Besides these it may export, as core functions of exactly these types:",
    ...optional,
    `world ${abi.wit.world} {`,
    functions.join("\n\n"),
    "}",
    "",
  ].join("\n");
}
