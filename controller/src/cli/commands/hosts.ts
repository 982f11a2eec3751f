/** `nfactor hosts`: which machines there are, how another one joins, and how one is emptied and taken away. */
import { Command } from "commander";
import { EXIT, examples } from "@nfactor/host/cli";
import { plural, safeText } from "@nfactor/host/text";
import type { AcceptedJson } from "../api.ts";
import { type ApiOptions, addApiOptions, timeoutMs, withApi } from "../api_command.ts";
import { confirm } from "../ask.ts";
import { hostsTable, timeText } from "../views/cluster_text.ts";
import { waiting } from "../wait.ts";
import { group, withGlobals } from "./group.ts";

interface HostsOptions extends ApiOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
}

export function hostsCommand(): Command {
  return group(
    addApiOptions(new Command("hosts"))
      .description("Show the hosts: whether they are there, what they have room for; and commands about one.")
      .addHelpText("after", examples(["nfactor hosts", ""], ["nfactor hosts token h2", "then, on that machine: nfactor host --join …"])),
    [tokenCommand(), cordonCommand(true), cordonCommand(false), drainCommand(), removeCommand()],
    (options: HostsOptions) =>
      withApi(options, async ({ api, output }) => {
        const hosts = await api.hosts();
        output.result({ hosts }, hostsTable(hosts));
      }),
  );
}

const one = (name: string): Command => addApiOptions(new Command(name).argument("<host>", "its name"));

function tokenCommand(): Command {
  return one("token")
    .description("Make a token with which a host of that name joins: once, within the hour. It is shown only now.")
    .addHelpText("after", examples(["nfactor hosts token h2", ""], ["nfactor hosts token h2 --json", ""]))
    .action(
      withGlobals<HostsOptions>((host, options) =>
        withApi(options, async ({ api, output }) => {
          const made = await api.joinToken(host);
          output.result(
            made,
            [
              `${safeText(made.token)}`,
              `  for host ${safeText(host, 80)}, once, until ${timeText(made.until)} (UTC). On that machine:`,
              ...joinLines(made),
            ].join("\n"),
          );
        }),
      ),
    );
}

/** A line to be copied; of several addresses it is for people to say which one that machine reaches. */
function joinLines({ controller: [first, ...others], token }: { readonly controller: readonly string[]; readonly token: string }): string[] {
  if (first === undefined) return ["  nothing yet: this controller takes no hosts of other machines. Start it with 'nfactor up --rpc 0.0.0.0:7800'"];
  const or = others.length === 0 ? [] : [`  (or ${others.map((address) => safeText(address, 80)).join(", ")}: the one that it reaches)`];
  return [`  nfactor host --controller ${safeText(first, 80)} --join ${safeText(token)}`, ...or];
}

function cordonCommand(isCordon: boolean): Command {
  return one(isCordon ? "cordon" : "uncordon")
    .description(isCordon ? "Let nothing new come to a host, and let its runtimes leave where they can." : "Let a host be used again.")
    .addHelpText("after", examples([`nfactor hosts ${isCordon ? "cordon" : "uncordon"} h2`, ""]))
    .action(
      withGlobals<HostsOptions>((host, options) =>
        withApi(options, async ({ api, output }) => {
          const result = await api.cordon(host, isCordon);
          output.result(result, `host ${safeText(host, 80)} ${isCordon ? "is cordoned: nothing new comes to it" : "is used again"}`);
        }),
      ),
    );
}

function drainCommand(): Command {
  return one("drain")
    .description(
      "Empty a host: it is cordoned, its runtimes' flows move to other hosts, and the runtimes end. Says what stays: deployments whose interfaces, and virtual switch, it has.",
    )
    .option("--dry-run", "say what would leave and what cannot, and change nothing")
    .option("--no-wait", "cordon it, and do not wait until it is empty")
    .addHelpText("after", examples(["nfactor hosts drain h2", "before it is upgraded"], ["nfactor hosts uncordon h2", "afterwards"]))
    .action(
      withGlobals<HostsOptions>((host, options) =>
        withApi(options, async ({ api, output }) => {
          const goesOn = "The controller goes on with it: 'nfactor hosts' and 'nfactor events' show how far it is.";
          const wish = { timeoutMs: timeoutMs(options), wait: options.wait !== false, dryRun: options.dryRun };
          let accepted: AcceptedJson | undefined;
          const onAccepted = (told: AcceptedJson): void => void (accepted = told);
          const result = await waiting(output, { what: `draining host ${host}`, goesOn }, (onProgress) =>
            api.drainHost(host, { ...wish, onAccepted, onProgress }),
          );
          if (!result)
            return output.result(
              { host, begun: true, ...accepted },
              `host ${safeText(host, 80)} is cordoned, and is being emptied; 'nfactor events ${safeText(host, 80)}' shows how far it is`,
            );
          const left = result.left.map((name) => safeText(name, 80)).join(", ");
          const rest = left !== "" ? `; not those whose interfaces it has: ${left}` : result.dry_run ? "" : "; it is empty";
          output.result(result, `host ${safeText(host, 80)}: ${plural(result.moved, "runtime")} ${result.dry_run ? "would leave" : "left"} it${rest}`);
          if (result.left.length > 0 && !result.dry_run) process.exitCode = EXIT.notMoved;
        }),
      ),
    );
}

function removeCommand(): Command {
  return one("remove")
    .description(
      "Forget a host: its certificates are worth nothing any more, and what it had of other hosts' deployments counts as ended. Refused while deployments have it as their host, or runtimes there that work.",
    )
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["nfactor hosts remove h2 --yes", ""]))
    .action(
      withGlobals<HostsOptions>((host, options) =>
        withApi(options, async ({ api, output }) => {
          if (!options.yes) await confirm(`host ${safeText(host, 80)} would be forgotten, and could only come back with a new token`, "Remove it?");
          output.result(await api.removeHost(host), `host ${safeText(host, 80)} was removed`);
        }),
      ),
    );
}
