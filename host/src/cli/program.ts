/** The command line as commander knows it. Only options and help are here: what a command does is loaded when it runs. */
import { Command } from "commander";
import { VERSION } from "../package.ts";
import { agentCommand } from "./commands/agent.ts";
import { buildCommand } from "./commands/build.ts";
import { checkCommand } from "./commands/check.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { drainCommand, undrainCommand } from "./commands/drain.ts";
import { flowsCommand } from "./commands/flows.ts";
import { initCommand } from "./commands/init.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { peersCommand } from "./commands/peers.ts";
import { recoverCommand } from "./commands/recover.ts";
import { runCommand } from "./commands/run.ts";
import { runtimesCommand } from "./commands/runtimes.ts";
import { simCommand } from "./commands/sim.ts";
import { swapCommand } from "./commands/swap.ts";
import { testCommand } from "./commands/test.ts";

export function createProgram(): Command {
  const program = new Command("nfactor")
    .description("Runs chains of network functions that nobody has to trust: AssemblyScript, sandboxed as WebAssembly, on a DPDK dataplane.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .showSuggestionAfterError(true);
  const commands = [
    ...[initCommand, buildCommand, checkCommand, testCommand, simCommand, runCommand, swapCommand, flowsCommand],
    ...[runtimesCommand, migrateCommand, drainCommand, undrainCommand, recoverCommand, peersCommand, agentCommand, doctorCommand],
  ];
  for (const make of commands) program.addCommand(make());
  for (const { command } of allCommands(program)) command.option("--json", "print one JSON object on stdout").helpOption("-h, --help", "print this help");
  return program;
}

/** All commands with what is typed for them (`runtimes add`), each before the ones inside it. */
export function allCommands(parent: Command, before = ""): { name: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${before}${command.name()}`;
    return [{ name, command }, ...allCommands(command, `${name} `)];
  });
}
