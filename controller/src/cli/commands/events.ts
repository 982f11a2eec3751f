/** `nfactor events`: what the controller did and saw, and why; `nfactor audit`: who asked it for what. */
import { Command, Option } from "commander";
import { examples, writeAll } from "@nfactor/host/cli";
import { safeText } from "@nfactor/host/text";
import { integer } from "@nfactor/host/plan";
import type { Api, EventJson } from "../api.ts";
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
  await withApi(options, async ({ api, chosen, output }) => {
    const names = namesOf(about, chosen.tenant);
    const past = limit === 0 ? [] : await pastOf(api, names, limit);
    if (!options.follow) return output.result({ events: past }, past.length === 0 ? "no events" : past.map(eventLine).join("\n"));
    const say = (event: (typeof past)[number]): void => writeAll(1, output.json ? `${JSON.stringify(event)}\n` : `${eventLine(event)}\n`);
    for (const event of past) say(event);
    await untilInterrupted(async (signal) => {
      const only = names.length === 1 ? names[0] : undefined;
      for await (const event of api.watchEvents({ about: only, after: past.at(-1)?.number }, signal)) if (isAbout(event, names)) say(event);
    });
  });
}

/** A word without a slash is a host, a tenant, or, as everywhere, a deployment of the context's tenant. */
function namesOf(about: string | undefined, tenant: string | undefined): string[] {
  if (about === undefined) return [];
  return about.includes("/") || tenant === undefined ? [about] : [about, `${tenant}/${about}`];
}

const isAbout = ({ about }: EventJson, names: readonly string[]): boolean =>
  names.length === 0 || names.some((name) => about === name || about.startsWith(`${name}/`));

async function pastOf(api: Api, names: readonly string[], limit: number): Promise<EventJson[]> {
  const found = await Promise.all((names.length === 0 ? [undefined] : names).map((about) => api.events({ about, limit })));
  const events = new Map(found.flat().map((event) => [event.number, event]));
  return [...events.values()].sort((a, b) => a.number - b.number).slice(-limit);
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
        output.result(
          { records },
          records.length === 0
            ? "no records"
            : cells([["at", "who", "from", "method", "path", "status", "outcome"], ...rows.map((row) => row.map((cell) => safeText(cell, 120)))], [5]),
        );
      });
    });
}
