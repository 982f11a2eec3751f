/** `nfactor context`: which controllers this user knows, and which one is meant. */
import { Command } from "commander";
import { Output, examples } from "@nfactor/host/cli";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { nameSchema } from "@nfactor/sdk/manifest";
import { parseAddress } from "../address.ts";
import { contextPath, readContexts, readToken, requireContextName, writeContexts } from "../context_file.ts";
import { cells } from "../views/cluster_text.ts";
import { group, withGlobals } from "./group.ts";

interface ContextCommandOptions {
  readonly api?: string;
  readonly tokenFile?: string;
  readonly tenant?: string;
  readonly json?: boolean;
}

export function contextCommand(): Command {
  return group(
    new Command("context")
      .description("Show the controllers that the other commands may speak to, with * at the one they do; and commands to choose and change them. Tokens are not shown.")
      .addHelpText(
        "after",
        examples(["nfactor context", ""], ["nfactor context use lab", ""], ["nfactor context set lab --api https://nf.example:7780 --token-file lab.token --tenant blue", ""]),
      ),
    [useCommand(), setCommand(), removeCommand()],
    (options: ContextCommandOptions) => {
      const { current, contexts } = readContexts();
      const list = Object.entries(contexts).map(([name, one]) => ({ name, current: name === current, api: one.api, tenant: one.tenant, token: one.token !== undefined }));
      const rows = list.map((one) => [one.current ? "*" : "", one.name, one.api, one.tenant ?? "", one.token ? "yes" : "no"]);
      const text = list.length === 0 ? "no contexts: 'nfactor up' makes one, and 'nfactor context set' does" : cells([["", "context", "API", "tenant", "token"], ...rows]);
      new Output(options.json === true).result({ file: contextPath(), contexts: list }, text);
    },
  );
}

function useCommand(): Command {
  return new Command("use")
    .description("Let the other commands speak to this controller.")
    .argument("<context>", "its name")
    .addHelpText("after", examples(["nfactor context use lab", ""]))
    .action(
      withGlobals<ContextCommandOptions>(async (name, options) => {
        const file = readContexts();
        requireKnown(name, file.contexts);
        writeContexts({ ...file, current: name });
        new Output(options.json === true).result({ current: name }, `context ${name} is used from now on`);
      }),
    );
}

function setCommand(): Command {
  return new Command("set")
    .description("Make a context, or change what is given. A first one is used from then on.")
    .argument("<context>", "its name")
    .option("--api <address>", "http://<host>:<port>, https://<host>:<port>, or unix:<path>")
    .option("--token-file <file>", "file with the token, which is copied")
    .option("--tenant <name>", "tenant of names without one")
    .addHelpText("after", examples(["nfactor context set lab --api http://10.0.0.5:7780 --token-file lab.token", ""], ["nfactor context set local --tenant blue", ""]))
    .action(
      withGlobals<ContextCommandOptions>(async (name, options) => {
        requireContextName(name);
        const file = readContexts();
        const before = file.contexts[name];
        const api = options.api ?? before?.api;
        if (api === undefined) throw new NfError("usage", `context '${name}' is new: where is its API?`, { fix: "Give --api." });
        parseAddress(api);
        if (options.tenant !== undefined && !nameSchema.safeParse(options.tenant).success)
          throw new NfError("usage", `--tenant: '${safeText(options.tenant, 80)}' cannot be a tenant's name`, { allowed: "a lower-case letter, then letters, digits and underscores" });
        // A token is of one controller: another address needs another one.
        const kept = options.api === undefined || options.api === before?.api ? before?.token : undefined;
        const token = options.tokenFile === undefined ? kept : readToken(options.tokenFile);
        const tenant = options.tenant ?? before?.tenant;
        const context = { api, ...(token === undefined ? {} : { token }), ...(tenant === undefined ? {} : { tenant }) };
        writeContexts({ current: file.current ?? name, contexts: { ...file.contexts, [name]: context } });
        new Output(options.json === true).result({ name, api, tenant, token: token !== undefined }, `context ${name}: ${api}${token === undefined ? ", without a token" : ""}`);
      }),
    );
}

function removeCommand(): Command {
  return new Command("remove")
    .description("Forget a context, and the token in it. The token stays good: 'nfactor tokens remove' ends it.")
    .argument("<context>", "its name")
    .addHelpText("after", examples(["nfactor context remove lab", ""]))
    .action(
      withGlobals<ContextCommandOptions>(async (name, options) => {
        const { current, contexts } = readContexts();
        requireKnown(name, contexts);
        const { [name]: _, ...rest } = contexts;
        writeContexts({ ...(current === undefined || current === name ? {} : { current }), contexts: rest });
        new Output(options.json === true).result({ name, removed: true }, `context ${name} was removed`);
      }),
    );
}

function requireKnown(name: string, contexts: Readonly<Record<string, unknown>>): void {
  if (Object.hasOwn(contexts, name)) return;
  throw new NfError("usage", `there is no context '${safeText(name, 80)}'`, { allowed: Object.keys(contexts).join(", ") || "none; 'nfactor context set' makes one" });
}
