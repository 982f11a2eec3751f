/** `nfactor runtimes`: the runtimes of a running host, how busy they are, and more and fewer of them. */
import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";
import { type RuntimesSample, ratesOf, runtimesTable } from "../../result/runtimes_text.ts";
import { plural } from "../../result/text.ts";
import { type ControlClient, findHost, withClient } from "../../rpc/client.ts";
import { examples } from "../help.ts";
import { Output, writeAll } from "../output.ts";
import type { RuntimesResultJson } from "../results.ts";
import { addHostOption, collectNumbers, runtimeNumber } from "../runtime_options.ts";

/** Load and rates of one look are of this time. */
const LOOK_MS = 500;
const WATCH_MS = 1000;

interface RuntimesOptions {
  host?: string;
  json?: boolean;
  watch?: boolean;
  force?: boolean;
  yes?: boolean;
  dryRun?: boolean;
  at?: string;
  by?: string[];
}

export function runtimesCommand(): Command {
  return addHostOption(new Command("runtimes"))
    .description("Show the virtual switch and the runtimes of a running host: flows, load, packets per second, drops, flows that moved and that are moving.")
    .usage("[options] [command]")
    .enablePositionalOptions()
    .argument("[command]")
    .option("--watch", "show it anew every second, until Ctrl-C")
    .addHelpText("after", examples(["nfactor runtimes", ""], ["nfactor runtimes --watch", ""], ["nfactor runtimes --json", ""]))
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(protectCommand())
    .action(async (word: string | undefined, options: RuntimesOptions) => {
      if (word !== undefined) {
        const meant = nearest(word, ["add", "remove", "protect"]);
        throw new NfError("usage", `runtimes: '${word}' is no command of it`, {
          allowed: "add, remove, protect, or nothing",
          fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
        });
      }
      if (options.watch && options.json)
        throw new NfError("usage", "--watch and --json exclude each other", { fix: "Run it with --json as often as you like." });
      await withClient(await findHost(options.host), (client) => (options.watch ? watch(client) : look(client, options.json === true)));
    });
}

function addCommand(): Command {
  return addHostOption(new Command("add"))
    .description("Start another runtime with the chain as it runs now. It gets new flows from then on; `migrate` brings it some at once.")
    .option("--at <peer>", "on another machine: name of a peer, or address of an agent that the host was started with (default: this machine)")
    .addHelpText("after", examples(["nfactor runtimes add", ""], ["nfactor runtimes add --at rack2", "see 'nfactor peers'"]))
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<RuntimesOptions>();
      await withClient(await findHost(options.host), async (client) => {
        const { at } = options;
        const result = await client.call("add_runtime", at === undefined ? {} : { at });
        const where = result.pid === undefined ? `on lcore ${result.lcore}` : `as process ${result.pid}${at === undefined ? "" : ` at ${at}`}`;
        new Output(options.json === true).result(result, `runtime ${result.runtime} takes flows, ${where}`);
      });
    });
}

function removeCommand(): Command {
  return addHostOption(new Command("remove"))
    .description("Take a runtime away for good. One that has flows is refused: `drain` moves them away first.")
    .argument("<runtime>", "its number")
    .option("--force", "also with flows: they end, and their packets open new flows elsewhere")
    .option("-y, --yes", "do not ask before flows end")
    .option("--dry-run", "check, and remove nothing")
    .addHelpText("after", examples(["nfactor drain 3 && nfactor runtimes remove 3", "nothing is lost"], ["nfactor runtimes remove 3 --force --yes", ""]))
    .action(async (text: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RuntimesOptions>();
      const runtime = runtimeNumber(text);
      const output = new Output(options.json === true);
      await withClient(await findHost(options.host), async (client) => {
        const params = { runtime, force: options.force === true };
        const would = await client.call("remove_runtime", { ...params, dry_run: true });
        if (!options.dryRun && would.flows_ended > 0 && !options.yes) await ask(runtime, would.flows_ended);
        const result = options.dryRun ? would : await client.call("remove_runtime", { ...params, dry_run: false });
        const ended =
          result.flows_ended === 0
            ? ""
            : options.dryRun
              ? `, and its ${plural(result.flows_ended, "flow")} would end`
              : `, and its ${plural(result.flows_ended, "flow")} ended`;
        output.result(result, options.dryRun ? `runtime ${runtime} would be removed${ended}. Nothing was changed.` : `runtime ${runtime} was removed${ended}`);
      });
    });
}

function protectCommand(): Command {
  return addHostOption(new Command("protect"))
    .description(
      "Say where the replicas of a runtime's flows are to be, in the form of other runtimes. They move there while packets flow. Needs --replicas 1.",
    )
    .argument("<runtime>", "its number")
    .addOption(
      new Option("--by <runtimes>", "numbers, with commas, or repeated; as long as none of them can keep replicas, others do. any: whichever")
        .argParser(collectNumbers)
        .makeOptionMandatory(),
    )
    .addHelpText("after", examples(["nfactor runtimes protect 3 --by 1,2", ""], ["nfactor runtimes protect 3 --by any", "as at the start"]))
    .action(async (text: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RuntimesOptions>();
      const by = options.by ?? [];
      if (by.includes("any") && by.length > 1) throw new NfError("usage", "--by: 'any' and numbers exclude each other");
      const params = { runtime: runtimeNumber(text), targets: by.includes("any") ? [] : [...new Set(by.map((one) => runtimeNumber(one.trim())))] };
      await withClient(await findHost(options.host), (client) => client.call("set_replication_target", params));
      const where = params.targets.length === 0 ? "any other runtime" : params.targets.join(", ");
      new Output(options.json === true).result(params, `replicas of runtime ${params.runtime}: at ${where}`);
    });
}

/** Throws NfError (usage) unless somebody at a terminal says yes. */
async function ask(runtime: number, flows: number): Promise<void> {
  const would = `${plural(flows, "flow")} of runtime ${runtime} would end`;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new NfError("usage", would, { fix: `Add --yes if that is wanted, or move them away with 'nfactor drain ${runtime}'.` });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await terminal.question(`${would}. Remove it? [y/N] `)).trim())) return;
  } finally {
    terminal.close();
  }
  throw new NfError("usage", "not confirmed, nothing was changed");
}

async function sample(client: ControlClient): Promise<RuntimesSample> {
  const { at_us, runtimes } = await client.call("runtimes", {});
  return { atUs: at_us, runtimes };
}

async function look(client: ControlClient, json: boolean): Promise<void> {
  const before = await sample(client);
  await sleep(LOOK_MS);
  const now = await sample(client);
  const result: RuntimesResultJson = { seconds: (now.atUs - before.atUs) / 1e6, runtimes: ratesOf(now, before) };
  new Output(json).result(result, runtimesTable(result.runtimes));
}

/** On a terminal the table is written over; elsewhere tables follow each other with a blank line between them. */
async function watch(client: ControlClient): Promise<void> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  let before = await sample(client);
  for (let lines = 0; !end.signal.aborted;) {
    await sleep(lines === 0 ? LOOK_MS : WATCH_MS, undefined, { signal: end.signal }).catch(() => undefined);
    if (end.signal.aborted) return;
    const now = await sample(client);
    const text = runtimesTable(ratesOf(now, before));
    const over = lines === 0 ? "" : process.stdout.isTTY ? `\x1b[${lines}A\x1b[0J` : "\n";
    writeAll(1, `${over}${text}\n`);
    lines = text.split("\n").length;
    before = now;
  }
}
