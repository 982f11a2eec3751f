/**
 * Commands that go to a run on this machine, over its control socket, or to a deployment of a controller, over the API: `nfactor drain 3` and
 * `nfactor drain blue/web 3`. It is a deployment when the first word is one (`blue/web`), when --deployment names it, and, with a tenant as default, when
 * there is one word more than the local form takes (`drain web 3`). Everything else goes, as it was typed, to the host's own command.
 */
import { Command, Option } from "commander";
import { type Example, examples, isFormat } from "@nfactor/host/cli";
import { NfError } from "@nfactor/sdk/errors";
import { API_GROUP, type ApiOptions, apiOptions, deploymentName, isFullName, isName } from "./api_command.ts";
import { chooseContext, defaultTenant } from "./context_file.ts";

export interface TwoTargets<O> {
  /** The host's command, as a model for its options and as what does the local part. */
  readonly local: Command;
  readonly description: string;
  /** Words of the local form at most; "any" where they are a match, and a bare name is none. */
  readonly words: readonly (readonly [name: string, what: string])[] | "any";
  /** As `<entry> <nf>`: what follows the deployment. */
  readonly usage: string;
  /** How many words may follow a deployment. */
  readonly after: { readonly min: number; readonly max: number };
  /** What only the API's form has. */
  readonly options?: readonly Option[];
  readonly examples: readonly Example[];
  readonly localExamples: readonly Example[];
  /** Words that are no names of deployments although they could be. */
  readonly isWord?: (word: string) => boolean;
  run(deployment: string, words: string[], options: O & ApiOptions): Promise<void>;
}

export type RunLocal = () => Promise<unknown>;
export const LOCAL_GROUP = "A run on this machine:";

/** `runLocal` hands the command line to the host's program as it is. */
export function twoTargets<O>(name: string, of: TwoTargets<O>, runLocal: RunLocal): Command {
  const command = new Command(name)
    .description(of.description)
    .usage(`[options] [deployment] ${of.usage}`.trimEnd())
    .argument("[deployment]", "<tenant>/<name>: it goes to the controller; left out, to a run on this machine");
  const words = of.words === "any" ? [] : of.words;
  for (const [word, what] of words) command.argument(`[${word}]`, what);
  if (of.words === "any") command.argument("[match...]", of.local.registeredArguments[0]?.description);
  for (const option of of.local.options)
    if (!isFormat(option)) command.addOption(option.long === "--host" ? localOnly(option) : option);
  for (const option of of.options ?? []) command.addOption(option);
  command.addOption(new Option("--deployment <name>", "the same as the first word, for a name that could be something else").helpGroup(API_GROUP));
  for (const option of apiOptions()) command.addOption(option);
  return command.addHelpText("after", examples(...of.examples, ...of.localExamples)).action(async () => {
    const given = [...command.args];
    const options = command.opts<O & ApiOptions & { deployment?: string; host?: string }>();
    const deployment = take(given, options, of);
    if (deployment === undefined) {
      requireLocal(command, of);
      await runLocal();
      return;
    }
    if (options.host !== undefined) throw new NfError("usage", `--host is of a run on this machine, and ${deployment} is a deployment`, { fix: "Leave one of them out." });
    requireWords(name, given, of);
    await of.run(deployment, given, options);
  });
}

/** The same, when the host's command is there. */
export const twoTargetsOf =
  <O>(name: string, of: Omit<TwoTargets<O>, "local">) =>
  (local: Command, runLocal: RunLocal): Command =>
    twoTargets<O>(name, { ...of, local }, runLocal);

function localOnly(option: Option): Option {
  const copy = new Option(option.flags, option.description).helpGroup(LOCAL_GROUP);
  return copy;
}

/** The deployment that is meant, which is taken out of `given`; undefined: a run on this machine. */
function take<O>(given: string[], options: ApiOptions & { deployment?: string; host?: string }, of: TwoTargets<O>): string | undefined {
  if (options.deployment !== undefined) return deploymentName(options.deployment, chooseContext(options).tenant);
  const [first] = given;
  if (first === undefined) return undefined;
  if (isFullName(first)) return given.shift();
  if (!isName(first) || options.host !== undefined || of.isWord?.(first)) return undefined;
  if (of.words !== "any" && given.length <= of.words.length) return undefined;
  const tenant = defaultTenant(options);
  if (tenant === undefined) return undefined;
  given.shift();
  return deploymentName(first, tenant);
}

/** Options that are the API's have no meaning for a local run. */
function requireLocal<O>(command: Command, of: TwoTargets<O>): void {
  const known = new Set(of.local.options.map((option) => option.attributeName()));
  const wrong = command.options.find((option) => !isFormat(option) && !known.has(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === "cli");
  if (wrong) throw new NfError("usage", `${wrong.long} goes with a deployment, and none is named`, { fix: `Write nfactor ${command.name()} <tenant>/<name> …, or use --deployment.` });
}

function requireWords<O>(name: string, given: readonly string[], { after, usage }: TwoTargets<O>): void {
  if (given.length < after.min) throw new NfError("usage", `missing required argument '${usage.match(/<([^>]+)>/g)?.[given.length]?.slice(1, -1) ?? "word"}'`, { fix: `nfactor ${name} <deployment> ${usage}` });
  if (given.length > after.max) throw new NfError("usage", `too many arguments for '${name}'`, { fix: `nfactor ${name} <deployment> ${usage}` });
}
