/** What `nfactor deploy` is given: a file, flags, or both; flags override. It is checked here as the controller does, so that an error has its line. */
import { readFileSync } from "node:fs";
import { parseConfigText, parseGrant, readConfigText } from "@nfactor/host/plan";
import { NfError } from "@nfactor/sdk/errors";
import { parseYamlFile } from "@nfactor/sdk/manifest";
import { type DeploymentInput, deploymentInputSchema } from "../cluster/deployment_input.ts";
import { runtimeBounds } from "./runtime_bounds.ts";

export interface InputFlags {
  readonly file?: string;
  readonly chain?: string;
  readonly clientIface?: string;
  readonly serverIface?: string;
  readonly at?: string;
  readonly nfConfig?: readonly string[];
  readonly grant?: readonly string[];
  readonly lease?: readonly string[];
  readonly runtimes?: string;
}

const FILE_BYTES_MAX = 4 << 20;
type Loose = Record<string, unknown>;

export interface ReadInput {
  /** As it was written: what is not in it is for the controller to decide. */
  readonly body: Loose;
  readonly input: DeploymentInput;
}

/** Throws NfError (usage, config.*). */
export function readInput(flags: InputFlags): ReadInput {
  if (flags.file === undefined && flags.chain === undefined)
    throw new NfError("usage", "what is to run?", { fix: "Give a file with -f, or NFs with --chain and interfaces with --client-iface and --server-iface." });
  const file = flags.file === undefined ? undefined : { name: flags.file === "-" ? "stdin" : flags.file, text: textOf(flags.file) };
  // Flags may add what a file lacks, so that only a file alone is checked as it is; what both make is checked below.
  const raw: Loose = file ? rawOf(file.name, file.text) : { apiVersion: "nfactor/v1" };
  if (file && !overrides(flags))
    return { body: raw, input: parseYamlFile(file.text, file.name, deploymentInputSchema, { yaml: "config.yaml", field: "config.field" }).value };
  withFlags(raw, flags);
  const parsed = deploymentInputSchema.safeParse(raw);
  if (parsed.success) return { body: raw, input: parsed.data };
  const { path, message } = parsed.error.issues[0]!;
  const place = path.join(".");
  if (place.startsWith("ports"))
    throw new NfError("usage", `between which interfaces? ${place}: ${message}`, { fix: "Give --client-iface and --server-iface, or 'ports' in the file." });
  throw new NfError("config.field", `${place === "" ? "the deployment" : place}: ${message}`, { fix: "See docs/schemas/deployment.schema.json for what is allowed." });
}

function overrides({ file: _, ...flags }: InputFlags): boolean {
  return [flags.chain, flags.clientIface, flags.serverIface, flags.at, flags.nfConfig, flags.grant, flags.lease, flags.runtimes].some((flag) => flag !== undefined);
}

function textOf(path: string): string {
  let text: Buffer;
  try {
    text = readFileSync(path === "-" ? 0 : path);
  } catch (cause) {
    throw new NfError("config.not_found", `${path} cannot be read: ${(cause as Error).message}`, { cause, fix: "Name the file with -f." });
  }
  if (text.length <= FILE_BYTES_MAX) return text.toString("utf8");
  throw new NfError("config.too_large", `${path} has ${text.length} bytes`, { allowed: `${FILE_BYTES_MAX} at most` });
}

function rawOf(name: string, text: string): Loose {
  const { value } = parseConfigText(text, name);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Loose;
  throw new NfError("config.field", `${name} is no deployment`, { allowed: "apiVersion, ports, chain, …" });
}

function withFlags(raw: Loose, flags: InputFlags): void {
  if (flags.at !== undefined) raw.host = flags.at;
  const ports = (raw.ports ?? {}) as Loose;
  if (flags.clientIface !== undefined) ports.client = { ...(ports.client as Loose | undefined), iface: flags.clientIface };
  if (flags.serverIface !== undefined) ports.server = { ...(ports.server as Loose | undefined), iface: flags.serverIface };
  raw.ports = ports;
  if (flags.runtimes !== undefined) raw.scaling = { ...(raw.scaling as Loose | undefined), ...runtimeBounds("--runtimes", flags.runtimes) };
  if (flags.chain !== undefined) raw.chain = chainOf(flags.chain, (raw.chain ?? []) as Loose[]);
  const entries = (Array.isArray(raw.chain) ? raw.chain : []) as Loose[];
  each(flags.nfConfig, "--nf-config", entries, (entry, path) => (entry.config = parseConfigText(readConfigText(path).text, path).value));
  each(flags.grant, "--grant", entries, (entry, text) => (entry.grant = parseGrant(text)));
  each(flags.lease, "--lease", entries, (entry, text) => (entry.lease = { size: Number(text) }));
}

const nameOf = (entry: Loose): string => (typeof entry.name === "string" ? entry.name : String(entry.nf).replace(/@.*$/, ""));

/** An entry of the file keeps its configuration and grant when --chain names it, with another version perhaps. */
function chainOf(text: string, fromFile: readonly Loose[]): Loose[] {
  return text.split(",").map((word) => {
    const [, name, nf = ""] = /^(?:([^=]*)=)?(.*)$/.exec(word.trim())!;
    const entry = { ...(name === undefined ? {} : { name }), nf };
    if (nf === "" || name === "") throw new NfError("usage", `--chain: '${word}' is no NF`, { allowed: "<nf>, <nf>@<version>, or <entry>=<nf>@<version>" });
    const same = fromFile.find((one) => nameOf(one) === nameOf(entry));
    return { ...same, ...entry };
  });
}

function each(list: readonly string[] | undefined, flag: string, entries: readonly Loose[], set: (entry: Loose, value: string) => unknown): void {
  for (const text of list ?? []) {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    const entry = entries.find((one) => nameOf(one) === name);
    if (value === undefined || !entry)
      throw new NfError("usage", `${flag}: '${text}' names no entry of the chain`, { allowed: entries.map((one) => `${nameOf(one)}=…`).join(", ") || "an entry" });
    set(entry, value);
  }
}
