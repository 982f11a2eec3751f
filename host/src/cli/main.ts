/** Entry of the nfactor command: parses the command line, runs one command, turns errors into messages and exit codes. */
import { type Command, CommanderError } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { reportError, writeAll } from "./output.ts";
import { createProgram } from "./program.ts";

/** Runs one command and sets the process's exit code. */
export async function main(args: string[]): Promise<void> {
  const json = args.includes("--json");
  try {
    const program = createProgram();
    for (const command of [program, ...program.commands])
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
  const command = args.find((arg) => !arg.startsWith("-"));
  const known = createProgram().commands.some((one: Command) => one.name() === command);
  return new NfError("usage", message, { cause: error, fix: `See 'nfactor ${known ? `${command} ` : ""}--help'.` });
}
