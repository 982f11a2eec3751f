/** `nfactor check`: would a host admit this NF? What was measured, next to what is allowed; and every refusal with its fix. */
import { Command } from "commander";
import { resolveNf } from "../../nf/resolve.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import type { CheckResultJson } from "../results.ts";

export function checkCommand(): Command {
  return new Command("check")
    .description("Check an NF as a host does before it runs it: the values that were measured, the limits, and each refusal with what to do.")
    .argument("<nf>", "an artifact, a folder (which is built), or a name")
    .addHelpText(
      "after",
      examples(
        ["nfactor check build/rate_limiter.wasm", ""],
        ["nfactor check .", "build the NF in this folder, then check it"],
        ["nfactor check upload.wasm --json", ""],
      ),
    )
    .action(async (nf: string, options: { json?: boolean }) => {
      const { admissionJson, checkInChild, formatAdmission } = await import("@nfactor/sdk/admission");
      const { loadNf } = await import("../../nf/loaded_nf.ts");
      const output = new Output(options.json === true);
      const loaded = await loadNf(resolveNf(nf));
      for (const warning of loaded.warnings) output.note(`warning: ${warning}`);
      const admission = await checkInChild(loaded.component);
      output.result(admissionJson(admission) satisfies CheckResultJson, formatAdmission(admission));
      process.exitCode = admission.ok ? EXIT.ok : EXIT.badInput;
    });
}
