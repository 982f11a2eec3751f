/** Entry of the nfactor command: parses the command line, runs one command, turns errors into messages and exit codes. */
import { CommanderError } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { reportError, writeAll } from "./output.ts";
import { allCommands, createProgram } from "./program.ts";

/** Runs one command and sets the process's exit code. */
export async function main(args: string[]): Promise<void> {
  const json = args.includes("--json");
  try {
    const program = createProgram();
    for (const command of [program, ...allCommands(program).map((one) => one.command)])
      command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: (text) => writeAll(1, text) });
    if (args.length === 0) {
      writeAll(2, program.helpInformation());
      process.exitCode = 2;
      return;
    }
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.exitCode = reportError(error instanceof CommanderError ? usageError(error, args) : error, json);
  }
}

function usageError(error: CommanderError, args: string[]): NfError {
  const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  const words = args.filter((arg) => !arg.startsWith("-"));
  const known = allCommands(createProgram()).filter(({ name }) => `${words.join(" ")} `.startsWith(`${name} `));
  return new NfError("usage", message, { cause: error, fix: `See 'nfactor ${known.length > 0 ? `${known.at(-1)!.name} ` : ""}--help'.` });
}
