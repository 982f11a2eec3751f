/**
 * `nfactor deploy`, `nfactor undeploy`, `nfactor rollback`, `nfactor scale`: what is to run. What would change is shown before; nothing that ends flows is done
 * unasked.
 */
import { Command, Option } from "commander";
import { EXIT, examples } from "@nfactor/host/cli";
import { plural } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import type { AcceptedJson, Lasting, OutcomeJson } from "../api.ts";
import { type ApiOptions, type Connection, addApiOptions, deploymentName, timeoutMs, withApi } from "../api_command.ts";
import { confirm } from "../ask.ts";
import { type InputFlags, readInput } from "../deployment_file.ts";
import { runtimeBounds } from "../runtime_bounds.ts";
import { diffText } from "../deployment_diff.ts";
import { diffWithRunning } from "../running_diff.ts";
import { outcomeText } from "../views/cluster_text.ts";
import { waiting } from "../wait.ts";

export interface ChangeOptions extends ApiOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
  /** --no-wait */
  readonly wait?: boolean;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** --dry-run, --yes and --no-wait, as all that change deployments have them. */
export function addChangeOptions(command: Command, { yes = true, wait = true } = {}): Command {
  command.option("--dry-run", "check and say what would happen, and change nothing");
  if (yes) command.option("-y, --yes", "do not ask before flows end");
  if (wait) command.option("--no-wait", "do not wait until it is carried out");
  return addApiOptions(command);
}

export function deployCommand(): Command {
  const command = new Command("deploy")
    .description(
      "Have a chain of pushed NFs run between two interfaces of a host, or change one that runs. Says what changes first, and asks before flows end.",
    )
    .argument("<deployment>", "<tenant>/<name>")
    .option("-f, --file <file>", "what is to run, as YAML or JSON; - for stdin")
    .option("-c, --chain <nfs>", "pushed NFs from client to server, with commas between them; <entry>=<nf@version> names an entry")
    .option("--client-iface <name>", "interface of the client side")
    .option("--server-iface <name>", "interface of the server side")
    .option("--at <host>", "host that has the interfaces (default: the only one there is)")
    .addOption(new Option("--nf-config <entry=file>", "configuration of one NF from a YAML or JSON file; may be repeated").argParser(collect))
    .addOption(new Option("--grant <entry=rights>", "what an NF may do, like nat=edit:headers; may be repeated").argParser(collect))
    .addOption(new Option("--lease <entry=size>", "size of an NF's pool of leased values; may be repeated").argParser(collect))
    .option("--runtimes <min..max>", "how many runtimes: 2, or 2..8");
  return addChangeOptions(command)
    .addHelpText(
      "after",
      examples(
        ["nfactor deploy blue/web -f web.yaml", ""],
        ["nfactor deploy blue/web -f web.yaml --dry-run", "what would change, and would flows end?"],
        ["nfactor deploy web --chain flow_monitor,fw=firewall@1.2.0 --nf-config fw=rules.yaml --client-iface c0 --server-iface s0", ""],
        ["nfactor deploy blue/web -f web.yaml --chain firewall@1.3.0", "flags override the file"],
      ),
    )
    .action((name: string, options: ChangeOptions & InputFlags) => deploy(name, options));
}

async function deploy(word: string, options: ChangeOptions & InputFlags): Promise<void> {
  const { body, input } = readInput(options);
  await withApi(options, async (connection) => {
    const { api, chosen, output } = connection;
    const name = deploymentName(word, chosen.tenant);
    const { diff, version } = await diffWithRunning(api, name, input);
    // What it would do, if flows may end for it: whether they do is asked below.
    const would = (await api.deploy(name, body, { dryRun: true, version, replace: true }))!;
    const shown = version === "none" ? `${name} is new` : diff.length === 0 ? "" : diffText(diff);
    if (shown !== "" && !output.json) output.note(shown);
    if (options.dryRun) return void output.result({ ...would, diff }, outcomeText(would));
    if (would.flows_ended > 0 && !options.yes) await confirm(`${plural(would.flows_ended, "flow")} of ${name} would end`, "Deploy it?");
    await change(connection, name, options, `deploying ${name}`, (wish) =>
      api.deploy(name, body, { ...wish, version, replace: would.action === "replace" || undefined }),
    );
  });
}

/** Carries out what was decided, waits for it unless --no-wait, prints the outcome and sets the exit code. */
export async function change<T extends OutcomeJson>(
  { output }: Connection,
  name: string,
  options: ChangeOptions,
  what: string,
  run: (wish: Lasting) => Promise<T | undefined>,
  text: (outcome: T) => string = outcomeText,
): Promise<void> {
  const goesOn = `The controller goes on with it: 'nfactor status ${name}' shows how far it is.`;
  const wait = options.wait !== false;
  let accepted: AcceptedJson | undefined;
  const onAccepted = (told: AcceptedJson): void => void (accepted = told);
  const outcome = await waiting(output, { what, goesOn }, (onProgress) => run({ timeoutMs: timeoutMs(options), wait, onAccepted, onProgress }));
  if (!outcome)
    return output.result(
      { deployment: name, begun: true, ...accepted },
      `${what}: it goes on; 'nfactor status ${name}' shows how far it is, 'nfactor events ${name}' what happens`,
    );
  output.result(outcome, text(outcome));
  if (wait && !outcome.done && !outcome.dry_run) process.exitCode = EXIT.pending;
}

export function undeployCommand(): Command {
  const command = new Command("undeploy")
    .description("End a deployment: its flows end, its processes too. What was pushed stays.")
    .argument("<deployment>", "<tenant>/<name>")
    .option("--force", "forget it although its host is away: what that still has is left alone when it comes back");
  return addChangeOptions(command)
    .addHelpText("after", examples(["nfactor undeploy blue/web", "asks first"], ["nfactor undeploy blue/web --yes --json", ""]))
    .action(async (word: string, options: ChangeOptions) => {
      await withApi(options, async (connection) => {
        const { api, chosen, output } = connection;
        const name = deploymentName(word, chosen.tenant);
        const would = (await api.undeploy(name, { dryRun: true, force: options.force }))!;
        const text = (outcome: OutcomeJson): string => endedText(outcome);
        if (options.dryRun) return void output.result(would, text(would));
        if (!options.yes) await confirm(`${name} would end, and ${plural(would.flows_ended, "flow")} with it`, "End it?");
        await change(connection, name, options, `ending ${name}`, (wish) => api.undeploy(name, { ...wish, force: options.force }), text);
      });
    });
}

function endedText({ deployment, dry_run, flows_ended, done }: OutcomeJson): string {
  if (dry_run) return `${deployment} would end, and ${plural(flows_ended, "flow")} with it. Nothing was changed.`;
  return done ? `${deployment} has ended, and ${plural(flows_ended, "flow")} with it` : `${deployment} is to end, and does when its host is there`;
}

export function rollbackCommand(): Command {
  const command = new Command("rollback")
    .description("Go back to the revision of a deployment before the present one, or to another one that is kept. It becomes a new revision.")
    .argument("<deployment>", "<tenant>/<name>")
    .option("--to <revision>", "a number of 'nfactor versions <deployment>'");
  return addChangeOptions(command)
    .addHelpText("after", examples(["nfactor rollback blue/web", ""], ["nfactor rollback blue/web --to 3 --dry-run", ""]))
    .action(async (word: string, options: ChangeOptions & { to?: string }) => {
      const to = options.to === undefined ? undefined : revisionNumber(options.to);
      await withApi(options, async (connection) => {
        const { api, chosen, output } = connection;
        const name = deploymentName(word, chosen.tenant);
        const would = (await api.rollback(name, { to, replace: true }, { dryRun: true }))!;
        if (options.dryRun) return void output.result(would, outcomeText(would));
        if (would.flows_ended > 0 && !options.yes) await confirm(`${plural(would.flows_ended, "flow")} of ${name} would end`, "Roll back?");
        await change(connection, name, options, `rolling ${name} back`, (wish) => api.rollback(name, { to, replace: would.action === "replace" }, wish));
      });
    });
}

function revisionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new NfError("usage", `--to: '${text}' is no revision`, { fix: "'nfactor versions <deployment>' lists them." });
}

export function scaleCommand(): Command {
  const command = new Command("scale")
    .description("Say how many runtimes a deployment may have: the controller keeps their number between the two, by load.")
    .argument("<deployment>", "<tenant>/<name>")
    .argument("<runtimes>", "<min>..<max>, or one number, which fixes it");
  return addChangeOptions(command, { yes: false })
    .addHelpText("after", examples(["nfactor scale blue/web 2..8", ""], ["nfactor scale blue/web 4", "four, whatever the load"]))
    .action(async (word: string, bounds: string, options: ChangeOptions) => {
      const wish = runtimeBounds("scale", bounds);
      await withApi(options, async (connection) => {
        const name = deploymentName(word, connection.chosen.tenant);
        if (options.dryRun) {
          const would = (await connection.api.scale(name, wish, { dryRun: true }))!;
          return void connection.output.result(would, outcomeText(would));
        }
        await change(
          connection,
          name,
          options,
          `scaling ${name}`,
          (more) => connection.api.scale(name, wish, more),
          (outcome) => `${outcomeText(outcome)}: ${wish.min === wish.max ? plural(wish.min, "runtime") : `${wish.min} to ${wish.max} runtimes`}`,
        );
      });
    });
}
