/** `nfactor events`: what the controller did and saw, and why; `nfactor audit`: who asked it for what. */
import { Command, Option } from "commander";
import { examples, writeAll } from "@nfactor/host/cli";
import { safeText } from "@nfactor/host/text";
import { integer } from "@nfactor/host/plan";
import { type ApiOptions, addApiOptions, withApi } from "../api_command.ts";
import { cells, eventLine, timeText } from "../views/cluster_text.ts";
import { untilInterrupted } from "../wait.ts";

interface EventsOptions extends ApiOptions {
  readonly follow?: boolean;
  readonly limit: string;
}

export function eventsCommand(): Command {
  const command = new Command("events")
    .description("Show what the controller did and saw, the newest last: deployments, scaling with its reasons, operations, hosts that come and go.")
    .argument("[about]", "a deployment, a host or a tenant")
    .option("-F, --follow", "go on with what happens, until Ctrl-C; with --json one object a line")
    .addOption(new Option("--limit <n>", "of the past at most").default("50"));
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor events", ""], ["nfactor events blue/web --follow", ""], ["nfactor events --limit 1000 --json", ""]))
    .action(run);
}

async function run(about: string | undefined, options: EventsOptions): Promise<void> {
  const limit = integer("--limit", options.limit, 0, 10_000);
  await withApi(options, async ({ api, output }) => {
    const past = limit === 0 ? [] : await api.events({ about, limit });
    if (!options.follow) return output.result({ events: past }, past.length === 0 ? "no events" : past.map(eventLine).join("\n"));
    const say = (event: (typeof past)[number]): void => writeAll(1, output.json ? `${JSON.stringify(event)}\n` : `${eventLine(event)}\n`);
    for (const event of past) say(event);
    await untilInterrupted(async (signal) => {
      for await (const event of api.watchEvents({ about, after: past.at(-1)?.number }, signal)) say(event);
    });
  });
}

interface AuditOptions extends ApiOptions {
  readonly limit: string;
}

export function auditCommand(): Command {
  const command = new Command("audit")
    .description("Show who asked the controller for what, and how it ended, the newest last. Needs an admin's token.")
    .addOption(new Option("--limit <n>", "records at most").default("50"));
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor audit", ""], ["nfactor audit --limit 1000 --json", ""]))
    .action(async (options: AuditOptions) => {
      const limit = integer("--limit", options.limit, 1, 10_000);
      await withApi(options, async ({ api, output }) => {
        const records = await api.audit({ limit });
        const rows = records.map((one) => [timeText(one.at), one.who, one.from, one.method, one.path, String(one.status), one.outcome]);
        output.result({ records }, records.length === 0 ? "no records" : cells([["at", "who", "from", "method", "path", "status", "outcome"], ...rows.map((row) => row.map((cell) => safeText(cell, 120)))], [5]));
      });
    });
}
