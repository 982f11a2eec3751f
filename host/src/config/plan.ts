/**
 * From the command line and nfactor.yaml to what is to run: settings, and the chain's entries with the places in the files that they come from.
 *
 * Flags override the file. With --chain, the chain is that of the flag; a name in it that the file's chain has as an entry means that entry. Nothing
 * is built or started here, so every slip in flags and files is found first.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { NfError, type Where } from "@nfactor/sdk/errors";
import { LIMITS } from "@nfactor/sdk/abi";
import { type Located, type Path, describeIssue, nameSchema, nearest, parseYamlFile } from "@nfactor/sdk/manifest";
import { z } from "zod";
import { type NfPlace, entryNameOf, resolveNf } from "../nf/resolve.ts";
import { peekName } from "../nf/peek_name.ts";
import {
  type AgentConfig,
  CONFIG_FILE,
  LACKS_REPLICA,
  type EntryConfig,
  type Grant,
  type HostConfig,
  REPLICATION,
  type RuntimesConfig,
  SWITCHING,
  agentSchema,
  defaultConfig,
  entrySchema,
  grantSchema,
  isPrefix,
  lacksReplica,
  processesRefusal,
  readHostConfig,
  runtimesSchema,
} from "./host_config.ts";

/** What `run` and `sim` share, as the command line gives it. */
export interface ChainFlags {
  chain?: string | undefined;
  config?: string | undefined;
  /** entry=file */
  nfConfig?: readonly string[] | undefined;
  /** entry or entry=right:value,… */
  grant?: readonly string[] | undefined;
  /** entry=size */
  lease?: readonly string[] | undefined;
  client?: readonly string[] | undefined;
  nonIp?: string | undefined;
  maxFlows?: string | undefined;
  seed?: string | undefined;
  runtimes?: string | undefined;
  lcores?: string | undefined;
  placement?: string | undefined;
  migrations?: string | undefined;
  processes?: boolean | undefined;
  /** address,key=file,iface=name,runtimes=n */
  agent?: readonly string[] | undefined;
  replicas?: string | undefined;
  replication?: string | undefined;
  unprotected?: string | undefined;
}

/** Where a value of an entry's configuration stands, if it stands in a file. */
export type PlaceOf = (path: Path, at?: "value" | "key") => Where | undefined;

export interface EntryPlan {
  name: string;
  place: NfPlace;
  /** Undefined: the NF's defaults. */
  config: unknown;
  configPlace: PlaceOf;
  /** "all": whatever the manifest asks for. */
  grant: Grant | "all";
  grantPlace: Where | undefined;
  leaseSize: number;
  /** Where the entry stands in nfactor.yaml. */
  where: Where | undefined;
}

export interface Plan {
  settings: HostConfig;
  /** Positions of `settings`, when they come from a file. */
  located: Located<HostConfig> | undefined;
  entries: EntryPlan[];
}

const nowhere: PlaceOf = () => undefined;

/** Throws NfError (usage, config.*, nf.not_found). */
export function makePlan(flags: ChainFlags): Plan {
  const path = flags.config ?? (flags.chain === undefined && existsSync(CONFIG_FILE) ? CONFIG_FILE : undefined);
  const located = path === undefined ? undefined : readHostConfig(path);
  if (flags.chain === undefined && located === undefined) {
    throw new NfError("usage", "there is no chain", { fix: `Give one with --chain, or a configuration file with --config (or as ./${CONFIG_FILE}).` });
  }
  const folder = path === undefined ? process.cwd() : dirname(resolve(path));
  const settings = withFlags(located?.value ?? defaultConfig(), flags, folder);
  const fromFile = (located?.value.chain ?? []).map((entry, i) => fileEntry(entry, i, located!, folder));
  const entries = flags.chain === undefined ? fromFile.map((make) => make()) : chainOf(flags.chain, located?.value.chain ?? [], fromFile);
  entries.forEach((entry, i) => {
    if (entries.findIndex(({ name }) => name === entry.name) === i) return;
    throw new NfError("usage", `the chain has two entries called '${entry.name}'`, {
      where: entry.where,
      fix: `Give them names: --chain first=${entry.name},second=${entry.name}, or 'name:' in ${CONFIG_FILE}.`,
    });
  });
  override(flags.nfConfig, "--nf-config", "<entry>=<file>", entries, (entry, file) => {
    const values = parseConfigText(readConfigText(file).text, file);
    entry.config = values.value;
    entry.configPlace = values.where;
  });
  override(flags.grant, "--grant", "<entry>=edit:headers,…", entries, (entry, text) => {
    entry.grant = text === "" ? "all" : parseGrant(text);
    entry.grantPlace = undefined;
  });
  override(flags.lease, "--lease", "<entry>=<size>", entries, (entry, text) => {
    const size = entrySchema.shape.lease.safeParse({ size: integer("--lease", text) });
    if (!size.success) throw new NfError("usage", `--lease: ${text} is no size of a pool: ${size.error.issues[0]?.message ?? ""}`);
    entry.leaseSize = size.data!.size;
  });
  return { settings, located, entries };
}

function withFlags(config: HostConfig, flags: ChainFlags, folder: string): HostConfig {
  const settings = { ...config, flows: { ...config.flows } };
  if (flags.client && flags.client.length > 0) {
    const wrong = flags.client.find((text) => !isPrefix(text));
    if (wrong !== undefined)
      throw new NfError("config.prefix", `--client: '${wrong}' is no prefix`, { given: wrong, allowed: "an address or a prefix, like 10.0.0.0/8 or fd00::/8" });
    settings.clients = [...flags.client];
  }
  if (flags.nonIp !== undefined) {
    if (flags.nonIp !== "forward" && flags.nonIp !== "drop")
      throw new NfError("usage", `--non-ip: '${flags.nonIp}' is not allowed`, { allowed: "forward, drop" });
    settings.non_ip = flags.nonIp;
  }
  if (flags.maxFlows !== undefined) settings.flows.max = integer("--max-flows", flags.maxFlows, 1, 1 << 24);
  if (flags.seed !== undefined) {
    if (!/^\d{1,20}$/.test(flags.seed) || BigInt(flags.seed) >= 1n << 64n) throw new NfError("usage", `--seed: '${flags.seed}' is no unsigned 64-bit number`);
    settings.seed = BigInt(flags.seed);
  }
  settings.runtimes = runtimesOf(config.runtimes, flags, folder);
  return settings;
}

/** --replicas says whether; the others how, and mean nothing without. */
function replicationOf(fromFile: RuntimesConfig["replication"], flags: ChainFlags): Pick<RuntimesConfig, "replication"> {
  const replicas = flags.replicas === undefined ? (fromFile?.replicas ?? 0) : integer("--replicas", flags.replicas, 0, 1);
  const oneOf = <T extends string>(flag: string, given: string | undefined, allowed: readonly T[], otherwise: T): T => {
    if (given === undefined) return otherwise;
    if (replicas === 0) {
      throw new NfError("usage", `--${flag} is about replicas, and there are none`, {
        fix: `Add --replicas 1 (in ${CONFIG_FILE}: runtimes: { replication: {} }).`,
      });
    }
    const found = allowed.find((name) => name === given);
    if (found === undefined) throw new NfError("usage", `--${flag}: '${given}' is not allowed`, { allowed: allowed.join(", ") });
    return found;
  };
  const mode = oneOf("replication", flags.replication, REPLICATION.modes, fromFile?.mode ?? "hold");
  const unprotected = oneOf("unprotected", flags.unprotected, REPLICATION.unprotected, fromFile?.unprotected ?? "strict");
  if (replicas === 0) return fromFile ? { replication: { ...fromFile, replicas } } : {};
  return { replication: { replicas: 1, mode, unprotected } };
}

/** Without --runtimes the others change what the file says, and mean nothing in direct mode. */
function runtimesOf(fromFile: HostConfig["runtimes"], flags: ChainFlags, folder: string): HostConfig["runtimes"] {
  const count = flags.runtimes === undefined ? fromFile?.count : integer("--runtimes", flags.runtimes, 1, SWITCHING.runtimes_max);
  if (count === undefined) {
    const lone = (["lcores", "placement", "migrations", "processes", "agent", "replicas", "replication", "unprotected"] as const).find(
      (flag) => flags[flag] !== undefined,
    );
    if (lone === undefined) return undefined;
    throw new NfError("usage", `--${lone} is about several runtimes, and this is direct mode`, {
      fix: `Add --runtimes <n> (in ${CONFIG_FILE}: runtimes: { count: <n> }).`,
    });
  }
  const placement = SWITCHING.placements.find((name) => name === flags.placement?.replaceAll("-", "_"));
  if (flags.placement !== undefined && placement === undefined)
    throw new NfError("usage", `--placement: '${flags.placement}' is not allowed`, { allowed: SWITCHING.placements.join(", ") });
  const runtimes = {
    ...(fromFile ?? runtimesSchema.parse({ count })),
    count,
    ...(flags.lcores === undefined ? {} : { lcores: integer("--lcores", flags.lcores, 1, SWITCHING.lcores_max) }),
    ...(placement === undefined ? {} : { placement }),
    ...(flags.migrations === undefined ? {} : { migrations: integer("--migrations", flags.migrations, 1, SWITCHING.migrations_max) }),
    ...(flags.processes === undefined ? {} : { processes: flags.processes }),
    ...agentsOf(fromFile?.agents, flags, folder),
    ...replicationOf(fromFile?.replication, flags),
  };
  if (lacksReplica(runtimes))
    throw new NfError("usage", `--runtimes ${count}: ${LACKS_REPLICA}`, { fix: "Leave out --replicas, or give --runtimes 2 or more." });
  const wrong = processesRefusal(runtimes);
  if (wrong?.field === "agents")
    throw new NfError("usage", `--agent: ${wrong.why}`, {
      fix: `Add --processes (in ${CONFIG_FILE}: processes: true), and give each agent an address of its own.`,
    });
  if (wrong)
    throw new NfError("usage", `--${wrong.field === "count" ? "runtimes" : wrong.field} ${runtimes[wrong.field]}: ${wrong.why}`, {
      fix: `Leave out --processes (in ${CONFIG_FILE}: processes), or ${wrong.field === "count" ? "give more --runtimes" : "--lcores"}.`,
    });
  return runtimes;
}

/** Those of the command line instead of the file's, whose key files are beside it. */
function agentsOf(fromFile: RuntimesConfig["agents"], { agent }: ChainFlags, folder: string): Pick<RuntimesConfig, "agents"> {
  if (agent === undefined || agent.length === 0)
    return fromFile === undefined ? {} : { agents: fromFile.map((one) => ({ ...one, key_file: resolve(folder, one.key_file) })) };
  return { agents: agent.map(parseAgent) };
}

/** `10.0.0.2:7700,key=agent.key,iface=l0,runtimes=2` */
function parseAgent(text: string): AgentConfig {
  const [address, ...items] = text.split(",");
  const fields = Object.fromEntries(items.map((item) => [item.slice(0, item.indexOf("=")), item.slice(item.indexOf("=") + 1)]));
  const { key, runtimes, ...others } = fields;
  const read = agentSchema.safeParse(
    { address, key_file: key, ...(runtimes === undefined ? {} : { runtimes: /^\d{1,2}$/.test(runtimes) ? Number(runtimes) : runtimes }), ...others },
    { reportInput: true },
  );
  if (read.success) return read.data;
  throw new NfError("usage", `--agent ${text}: ${describeIssue(read.error.issues[0]!, () => ({ file: "" }), agentSchema).message}`, {
    allowed: "<address>:<port>,key=<file>,iface=<interface of this machine>,runtimes=<n>",
  });
}

/** A whole number of the command line; throws NfError (usage). */
export function integer(flag: string, text: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new NfError("usage", `${flag}: '${text}' is not a number in its range`, { allowed: `${min} to ${max}` });
  return value;
}

function fileEntry(entry: EntryConfig, i: number, located: Located<HostConfig>, folder: string): () => EntryPlan {
  return () => {
    const place = resolveNf(entry.nf, folder, located.where(["chain", i, "nf"]));
    return {
      name: entry.name ?? peekName(place) ?? entryNameOf(entry.nf),
      place,
      config: entry.config,
      configPlace: (path, at) => located.where(["chain", i, "config", ...path], at),
      grant: entry.grant,
      grantPlace: located.where(["chain", i, "grant"]),
      leaseSize: entry.lease?.size ?? 0,
      where: located.where(["chain", i]),
    };
  };
}

function chainOf(flag: string, fileChain: readonly EntryConfig[], fromFile: readonly (() => EntryPlan)[]): EntryPlan[] {
  const items = flag.split(",").map((item) => item.trim());
  if (items.some((item) => item === ""))
    throw new NfError("usage", `--chain: '${flag}' has an empty name in it`, { allowed: "names or paths of NFs, with commas between them" });
  if (items.length > LIMITS.chain_nfs_max)
    throw new NfError("usage", `--chain: ${items.length} NFs are too many`, { allowed: `${LIMITS.chain_nfs_max} at most` });
  return items.map((item) => {
    const [, given, nf = item] = /^([^=/]+)=(.+)$/.exec(item) ?? [];
    if (given === undefined) {
      const known = fileChain.findIndex((entry) => (entry.name ?? entryNameOf(entry.nf)) === item);
      if (known >= 0) return fromFile[known]!();
    }
    const name = given === undefined ? undefined : nameSchema.safeParse(given);
    if (name && !name.success)
      throw new NfError("usage", `--chain: '${given}' cannot be an entry's name`, { allowed: "a lower-case letter, then letters, digits and underscores" });
    const place = resolveNf(nf);
    return {
      name: name?.data ?? peekName(place) ?? entryNameOf(nf),
      place,
      config: undefined,
      configPlace: nowhere,
      grant: grantSchema.parse({}),
      grantPlace: undefined,
      leaseSize: 0,
      where: undefined,
    };
  });
}

function override(
  flags: readonly string[] | undefined,
  flag: string,
  form: string,
  entries: EntryPlan[],
  apply: (entry: EntryPlan, text: string) => void,
): void {
  for (const given of flags ?? []) {
    const at = given.indexOf("=");
    const name = at < 0 ? given : given.slice(0, at);
    const entry = entries.find((one) => one.name === name);
    if (!entry) {
      const names = entries.map((one) => one.name);
      const meant = nearest(name, names);
      throw new NfError("usage", `${flag}: the chain has no entry '${name}'`, {
        allowed: names.join(", "),
        fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
      });
    }
    if (at < 0 && flag !== "--grant") throw new NfError("usage", `${flag} ${given}: a value is missing`, { allowed: form });
    apply(entry, at < 0 ? "" : given.slice(at + 1));
  }
}

/** `edit:headers,reply,emits:2` */
export function parseGrant(text: string): Grant {
  const rights: Record<string, unknown> = {};
  for (const item of text.split(",")) {
    const [name = "", value] = item.trim().split(/[:=]/);
    rights[name] = value === undefined || value === "true" ? true : value === "false" ? false : /^\d+$/.test(value) ? Number(value) : value;
  }
  const grant = grantSchema.safeParse(rights, { reportInput: true });
  if (grant.success) return grant.data;
  const issue = grant.error.issues[0]!;
  throw new NfError("usage", `--grant ${text}: ${describeIssue(issue, () => ({ file: "" }), grantSchema).message}`, {
    allowed: "view:headers|payload, edit:none|headers|payload, reshape, reply, emits:<n>, with commas between them",
  });
}

/** The text of a YAML (or JSON) file that holds one NF's configuration. */
export function readConfigText(file: string): { file: string; text: string } {
  try {
    return { file, text: readFileSync(file, "utf8") };
  } catch (cause) {
    throw new NfError("config.not_found", `${file} does not exist or cannot be read`, { cause, fix: "Name a YAML or JSON file with the NF's configuration." });
  }
}

export function parseConfigText(text: string, file: string): Located<unknown> {
  return parseYamlFile(text, file, z.unknown(), { yaml: "config.yaml", field: "config.field" });
}
