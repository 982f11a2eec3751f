/** `nfactor tenants` and `nfactor tokens`: who shares the cluster, and who may ask it for what. */
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { examples } from "@nfactor/host/cli";
import { integer } from "@nfactor/host/plan";
import { count, plural, safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { SCOPES } from "../../cluster/kinds.ts";
import { type ApiOptions, addApiOptions, withApi } from "../api_command.ts";
import { confirm } from "../ask.ts";
import { without } from "../without.ts";
import { cells, timeText } from "../views/cluster_text.ts";
import { group, withGlobals } from "./group.ts";

const DAY_S = 86_400;

interface TenantOptions extends ApiOptions {
  readonly runtimes?: string;
  readonly deployments?: string;
  readonly yes?: boolean;
}

export function tenantsCommand(): Command {
  return group(
    addApiOptions(new Command("tenants"))
      .description("Show the tenants with their bounds; and commands to make, bound and remove one.")
      .addHelpText("after", examples(["nfactor tenants", ""], ["nfactor tenants set blue --runtimes 20", ""])),
    [setCommand(), removeTenantCommand()],
    (options: ApiOptions) =>
      withApi(options, async ({ api, output }) => {
        const tenants = await api.tenants();
        const rows = tenants.map((one) => [one.name, count(one.runtimes_max), count(one.deployments_max), timeText(one.created)]);
        output.result(
          { tenants },
          tenants.length === 0
            ? "no tenants: 'nfactor tenants set <name>' makes one"
            : cells([["tenant", "runtimes", "deployments", "since"], ...rows], [1, 2]),
        );
      }),
  );
}

function setCommand(): Command {
  return addApiOptions(new Command("set"))
    .description("Make a tenant, or change its bounds.")
    .argument("<tenant>", "its name")
    .option("--runtimes <n>", "runtimes at once, over all of its deployments")
    .option("--deployments <n>", "deployments at once")
    .addHelpText("after", examples(["nfactor tenants set blue", ""], ["nfactor tenants set blue --runtimes 20 --deployments 5", ""]))
    .action(
      withGlobals<TenantOptions>((name, options) => {
        const wish = {
          ...(options.runtimes === undefined ? {} : { runtimes_max: integer("--runtimes", options.runtimes, 0, 10_000) }),
          ...(options.deployments === undefined ? {} : { deployments_max: integer("--deployments", options.deployments, 0, 10_000) }),
        };
        return withApi(options, async ({ api, output }) => {
          const tenant = await api.putTenant(name, wish);
          output.result(
            tenant,
            `tenant ${safeText(tenant.name)}: ${plural(tenant.runtimes_max, "runtime")} and ${plural(tenant.deployments_max, "deployment")} at most`,
          );
        });
      }),
    );
}

function removeTenantCommand(): Command {
  return addApiOptions(new Command("remove"))
    .description("Remove a tenant that has neither deployments nor NFs.")
    .argument("<tenant>", "its name")
    .addHelpText("after", examples(["nfactor tenants remove blue", ""]))
    .action(
      withGlobals<ApiOptions>((name, options) =>
        withApi(options, async ({ api, output }) => {
          await api.deleteTenant(name);
          output.result({ name, removed: true }, `tenant ${safeText(name, 80)} was removed`);
        }),
      ),
    );
}

interface TokenOptions extends ApiOptions {
  readonly scope: string;
  readonly days?: string;
  readonly out?: string;
  readonly of?: string;
  readonly yes?: boolean;
}

export function tokensCommand(): Command {
  return group(
    addApiOptions(new Command("tokens"))
      .description("Show the tokens of the API: what each may do, never the token itself; and commands to make and to remove one. Needs an admin's token.")
      .addHelpText("after", examples(["nfactor tokens", ""], ["nfactor tokens make ci --scope deploy --of blue --out ci.token", ""])),
    [makeCommand(), removeTokenCommand()],
    (options: ApiOptions) =>
      withApi(options, async ({ api, output }) => {
        const tokens = await api.tokens();
        const rows = tokens.map((one) => [
          one.id.slice(0, 12),
          one.label,
          one.scope,
          one.tenant ?? "all",
          timeText(one.created),
          one.until === undefined ? "for ever" : timeText(one.until),
        ]);
        output.result({ tokens }, cells([["id", "label", "may", "tenant", "made", "until"], ...rows]));
      }),
  );
}

function makeCommand(): Command {
  return addApiOptions(new Command("make"))
    .description("Make a token. It is shown only now, or written to a file of yours alone.")
    .argument("<label>", "what it is for; it stands in the audit log")
    .addOption(new Option("--scope <scope>", "what it may do; each has those before it").choices(SCOPES).default("read"))
    .option("--of <tenant>", "only of this tenant (default: of all)")
    .option("--days <n>", "how long it is good (default: for ever)")
    .option("--out <file>", "write it there, readable by you alone, in place of showing it")
    .addHelpText(
      "after",
      examples(["nfactor tokens make grafana", "may read"], ["nfactor tokens make ci --scope deploy --of blue --days 90 --out ci.token", ""]),
    )
    .action(
      withGlobals<TokenOptions>((label, options) => {
        const days = options.days === undefined ? undefined : integer("--days", options.days, 1, 3650);
        return withApi(options, async ({ api, output }) => {
          const wish = { label, scope: options.scope, tenant: options.of, valid_seconds: days === undefined ? undefined : days * DAY_S };
          const { out } = options;
          if (out === undefined) {
            const made = await api.makeToken(wish);
            return output.result(made, safeText(made.token));
          }
          const made = await intoNewFile(out, () => api.makeToken(wish));
          output.result({ ...without(made, "token"), file: out }, `wrote ${out}`);
        });
      }),
    );
}

/** The file is there before the token is: one that nobody knows would be good for nothing, and stay. */
async function intoNewFile<T extends { readonly token: string }>(path: string, make: () => Promise<T>): Promise<T> {
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (cause) {
    throw new NfError("usage", `--out: ${path} cannot be made: ${(cause as Error).message}`, {
      cause,
      fix: "Name a file that is not there yet. No token was made.",
    });
  }
  try {
    const made = await make();
    writeFileSync(file, `${made.token}\n`);
    return made;
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

function removeTokenCommand(): Command {
  return addApiOptions(new Command("remove"))
    .description("Remove a token: whoever has it is refused from now on.")
    .argument("<id>", "its id, or the beginning of it, as 'nfactor tokens' shows it")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["nfactor tokens remove 3f9a0c", ""]))
    .action(
      withGlobals<TokenOptions>((id, options) =>
        withApi(options, async ({ api, output }) => {
          if (!/^[0-9a-f]{4,64}$/.test(id))
            throw new NfError("usage", `'${safeText(id, 80)}' is no token's id`, { allowed: "4 to 64 hex digits of it", fix: "'nfactor tokens' shows them." });
          const fitting = (await api.tokens()).filter((one) => one.id.startsWith(id));
          const [token] = fitting;
          if (!token || fitting.length > 1)
            throw new NfError("usage", `${fitting.length === 0 ? "no token has" : `${fitting.length} tokens have`} an id that begins with ${id}`, {
              fix: "'nfactor tokens' shows them.",
            });
          if (!options.yes) await confirm(`whoever has token '${safeText(token.label, 64)}' would be refused`, "Remove it?");
          await api.deleteToken(token.id);
          output.result({ id: token.id, label: token.label, removed: true }, `token ${token.id.slice(0, 12)} (${safeText(token.label, 64)}) was removed`);
        }),
      ),
    );
}
