/** What the commands that speak to a controller have in common: their options, the connection, the tenant of names without one. */
import { type Command, Option } from "commander";
import { Output } from "@nfactor/host/cli";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { Api } from "./api.ts";
import { type Chosen, type ContextOptions, chooseContext } from "./context_file.ts";

export interface ApiOptions extends ContextOptions {
  readonly timeout?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Of a dry run that has something compiled and compared. */
export const CHANGE_MS = 600_000;
const TIMEOUT_S_MAX = 24 * 3600;
const NAME = /^[a-z][a-z0-9_]{0,31}$/;
const FULL_NAME = /^[a-z][a-z0-9_]{0,31}\/[a-z][a-z0-9_]{0,31}$/;

export const API_GROUP = "Which controller:";

export function apiOptions(): Option[] {
  return [
    new Option("--context <name>", "one of 'nfactor context' (default: its current one)"),
    new Option("--api <address>", "http://<host>:<port>, https://…, or unix:<path>; goes before a context"),
    new Option("--token-file <file>", "the token, in place of the context's; NFACTOR_TOKEN does the same"),
    new Option("--tenant <name>", "tenant of names without one (default: the context's)"),
    new Option("--timeout <seconds>", "how long to wait for the answer"),
  ].map((option) => option.helpGroup(API_GROUP));
}

export function addApiOptions(command: Command): Command {
  for (const option of apiOptions()) command.addOption(option);
  return command;
}

export interface Connection {
  readonly api: Api;
  readonly chosen: Chosen;
  readonly output: Output;
}

/** Throws NfError (cli.context, usage). Nothing is asked yet. */
export function connect(options: ApiOptions): Connection {
  const chosen = chooseContext(options);
  return { api: new Api({ api: chosen.api, token: chosen.token, timeoutMs: timeoutMs(options) }), chosen, output: new Output(options.json === true) };
}

/** `use` with a connection, which is closed afterwards. */
export async function withApi<T>(options: ApiOptions, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = connect(options);
  try {
    return await use(connection);
  } finally {
    connection.api.close();
  }
}

/** --timeout, ms. Throws NfError (usage). */
export function timeoutMs({ timeout }: ApiOptions): number | undefined {
  if (timeout === undefined) return undefined;
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(timeout) ? Number(timeout) : Number.NaN;
  if (seconds > 0 && seconds <= TIMEOUT_S_MAX) return seconds * 1000;
  throw new NfError("usage", `--timeout: '${safeText(timeout, 40)}' is no number of seconds`, { allowed: `above 0, up to ${TIMEOUT_S_MAX}` });
}

export const isFullName = (word: string): boolean => FULL_NAME.test(word);
export const isName = (word: string): boolean => NAME.test(word);

/** `blue/web`, or `web` of the tenant that is the default. Throws NfError (usage). */
export function deploymentName(word: string, tenant: string | undefined): string {
  if (isFullName(word)) return word;
  if (!isName(word))
    throw new NfError("usage", `'${safeText(word, 80)}' is no name of a deployment`, { allowed: "<tenant>/<name>, both of lower-case letters, digits and underscores, 32 at most" });
  if (tenant === undefined)
    throw new NfError("usage", `'${word}' is a deployment of which tenant?`, { fix: `Write <tenant>/${word}, use --tenant, or 'nfactor context set --tenant'.` });
  return `${tenant}/${word}`;
}

/** Throws NfError (usage). */
export function requireTenant({ tenant }: Chosen, what: string): string {
  if (tenant !== undefined) return tenant;
  throw new NfError("usage", `${what} of which tenant?`, { fix: "Use --tenant, or 'nfactor context set --tenant <name>' for a default." });
}
