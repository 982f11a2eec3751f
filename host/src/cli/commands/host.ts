/** `nfactor host`: the daemon of a host, which does what a controller wants. */
import { hostname } from "node:os";
import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { parseEndpoint } from "../../config/endpoint.ts";
import { integer } from "../../config/plan.ts";
import type { DaemonEvent, HostDaemonOptions } from "../../daemon/index.ts";
import { plural, safeText } from "../../result/text.ts";
import { onStopSignals } from "../../run/signals.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import { UnwaitedOutput } from "../unwaited_output.ts";

const STATE = "/var/lib/nfactor/host";
const ROOM_MAX = 10_000;

interface HostCommandOptions {
  controller?: string;
  name?: string;
  join?: string;
  state: string;
  room?: string;
  agent?: string;
  agentIface?: string;
  end?: boolean;
  yes?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function hostCommand(): Command {
  return new Command("host")
    .description(
      "Run deployments on this machine as a controller wants, until Ctrl-C or SIGTERM. When it ends, or is killed, deployments go on, and the next one finds them. With --json each event is a line.",
    )
    .option("--controller <where>", "path of the controller's socket on this machine, or its address and port")
    .option("--name <name>", "name of this host, over a socket (default: the machine's); over the network the controller gives it")
    .option("--join <token>", "over the network, the first time: the token that the controller made for this host")
    .option("--state <folder>", "what it keeps: orders, artifacts, identity", STATE)
    .option("--room <n>", "runtimes that it takes at once (default: by CPUs and memory)")
    .option("--agent <address:port>", "take runtimes of other hosts' deployments too, and be reached there for that")
    .option("--agent-iface <name>", "interface that leads to those hosts; it carries the links of the runtimes")
    .option("--end", "end all deployments of the state folder, with their flows, and exit; the daemon must not run")
    .option("-y, --yes", "do not ask before they end")
    .option("--dry-run", "with --end: say what would end")
    .addHelpText(
      "after",
      examples(
        ["nfactor host --controller /run/nfactor/controller.sock --name h1", "beside the controller"],
        ["nfactor host --controller 10.0.0.1:7800 --join nfj1.…", "the first time; later without --join"],
        ["nfactor host --controller 10.0.0.1:7800 --agent 10.9.0.2:7700 --agent-iface l0", "runtimes of others may be here"],
        ["nfactor host --end", "before this machine is taken away"],
      ),
    )
    .action(run);
}

async function run(options: HostCommandOptions): Promise<void> {
  if (options.end) return end(options, new Output(options.json === true));
  if (options.dryRun || options.yes) throw new NfError("usage", `${options.dryRun ? "--dry-run" : "--yes"} has no meaning without --end`);
  if (options.controller === undefined) throw new NfError("usage", "--controller is missing", { fix: "Give the path of its socket, or its address and port." });
  const { controller, name, join, state, json = false } = options;
  const own = hostOptions(options);
  const stateEvent = (text: string): DaemonEvent => ({ at: Date.now(), event: "state", text });
  const lost = (events: number): string => lineOf(stateEvent(`${plural(events, "message")} were dropped here: nobody read them`), json);
  const said = new UnwaitedOutput(json ? 1 : 2, lost);
  const onEvent = (event: DaemonEvent): void => said.write(lineOf(event, json));
  const [{ startHostDaemon }, { wayTo }] = await Promise.all([import("../../daemon/index.ts"), import("../../daemon/way.ts")]);
  const note = (text: string): void => onEvent(stateEvent(text));
  const way = await wayTo({ controller, name: name ?? (controller.includes("/") ? machineName() : undefined), token: join, state, say: note });
  const daemon = await startHostDaemon({ state, way, ...own, onEvent });
  note(`host ${daemon.name} keeps its state in ${state}; Ctrl-C ends the daemon and leaves deployments at work`);
  await new Promise<void>((done) =>
    onStopSignals(
      () => done(),
      () => undefined,
    ),
  );
  const left = await daemon.leave();
  note(left.length === 0 ? "the daemon has ended" : `the daemon has ended; ${left.join(", ")} go on, and the next 'nfactor host' with this state finds them`);
  await said.end();
  process.exit(0);
}

async function end({ state, yes, dryRun, json }: HostCommandOptions, output: Output): Promise<void> {
  const { startHostDaemon } = await import("../../daemon/index.ts");
  const daemon = await startHostDaemon({ state, onEvent: (event) => json || output.write(lineOf(event, false)) });
  try {
    const names = daemon.all().map(({ name }) => name);
    if (!dryRun && !yes && names.length > 0) await ask(names);
    if (!dryRun) await daemon.endAll();
    const which = names.length === 0 ? "no deployments" : names.join(", ");
    output.result({ dry_run: dryRun === true, deployments: names }, dryRun ? `would end: ${which}. Nothing was changed.` : `ended: ${which}`);
  } finally {
    await daemon.leave();
  }
}

function lineOf({ at, event, deployment, text, packets }: DaemonEvent, json: boolean): string {
  return json ? `${JSON.stringify({ at, event, deployment, text, packets })}\n` : `${safeText(`${deployment ?? event}: ${text}`, 2000)}\n`;
}

/** Throws NfError (usage) unless somebody at a terminal says yes. */
async function ask(names: readonly string[]): Promise<void> {
  const would = `${plural(names.length, "deployment")} would end with their flows: ${names.join(", ")}`;
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw new NfError("usage", would, { fix: "Add --yes if that is wanted." });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await terminal.question(`${would}. End them? [y/N] `)).trim())) return;
  } finally {
    terminal.close();
  }
  throw new NfError("usage", "not confirmed, nothing was changed");
}

/** As a host's name may be. */
export function machineName(): string {
  return hostname()
    .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63);
}

/** What a host offers. Throws NfError (usage). */
export function hostOptions(options: Pick<HostCommandOptions, "room" | "agent" | "agentIface">): Pick<HostDaemonOptions, "room" | "agent"> {
  return { ...roomOf(options), ...agentOf(options) };
}

function roomOf({ room }: Pick<HostCommandOptions, "room">): Pick<HostDaemonOptions, "room"> {
  return room === undefined ? {} : { room: integer("--room", room, 0, ROOM_MAX) };
}

function agentOf({ agent, agentIface }: Pick<HostCommandOptions, "agent" | "agentIface">): Pick<HostDaemonOptions, "agent"> {
  if (agent === undefined && agentIface === undefined) return {};
  if (agent === undefined || agentIface === undefined)
    throw new NfError("usage", `--agent${agent === undefined ? "" : "-iface"} is missing: an agent has an address and an interface`);
  const listen = parseEndpoint(agent);
  if (!listen) throw new NfError("usage", `--agent: '${agent}' is no address with a port`, { allowed: "like 10.9.0.2:7700 or [fd00::2]:7700" });
  return { agent: { listen, iface: agentIface } };
}
