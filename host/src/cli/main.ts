/** Entry of the nfactor command: parses the command line, runs one command, turns errors into messages and exit codes. */
import { type Command, CommanderError } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { reportError, setMachineFormat, writeAll } from "./output.ts";
import { allCommands, createProgram } from "./program.ts";

/** Runs one command and sets the process's exit code. `create` makes the program: the host's alone, or the whole one. */
export async function main(args: string[], create: (args: readonly string[]) => Command = () => createProgram()): Promise<void> {
  try {
    const program = prepared(create(args));
    if (args.length === 0) {
      writeAll(2, program.helpInformation());
      process.exitCode = 2;
      return;
    }
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.exitCode = reportError(error instanceof CommanderError ? usageError(error, args, create(args)) : error, isForMachines(args));
  }
}

/** The program with everything that it finds wrong thrown, and nothing printed but help. */
export function prepared(program: Command): Command {
  for (const command of [program, ...allCommands(program).map((one) => one.command)])
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: (text) => writeAll(1, text) });
  return program;
}

/** Of a command line that was not understood. */
function isForMachines(args: readonly string[]): boolean {
  const format = /(?:^|\n)(?:-o|--output)[=\n]?(json|yaml)(?:\n|$)/.exec(args.join("\n"))?.[1];
  if (format === "yaml") setMachineFormat("yaml");
  return format !== undefined || args.includes("--json");
}

export function usageError(error: CommanderError, args: readonly string[], program: Command): NfError {
  const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  const words = args.filter((arg) => !arg.startsWith("-"));
  const known = allCommands(program).filter(({ name }) => `${words.join(" ")} `.startsWith(`${name} `));
  return new NfError("usage", message, { cause: error, fix: `See 'nfactor ${known.length > 0 ? `${known.at(-1)!.name} ` : ""}--help'.` });
}
