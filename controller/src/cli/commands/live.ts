/** Commands about what runs, of a run on this machine or of a deployment: swap, flows, migrate, drain, undrain, recover, runtimes. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { EXIT, examples, flowLines, migrateParams, operationText, ratesOf, recoveryText, runtimeNumber, runtimesTable, writeAll } from "@nfactor/host/cli";
import { integer, parseConfigText, parseGrant, readConfigText } from "@nfactor/host/plan";
import { count, plural } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { parseFlowMatch } from "@nfactor/host/flow_match";
import type { Api, Lasting } from "../api.ts";
import { type ApiOptions, CHANGE_MS, addApiOptions, deploymentName, timeoutMs, withApi } from "../api_command.ts";
import { confirm } from "../ask.ts";
import { twoTargetsOf } from "../two_targets.ts";
import { swapOutcomeText } from "../views/cluster_text.ts";
import { waiting } from "../wait.ts";
import { type ChangeOptions, change } from "./deploy.ts";

const FLOWS_MAX = 2000;
const PROTOCOLS = /^(tcp|udp|icmp|icmpv6|sctp|udplite|ip\d{1,3})$/;

const noWait = (): Option => new Option("--no-wait", "do not wait until it is carried out");

export const swapCommand = twoTargetsOf<ChangeOptions & { config?: string; grant?: string }>("swap", {
  description:
    "Replace one NF of what runs by another version of it, without dropping a packet; the flows keep their states. In a deployment: on all of its runtimes.",
  words: [
    ["entry", "the chain's entry"],
    ["nf", "the new version: of a deployment, one that was pushed, as firewall@1.3.0; of a run here, a name, a folder or an artifact"],
  ],
  usage: "<entry> <nf>",
  after: { min: 2, max: 2 },
  options: [noWait()],
  examples: [
    ["nfactor swap blue/web fw firewall@1.3.0", "of a deployment"],
    ["nfactor swap blue/web fw firewall@1.3.0 --dry-run", "would it be accepted?"],
  ],
  localExamples: [["nfactor swap fw ./firewall", "of a run on this machine: builds ./firewall and swaps it in"]],
  run: async (name, [entry = "", nf = ""], options) => {
    const config = options.config === undefined ? undefined : readConfigText(options.config);
    const wish = {
      entry,
      nf,
      ...(config === undefined ? {} : { config: parseConfigText(config.text, config.file).value }),
      ...(options.grant === undefined ? {} : { grant: parseGrant(options.grant) }),
    };
    await withApi(options, async (connection) => {
      if (!options.dryRun) return change(connection, name, options, `swapping ${entry}`, (more) => connection.api.swap(name, wish, more), swapOutcomeText);
      const would = (await connection.api.swap(name, wish, { dryRun: true, timeoutMs: timeoutMs(options) ?? CHANGE_MS }))!;
      connection.output.result(would, swapOutcomeText(would));
    });
  },
});

interface FlowsOptions {
  readonly limit: string;
  readonly runtime?: string;
}

const words = (given: readonly string[]): string[] => given.flatMap((word) => word.split(/\s+/)).filter((word) => word !== "");

export const flowsCommand = twoTargetsOf<FlowsOptions>("flows", {
  description: "Show the flows that match all the words, with the state of each NF by field.",
  words: "any",
  usage: "[match...]",
  after: { min: 0, max: 20 },
  isWord: (word) => PROTOCOLS.test(word),
  examples: [
    ["nfactor flows blue/web tcp :443", "of a deployment: TCP flows from or to port 443"],
    ["nfactor flows blue/web 'fw.tag!=0' --json", ""],
  ],
  localExamples: [["nfactor flows tcp :443 10.0.0.0/8", "of a run on this machine"]],
  run: async (name, given, options) => {
    const match = words(given);
    parseFlowMatch(match);
    const limit = Math.min(integer("--limit", options.limit, 1, 10_000), FLOWS_MAX);
    const runtime = options.runtime === undefined ? undefined : runtimeNumber(options.runtime);
    await withApi(options, async ({ api, output }) => {
      const result = await api.flows(name, { match, limit, ...(runtime === undefined ? {} : { runtime }) });
      output.result(result, [...result.flows.map(flowLines), flowsCounted(result, match)].join("\n"));
    });
  },
});

function flowsCounted({ flows, seen, more }: { flows: readonly unknown[]; seen: number; more: boolean }, match: readonly string[]): string {
  return more
    ? `the first ${count(flows.length)} that match; there are more`
    : `${plural(flows.length, "flow")}${match.length > 0 ? ` of ${count(seen)}` : ""}`;
}

/** `nfactor flow <key>`: exactly one flow. */
export function flowCommand(): Command {
  const command = new Command("flow")
    .description("Show one flow of a deployment with its state of every NF. The words have to match exactly one.")
    .argument("<deployment>", "<tenant>/<name>")
    .argument("<key...>", "as in 'nfactor flows': tcp 10.0.0.1:4242 10.0.0.2:80");
  return addApiOptions(command)
    .addHelpText(
      "after",
      examples(["nfactor flow blue/web tcp 10.0.0.1:4242 '>' 10.0.0.2:80", "as 'nfactor flows' writes it"], ["nfactor flow blue/web :4242 --json", ""]),
    )
    .action(async (word: string, given: string[], options: ApiOptions) => {
      const match = words(given).filter((one) => one !== ">");
      parseFlowMatch(match, "flow");
      await withApi(options, async ({ api, chosen, output }) => {
        const name = deploymentName(word, chosen.tenant);
        const { flows } = await api.flows(name, { match, limit: 2 });
        const [flow] = flows;
        if (!flow)
          throw new NfError("runtime.no_flow", `${name} has no flow that matches ${match.join(" ")}`, {
            fix: `'nfactor flows ${name}' shows those there are.`,
          });
        if (flows.length > 1)
          throw new NfError("usage", `more than one flow of ${name} matches ${match.join(" ")}`, { fix: "Give both ends: tcp 10.0.0.1:4242 10.0.0.2:80." });
        output.result(flow, flowLines(flow));
      });
    });
}

interface MigrateOptions {
  readonly from: string;
  readonly to: string;
  readonly count?: string;
  readonly all?: boolean;
  readonly flow?: string[];
  readonly dryRun?: boolean;
}

export const migrateCommand = twoTargetsOf<MigrateOptions>("migrate", {
  description: "Move flows from one runtime to another: under traffic, without losing or reordering a packet.",
  words: [],
  usage: "",
  after: { min: 0, max: 0 },
  examples: [["nfactor migrate blue/web --from 1 --to 2 --count 1000", "of a deployment"]],
  localExamples: [
    [
      "nfactor migrate --from 1 --to 3 --flow 'tcp 10.0.0.1:4242' --flow 'udp :53'",
      "of a run on this machine: one connection, and everything to or from port 53",
    ],
    ["nfactor migrate --from 2 --to 1 --all --dry-run", ""],
  ],
  run: async (name, _, options) => {
    const params = migrateParams(options);
    await operate(
      options,
      name,
      `migrating flows of ${name}`,
      (api, wish) => api.migrate(name, params, wish),
      (result) => operationText(`runtime ${params.from} → ${params.to}`, params.from, result),
    );
  },
});

interface DrainOptions {
  readonly to?: string[];
  readonly dryRun?: boolean;
}

export const drainCommand = twoTargetsOf<DrainOptions>("drain", {
  description:
    "Empty a runtime: it gets no new flows, and those that it has move to other runtimes. It stays like this until `undrain`. A whole host: 'nfactor hosts drain'.",
  words: [["runtime", "its number"]],
  usage: "<runtime>",
  after: { min: 1, max: 1 },
  examples: [["nfactor drain blue/web 3", "of a deployment"]],
  localExamples: [["nfactor drain 3 --to 1,2 --dry-run", "of a run on this machine: how many flows would move?"]],
  run: async (name, [text = ""], options) => {
    const runtime = runtimeNumber(text);
    const to = [...new Set((options.to ?? []).map((one) => runtimeNumber(one.trim())))];
    const params = { runtime, to, dry_run: options.dryRun === true };
    await operate(
      options,
      name,
      `draining runtime ${runtime} of ${name}`,
      (api, wish) => api.drain(name, params, wish),
      (result) => operationText(`runtime ${runtime} → ${result.to.join(", ")}`, runtime, result),
    );
  },
});

interface Operated {
  readonly failed: number;
  readonly undrained: boolean;
}

async function operate<R extends Operated>(
  options: ApiOptions,
  name: string,
  what: string,
  run: (api: Api, wish: Lasting) => Promise<R | undefined>,
  text: (result: R) => string,
): Promise<void> {
  await withApi(options, async ({ api, output }) => {
    const goesOn = `The host goes on with it; 'nfactor runtimes ${name}' shows how far it is.`;
    const result = (await waiting(output, { what, goesOn }, (onProgress) => run(api, { timeoutMs: timeoutMs(options), onProgress })))!;
    output.result(result, text(result));
    if (result.failed > 0 || result.undrained) process.exitCode = EXIT.notMoved;
  });
}

export const undrainCommand = twoTargetsOf<object>("undrain", {
  description: "Let a runtime take new flows again. Flows that have moved stay where they are; a drain that goes on ends.",
  words: [["runtime", "its number"]],
  usage: "<runtime>",
  after: { min: 1, max: 1 },
  examples: [["nfactor undrain blue/web 3", "of a deployment"]],
  localExamples: [["nfactor undrain 3", "of a run on this machine"]],
  run: async (name, [text = ""], options) => {
    const runtime = runtimeNumber(text);
    await withApi(options, async ({ api, output }) => {
      const result = await api.undrain(name, { runtime });
      output.result(result, `runtime ${runtime} of ${name} ${result.was_draining ? "takes new flows again" : "was not draining"}`);
    });
  },
});

export const recoverCommand = twoTargetsOf<{ yes?: boolean; dryRun?: boolean }>("recover", {
  description:
    "Declare a runtime dead: nothing of it leaves any more, and its flows go on in the runtimes that have their replicas. Its process is killed and started again; in one process it is gone.",
  words: [["runtime", "its number"]],
  usage: "<runtime>",
  after: { min: 1, max: 1 },
  examples: [["nfactor recover blue/web 2 --dry-run", "of a deployment: what would be lost?"]],
  localExamples: [["nfactor recover 2 --yes", "of a run on this machine"]],
  run: async (name, [text = ""], options) => {
    const runtime = runtimeNumber(text);
    await withApi(options, async ({ api, output }) => {
      const would = (await api.recover(name, { runtime, dry_run: true }, {}))!;
      if (options.dryRun) return void output.result(would, recoveryText(would));
      if (!options.yes)
        await confirm(
          `runtime ${runtime} of ${name}: ${plural(would.recovered, "flow")} would go on elsewhere, ${count(would.lost)} would lose their state`,
          "Declare it dead?",
        );
      const result = (await waiting(output, { what: `recovering runtime ${runtime}`, goesOn: "The host goes on with it." }, (onProgress) =>
        api.recover(name, { runtime, dry_run: false }, { timeoutMs: timeoutMs(options), onProgress }),
      ))!;
      output.result(result, recoveryText(result));
      if (result.lost > 0) process.exitCode = EXIT.notMoved;
    });
  },
});

/** Load and rates are of this time. */
const LOOK_MS = 1100;
const LOOK_AGAIN_MS = 200;
const LOOKS_AGAIN = 20;

export const runtimesCommand = twoTargetsOf<{ watch?: boolean }>("runtimes", {
  description: "Show the virtual switch and the runtimes: flows, load, packets per second, drops, flows that moved and that are moving.",
  words: [],
  usage: "[command]",
  after: { min: 0, max: 0 },
  examples: [["nfactor runtimes blue/web", "of a deployment; 'nfactor scale' says how many it may have"]],
  localExamples: [["nfactor runtimes --watch", "of a run on this machine"]],
  run: (name, _, options) => showRuntimes(name, options),
});

async function showRuntimes(name: string, options: ApiOptions & { watch?: boolean }): Promise<void> {
  await withApi(options, async ({ api, output }) => {
    const look = async () => {
      const { at_us, runtimes } = await api.runtimes(name);
      return { atUs: at_us, runtimes };
    };
    let before = await look();
    do {
      await sleep(LOOK_MS);
      let now = await look();
      // A busy host is late. Without a report besides the one before there are no rates.
      for (let again = 0; again < LOOKS_AGAIN && now.atUs === before.atUs; again++) {
        await sleep(LOOK_AGAIN_MS);
        now = await look();
      }
      const result = { seconds: (now.atUs - before.atUs) / 1e6, runtimes: ratesOf(now, before) };
      if (options.watch) writeAll(1, output.json ? `${JSON.stringify(result)}\n` : `${runtimesTable(result.runtimes)}\n\n`);
      else output.result(result, runtimesTable(result.runtimes));
      before = now;
    } while (options.watch);
  });
}
