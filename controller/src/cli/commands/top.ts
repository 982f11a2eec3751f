/** `nfactor top`: what the whole cluster does now. A terminal is written over, q ends it; on a pipe one sample follows another. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { examples, writeAll } from "@nfactor/host/cli";
import { NfError } from "@nfactor/sdk/errors";
import { type ApiOptions, type Connection, addApiOptions, deploymentName, withApi } from "../api_command.ts";
import { Screen } from "../screen.ts";
import { type Look, type TopDeployment, earlierLook, topLines, topOf } from "../views/top_text.ts";
import { timeText } from "../views/cluster_text.ts";
import { untilInterrupted } from "../wait.ts";

interface TopOptions extends ApiOptions {
  readonly every: string;
  readonly count?: string;
}

export function topCommand(): Command {
  const command = new Command("top")
    .description(
      "Watch hosts, deployments and runtimes live: load, flows, packets per second, drops. On a terminal q ends it; on a pipe, or with --json, one sample follows another.",
    )
    .argument("[deployment]", "only this one")
    .addOption(new Option("--every <seconds>", "between two looks").default("1"))
    .option("-n, --count <n>", "end after so many samples");
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor top", ""], ["nfactor top blue/web --every 5", ""], ["nfactor top --count 2 --json", "two objects, a line each"]))
    .action(run);
}

function numberOf(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new NfError("usage", `${flag}: '${text}' is not a number in its range`, { allowed: `${min} to ${max}` });
}

async function run(word: string | undefined, options: TopOptions): Promise<void> {
  const everyMs = numberOf("--every", options.every, 0.1, 3600) * 1000;
  const times = options.count === undefined ? Infinity : numberOf("--count", options.count, 1, 1e6);
  await withApi(options, async (connection) => {
    const { api, chosen, output } = connection;
    const name = word === undefined ? undefined : deploymentName(word, chosen.tenant);
    const look = async (): Promise<Look> => {
      const [deployments, hosts] = await Promise.all([
        name === undefined ? api.deployments(options.tenant) : api.deployment(name).then((one) => [one]),
        api.hostsIfAllowed().then((hosts) => hosts ?? []),
      ]);
      return { deployments, hosts };
    };
    const isScreen = !output.json && process.stdout.isTTY && process.stdin.isTTY;
    await (isScreen ? onScreen(connection, look, everyMs, times) : inLines(connection, look, everyMs, times));
  });
}

const titleOf = ({ api, chosen }: Connection): string => `nfactor top   ${chosen.name ?? api.address}   ${timeText(Date.now())}`;

async function inLines(connection: Connection, look: () => Promise<Look>, everyMs: number, times: number): Promise<void> {
  let last = await look();
  let before = last;
  await untilInterrupted(async (signal) => {
    for (let n = 0; n < times && !signal.aborted; n++) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const now = await look();
      before = earlierLook(now, last, before);
      const list = topOf(now, before);
      const text = connection.output.json
        ? JSON.stringify({ at: Date.now(), hosts: now.hosts, deployments: list })
        : `${topLines(now, list, titleOf(connection)).join("\n")}\n`;
      writeAll(1, `${text}\n`);
      last = now;
    }
  });
}

async function onScreen(connection: Connection, look: () => Promise<Look>, everyMs: number, times: number): Promise<void> {
  const end = new AbortController();
  let before = await look();
  let shown: [Look, TopDeployment[]] = [before, topOf(before, undefined)];
  let trouble: string | undefined;
  const screen = new Screen(
    (key) => {
      if (key === "q" || key === "\x03" || key === "\x04") end.abort();
    },
    () => draw(),
  );
  const draw = (): void => {
    const title = `${titleOf(connection)}   q ends it${trouble === undefined ? "" : `   ${trouble}`}`;
    screen.show(topLines(...shown, title, screen.width, screen.height));
  };
  const stop = (): void => end.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  try {
    draw();
    for (let n = 0; n < times && !end.signal.aborted; n++) {
      await sleep(everyMs, undefined, { signal: end.signal }).catch(() => undefined);
      if (end.signal.aborted) return;
      try {
        const now = await look();
        before = earlierLook(now, shown[0], before);
        [shown, trouble] = [[now, topOf(now, before)], undefined];
      } catch (error) {
        // A controller that is started anew comes back: what is shown stays until then.
        if (!(error instanceof NfError) || (error.code !== "cli.unreachable" && error.code !== "cli.timeout")) throw error;
        trouble = `NO ANSWER: ${error.message}`;
      }
      draw();
    }
  } finally {
    screen.close();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, stop);
  }
}
