/**
 * The nfactor command as a whole: the host's commands and the controller's. Those that both have go to a run on this machine or to a deployment, see
 * two_targets.ts. Only options and help are here and in the commands' files: what a command does is loaded when it runs.
 */
import type { Command } from "commander";
import { createProgram, hostCommands, prepared } from "@nfactor/host/cli";
import { completionCommand } from "./commands/completion.ts";
import { contextCommand } from "./commands/context.ts";
import { deployCommand, rollbackCommand, scaleCommand, undeployCommand } from "./commands/deploy.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { auditCommand, eventsCommand } from "./commands/events.ts";
import { hostsCommand } from "./commands/hosts.ts";
import { drainCommand, flowCommand, flowsCommand, migrateCommand, recoverCommand, runtimesCommand, swapCommand, undrainCommand } from "./commands/live.ts";
import { pushCommand } from "./commands/push.ts";
import { statusCommand } from "./commands/status.ts";
import { tenantsCommand, tokensCommand } from "./commands/tenants.ts";
import { topCommand } from "./commands/top.ts";
import { captureCommand, traceCommand } from "./commands/trace.ts";
import { upCommand } from "./commands/up.ts";
import { versionsCommand } from "./commands/versions.ts";
import type { RunLocal } from "./two_targets.ts";

const BOTH: Readonly<Record<string, (local: Command, runLocal: RunLocal) => Command>> = {
  swap: swapCommand,
  flows: flowsCommand,
  migrate: migrateCommand,
  drain: drainCommand,
  undrain: undrainCommand,
  recover: recoverCommand,
  runtimes: (local, runLocal) => {
    const command = runtimesCommand(local, runLocal).enablePositionalOptions();
    for (const inside of local.commands) command.addCommand(inside);
    return command;
  },
  trace: traceCommand,
  capture: captureCommand,
  doctor: doctorCommand,
};

const GROUPS: readonly (readonly [heading: string, names: readonly string[]])[] = [
  ["Network functions:", ["init", "build", "check", "test", "sim"]],
  ["A controller, and what it runs:", ["up", "status", "push", "versions", "deploy", "undeploy", "rollback", "scale", "flow", "top", "events"]],
  ["What runs, of a controller or of one run on this machine:", ["swap", "flows", "trace", "capture", "runtimes", "migrate", "drain", "undrain", "recover"]],
  ["A cluster and who may use it:", ["hosts", "tenants", "tokens", "audit", "context"]],
  ["This machine:", ["run", "host", "agent", "doctor", "completion"]],
];

/** `args` are the command line: what is a local run's goes to the host's program as it was typed. */
export function createClusterProgram(args: readonly string[]): Command {
  const runLocal: RunLocal = () => prepared(createProgram()).parseAsync([...args], { from: "user" });
  const hosts = hostCommands().map((command) => BOTH[command.name()]?.(command, runLocal) ?? command);
  const own = [upCommand(), statusCommand(), pushCommand(), versionsCommand(), deployCommand(), undeployCommand(), rollbackCommand(), scaleCommand(), flowCommand(), topCommand()];
  const more = [eventsCommand(), hostsCommand(), tenantsCommand(), tokensCommand(), auditCommand(), contextCommand(), completionCommand(() => program)];
  const all = [...hosts, ...own, ...more];
  const ordered = GROUPS.flatMap(([heading, names]) => names.flatMap((name) => all.filter((one) => one.name() === name).map((one) => one.helpGroup(heading))));
  // The list of all commands has the first sentence of each.
  for (const one of all) one.summary(one.description().split(/(?<=[a-z)'])[.:;] /)[0]!.replace(/\.$/, ""));
  const program: Command = createProgram([...ordered, ...all.filter((one) => !ordered.includes(one))]);
  return program;
}
