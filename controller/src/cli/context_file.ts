/**
 * Which controllers there are, and which one is meant: named contexts in ${XDG_CONFIG_HOME:-~/.config}/nfactor/context.json. Tokens are in it, so it is its
 * owner's alone, and a file that others may read is refused. `nfactor up` writes one; NFACTOR_API, NFACTOR_TOKEN, NFACTOR_TENANT and NFACTOR_CONTEXT go
 * before it, options before both.
 */
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeDurably } from "@nfactor/host/durable_file";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { nameSchema } from "@nfactor/sdk/manifest";
import { z } from "zod";
import { parseAddress } from "./address.ts";

const CONTEXT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const FILE_BYTES_MAX = 1 << 20;

const contextSchema = z.strictObject({
  /** http://…, https://…, or unix:/path of a socket. */
  api: z.string().max(1024),
  token: z.string().max(512).optional(),
  /** Of deployments and NFs that are named without one. */
  tenant: nameSchema.optional(),
});
const fileSchema = z.strictObject({ current: z.string().optional(), contexts: z.record(z.string().regex(CONTEXT_NAME), contextSchema) });

export type Context = z.output<typeof contextSchema>;
export type ContextFile = z.output<typeof fileSchema>;

/** As the command line gives it. */
export interface ContextOptions {
  readonly api?: string | undefined;
  readonly context?: string | undefined;
  readonly tenant?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** What a command speaks to. */
export interface Chosen extends Context {
  /** Name of the context; absent when an address was given. */
  readonly name?: string | undefined;
}

export function contextPath(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CONFIG_HOME;
  return join(base?.startsWith("/") ? base : join(env.HOME ?? homedir(), ".config"), "nfactor/context.json");
}

/** Empty when there is no file. Throws NfError (cli.context) when it cannot be read, is not understood, or is open to others. */
export function readContexts(env: NodeJS.ProcessEnv = process.env): ContextFile {
  const path = contextPath(env);
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if ((mode & 0o077) !== 0) throw new NfError("cli.context", `${path} has tokens in it, and others may read it`, { fix: `Run 'chmod 600 ${path}'.` });
    if (size > FILE_BYTES_MAX) throw new NfError("cli.context", `${path} has ${size} bytes`, { allowed: `${FILE_BYTES_MAX} at most`, fix: "Remove it." });
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof NfError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { contexts: {} };
    throw new NfError("cli.context", `${path} cannot be read: ${(error as Error).message}`, { cause: error, fix: "Mend its rights, or remove it." });
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const { path: field, message } = parsed.error.issues[0]!;
  throw new NfError("cli.context", `${path}: ${safeText(field.join("."), 100) || "it"}: ${message}`, {
    fix: "Mend it, or remove it: 'nfactor up' writes it, and 'nfactor context set' does.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Throws NfError (cli.context). */
export function writeContexts(file: ContextFile, env: NodeJS.ProcessEnv = process.env): void {
  const path = contextPath(env);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeDurably(path, `${JSON.stringify(fileSchema.parse(file), null, 2)}\n`);
  } catch (cause) {
    throw new NfError("cli.context", `${path} cannot be written: ${(cause as Error).message}`, { cause, fix: "Set XDG_CONFIG_HOME to a folder of yours." });
  }
}

/** Throws NfError (usage). */
export function requireContextName(name: string): string {
  if (CONTEXT_NAME.test(name)) return name;
  throw new NfError("usage", `'${safeText(name, 80)}' cannot be a context's name`, { allowed: "letters, digits, '_', '-' and '.', 63 at most" });
}

/** What a command is to speak to. Throws NfError (cli.context, usage). */
export function chooseContext(options: ContextOptions, env: NodeJS.ProcessEnv = process.env): Chosen {
  const address = options.api ?? (env.NFACTOR_API || undefined);
  const wanted = options.context ?? (env.NFACTOR_CONTEXT || undefined);
  const given = tokenOf(options, env);
  const tenant = requireTenant(options.tenant ?? (env.NFACTOR_TENANT || undefined));
  if (address !== undefined) {
    parseAddress(address);
    // A token goes to the controller that it is of, and to no other.
    const known = Object.entries(readContexts(env).contexts).find(([name, { api }]) => api === address && (wanted === undefined || wanted === name));
    const token = given ?? known?.[1].token;
    return { ...known?.[1], api: address, ...(token === undefined ? {} : { token }), ...(tenant === undefined ? {} : { tenant }) };
  }
  const { current, contexts } = readContexts(env);
  const names = Object.keys(contexts);
  const name = wanted ?? current ?? (names.length === 1 ? names[0] : undefined);
  const context = name === undefined ? undefined : contexts[name];
  if (name !== undefined && context) return { ...context, name, ...(given === undefined ? {} : { token: given }), ...(tenant === undefined ? {} : { tenant }) };
  throw new NfError("cli.context", name === undefined ? "it is not known which controller is meant" : `there is no context '${safeText(name, 80)}'`, {
    ...(names.length > 0 ? { allowed: names.join(", ") } : {}),
    fix: "Run 'nfactor up' on this machine, or 'nfactor context set <name> --api <address> --token-file <file>' for a controller elsewhere.",
  });
}

/** The tenant of names without one; undefined when there is none, or nothing is known. Never throws: it is asked before it is clear that an API is meant. */
export function defaultTenant(options: ContextOptions, env: NodeJS.ProcessEnv = process.env): string | undefined {
  try {
    return chooseContext(options, env).tenant;
  } catch {
    return undefined;
  }
}

function requireTenant(name: string | undefined): string | undefined {
  if (name === undefined || nameSchema.safeParse(name).success) return name;
  throw new NfError("usage", `'${safeText(name, 80)}' cannot be a tenant's name`, { allowed: "a lower-case letter, then letters, digits and underscores" });
}

function tokenOf({ tokenFile }: ContextOptions, env: NodeJS.ProcessEnv): string | undefined {
  if (tokenFile === undefined) return env.NFACTOR_TOKEN || undefined;
  return readToken(tokenFile);
}

/** Throws NfError (usage). The text of the file is never shown. */
export function readToken(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new NfError("usage", `--token-file: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (/^[\x21-\x7e]{1,512}$/.test(text)) return text;
  throw new NfError("usage", `--token-file: ${path} has no token in it`, { allowed: "one line with the token" });
}
