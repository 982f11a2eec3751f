/** `nfactor build`: the artifact of one or more NFs. */
import { Command } from "commander";
import { NfError, formatWhere } from "@nfactor/sdk/errors";
import { resolveNf, shownPath } from "../../nf/resolve.ts";
import { count } from "../../result/text.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import type { BuildResultJson } from "../results.ts";

export function buildCommand(): Command {
  return new Command("build")
    .description("Compile NFs: each folder's sources to one artifact, a WebAssembly component with manifest and state schema.")
    .argument("[folder...]", "folders or names of NFs (default: the NF in this folder)")
    .addHelpText("after", examples(["nfactor build", "the NF in this folder"], ["nfactor build nf-wasm/*", "several"], ["nfactor build firewall --json", ""]))
    .action(async (folders: string[], options: { json?: boolean }) => {
      const output = new Output(options.json === true);
      const places = (folders.length === 0 ? ["."] : folders).map((folder) => {
        const place = resolveNf(folder);
        if (place.kind === "source") return place;
        throw new NfError("usage", `'${folder}' is an artifact already`, { fix: "Name the folder with the sources." });
      });
      const { buildNf } = await import("@nfactor/sdk/build");
      const nfs: BuildResultJson["nfs"] = [];
      for (const place of places) {
        const nf = await buildNf(shownPath(place.path));
        const warnings = nf.warnings.map(({ message, where }) => `${formatWhere({ ...where, file: `${shownPath(place.path)}/${where.file}` })}: ${message}`);
        for (const [i, warning] of warnings.entries()) output.note(`warning: ${warning}\n${nf.warnings[i]!.excerpt}`);
        nfs.push({
          name: nf.name,
          version: nf.version,
          path: shownPath(nf.componentPath),
          digest: nf.digest,
          bytes: nf.component.length,
          core_bytes: nf.core.length,
          state_bytes: nf.stateSchema.bytes,
          warnings,
        });
      }
      const text = nfs.map(
        (nf) =>
          `${nf.name} ${nf.version}  ${nf.path}\n  ${count(nf.bytes)} bytes, module ${count(nf.core_bytes)}, flow state ${count(nf.state_bytes)}, sha256:${nf.digest.slice(0, 12)}`,
      );
      output.result({ nfs } satisfies BuildResultJson, text.join("\n"));
    });
}
