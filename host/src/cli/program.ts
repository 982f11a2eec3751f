/** The command line as commander knows it. Only options and help are here: what a command does is loaded when it runs. */
import { Command, Option } from "commander";
import { VERSION } from "../package.ts";
import { agentCommand } from "./commands/agent.ts";
import { buildCommand } from "./commands/build.ts";
import { captureCommand } from "./commands/capture.ts";
import { checkCommand } from "./commands/check.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { drainCommand, undrainCommand } from "./commands/drain.ts";
import { flowsCommand } from "./commands/flows.ts";
import { hostCommand } from "./commands/host.ts";
import { initCommand } from "./commands/init.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { peersCommand } from "./commands/peers.ts";
import { recoverCommand } from "./commands/recover.ts";
import { runCommand } from "./commands/run.ts";
import { runtimesCommand } from "./commands/runtimes.ts";
import { simCommand } from "./commands/sim.ts";
import { swapCommand } from "./commands/swap.ts";
import { testCommand } from "./commands/test.ts";
import { traceCommand } from "./commands/trace.ts";
import { FORMATS, setMachineFormat } from "./output.ts";

/** The host's own commands, each made anew. */
export function hostCommands(): Command[] {
  const commands = [
    ...[initCommand, buildCommand, checkCommand, testCommand, simCommand, runCommand, swapCommand, flowsCommand, traceCommand, captureCommand],
    ...[runtimesCommand, migrateCommand, drainCommand, undrainCommand, recoverCommand, peersCommand, agentCommand, hostCommand, doctorCommand],
  ];
  return commands.map((make) => make());
}

/** A program of these commands. All of them say what they say as JSON, too, or as YAML. */
export function createProgram(commands: readonly Command[] = hostCommands()): Command {
  const program = new Command("nfactor")
    .description("Runs chains of network functions that nobody has to trust: AssemblyScript, sandboxed as WebAssembly, on a DPDK dataplane.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .hook("preAction", (_, acting) => {
      setMachineFormat("json");
      // Of `capture`, --output is a file.
      if (!acting.options.some((option) => option.long === "--output" && isFormat(option))) return;
      const { output } = acting.optsWithGlobals<{ output?: (typeof FORMATS)[number] }>();
      if (output === "yaml") setMachineFormat("yaml");
      if (output !== undefined) acting.setOptionValue("json", output !== "table");
    });
  for (const command of commands) program.addCommand(command);
  for (const { command } of allCommands(program)) {
    command.option("--json", "print one JSON object on stdout");
    if (command.options.every(({ long }) => long !== "--output"))
      command.addOption(new Option("-o, --output <format>", "json is the same as --json").choices(FORMATS));
    command.helpOption("-h, --help", "print this help");
  }
  return program;
}

/** Whether this is the option that says how results are printed. */
export const isFormat = ({ long, argChoices }: Option): boolean => long === "--json" || (long === "--output" && argChoices !== undefined);

/** All commands with what is typed for them (`runtimes add`), each before the ones inside it. */
export function allCommands(parent: Command, before = ""): { name: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${before}${command.name()}`;
    return [{ name, command }, ...allCommands(command, `${name} `)];
  });
}
