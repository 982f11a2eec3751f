/** `nfactor doctor`: what the machine needs, found and wanted. The work is in scripts/doctor.mjs, which also runs before anything is installed. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { ROOT } from "../../package.ts";
import { examples } from "../help.ts";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("Say what this machine needs for NFActor: each requirement, what was found, what is wanted, and the command that mends it.")
    .addHelpText("after", examples(["nfactor doctor", ""], ["nfactor doctor --json", "the same as one object"]))
    .action((options: { json?: boolean }) => {
      const args = [join(ROOT, "scripts/doctor.mjs"), ...(options.json ? ["--json"] : [])];
      const { status, error } = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
      if (error) throw new NfError("internal", `the check could not be started: ${error.message}`, { cause: error });
      process.exitCode = status ?? 1;
    });
}
