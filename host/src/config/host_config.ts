/**
 * nfactor.yaml: the ports, the flow table and the chain of one host. Its JSON schema is published as docs/schemas/nfactor.yaml.schema.json.
 *
 * An entry's `config` is not checked here: what it may hold is decided by the NF's own schema (host/src/nf/prepare.ts does that), with positions
 * from the same file.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type Located, nameSchema, parseYamlFile } from "@nfactor/sdk/manifest";
import { LIMITS } from "@nfactor/sdk/abi";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { parseEndpoint } from "./endpoint.ts";

export const CONFIG_FILE = "nfactor.yaml";

/** Flow slots and actors are indexed by 32 bits with room for flags; 16 Mi flows of 4 KiB would not fit a state store anyway. */
const FLOWS_MAX = 1 << 24;
const LEASES_MAX = 1 << 24;
const IDLE_MS_MAX = 7 * 24 * 3600 * 1000;

/** Bounds of switched mode; the dataplane has room for no more. */
export const SWITCHING = { runtimes_max: 15, lcores_max: 16, migrations_max: 4000, placements: ["round_robin", "least_loaded"] } as const;

export const REPLICATION = { modes: ["hold", "relay"], unprotected: ["strict", "available"] } as const;

export const ifaceSchema = z.string().regex(/^[^\s/]{1,15}$/, "an interface name has 1 to 15 characters, without blanks and slashes");
const portSchema = z.strictObject({ iface: ifaceSchema.describe("Name of a network interface of this machine.") });
const idleMs = (standard: number, what: string) => z.int().min(1).max(IDLE_MS_MAX).default(standard).describe(`Idle time of ${what}, ms.`);

/** True for 10.0.0.0/8, 10.0.0.1, fd00::/8. */
export function isPrefix(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes("%")) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}
const prefixSchema = z.string().refine(isPrefix, "an address or a prefix is like 10.0.0.0/8 or fd00::/8");

export const grantSchema = z
  .strictObject({
    view: z.enum(["headers", "payload"]).default("payload").describe("headers keeps payloads from the NF."),
    edit: z.enum(["none", "headers", "payload"]).default("none").describe("What it may change; payload includes headers."),
    reshape: z.boolean().default(false).describe("May change a packet's length or its headers' structure."),
    reply: z.boolean().default(false).describe("May send a packet back to where it came from."),
    emits: z.int().min(0).max(LIMITS.emits_per_packet_max).default(0).describe("Frames it may send of its own, per packet."),
  })
  .describe("Rights this entry may have at most. An NF that asks for more is refused.");

export const entrySchema = z.strictObject({
  name: nameSchema.optional().describe("Name of the entry: prefix of its drop reasons, key of its states. Default: the NF's name."),
  nf: z.string().min(1).max(4096).describe("A path to an NF's folder or artifact, or the name of an NF in ./nf-wasm or of a shipped one."),
  config: z.unknown().optional().describe("What the NF's own configuration schema allows."),
  grant: grantSchema.prefault({}),
  lease: z
    .strictObject({ size: z.int().min(1).max(LEASES_MAX).describe("Values in this entry's pool.") })
    .optional()
    .describe("Pool of leased values for NFs that ask for it; nat44 maps a value to an address and a port."),
});

export const agentSchema = z.strictObject({
  address: z
    .string()
    .refine((text) => parseEndpoint(text) !== undefined, "an agent's address is like 10.0.0.2:7700 or [fd00::2]:7700")
    .describe("Where `nfactor agent` listens on the other machine."),
  key_file: z.string().min(1).max(4096).describe("File with the key that the agent has too: 64 hex digits."),
  iface: ifaceSchema.describe("Interface of this machine that leads to the agent's machine; it carries the links to the runtimes there."),
  runtimes: z.int().min(1).max(SWITCHING.runtimes_max).default(1).describe("How many of the runtimes are there."),
});
export type AgentConfig = z.output<typeof agentSchema>;

export const runtimesSchema = z
  .strictObject({
    count: z.int().min(1).max(SWITCHING.runtimes_max).describe("Runtimes at the start; `nfactor runtimes add` starts more."),
    lcores: z
      .int()
      .min(1)
      .max(SWITCHING.lcores_max)
      .optional()
      .describe("Threads that the virtual switch and the runtimes are dealt over. Default: one for each, but not more than there are CPUs."),
    placement: z.enum(SWITCHING.placements).default("round_robin").describe("Who gets a new flow: each runtime in turn, or the one with the least load."),
    migrations: z.int().min(1).max(SWITCHING.migrations_max).default(1000).describe("Flows of one runtime that may be on their way at once."),
    replication: z
      .strictObject({
        replicas: z
          .union([z.literal(0), z.literal(1)])
          .default(1)
          .describe("Other runtimes that have the state of each flow before what it causes leaves."),
        mode: z
          .enum(REPLICATION.modes)
          .default("hold")
          .describe(
            "hold: output waits in the flow's own runtime until the replica has its state. relay: it goes to the replica with the state, which sends it.",
          ),
        unprotected: z
          .enum(REPLICATION.unprotected)
          .default("strict")
          .describe("Output of flows for which there is no other runtime: strict lets it wait, and drops what finds no room; available lets it leave."),
      })
      .optional()
      .describe("Flows go on, with their state, when their runtime dies."),
    processes: z
      .boolean()
      .optional()
      .describe("Process mode: the virtual switch and each runtime live in a process of their own, and one that dies is started again. Live hosts only."),
    agents: z.array(agentSchema).max(SWITCHING.runtimes_max).optional().describe("Process mode on several machines: some of the runtimes are at these agents."),
  })
  .superRefine((runtimes, context) => {
    const wrong = processesRefusal(runtimes);
    if (wrong) context.addIssue({ code: "custom", path: [wrong.field], message: wrong.why, input: runtimes[wrong.field] });
    if (lacksReplica(runtimes)) context.addIssue({ code: "custom", path: ["count"], message: LACKS_REPLICA, input: runtimes.count });
  })
  .describe("Switched mode: several runtimes behind a virtual switch, and flows that can move between them. Left out: direct mode, one runtime.");

export const LACKS_REPLICA = "replicas are in other runtimes: there must be two at least";

/** MiB for packets and tables. Replicas in one process hold back what each of 15 runtimes may cause, all out of one pool. */
export function memoryOf({ memory, runtimes }: Pick<HostConfig, "memory" | "runtimes">, isCapture = false): number {
  const inOne = runtimes?.replication?.replicas === 1 && (isCapture || !runtimes.processes);
  return memory.megabytes ?? (inOne ? 512 : 256);
}

export function lacksReplica({ count, replication }: { count: number; replication?: { replicas: number } | undefined }): boolean {
  return count < 2 && replication?.replicas === 1;
}

/** What excludes process mode. */
export function processesRefusal(runtimes: {
  count: number;
  lcores?: number | undefined;
  processes?: boolean | undefined;
  agents?: readonly AgentConfig[] | undefined;
}): { field: "count" | "lcores" | "agents"; why: string } | undefined {
  const { agents = [] } = runtimes;
  if (runtimes.processes !== true) return agents.length === 0 ? undefined : { field: "agents", why: "runtimes on other machines are processes of their own" };
  if (new Set(agents.map(({ address }) => address)).size < agents.length) return { field: "agents", why: "two agents have the same address" };
  const elsewhere = agents.reduce((sum, agent) => sum + agent.runtimes, 0);
  if (elsewhere > runtimes.count) return { field: "count", why: `there are ${elsewhere} runtimes at agents alone` };
  if (runtimes.count < 2) return { field: "count", why: "process mode is of two runtimes at least: with one, its death ends all flows anyway" };
  if (runtimes.lcores !== undefined) return { field: "lcores", why: "in process mode the virtual switch and each runtime have a thread of their own" };
  return undefined;
}

export const hostConfigSchema = z
  .strictObject({
    apiVersion: z.literal("nfactor/v1"),
    name: nameSchema.optional().describe("Name under which `nfactor swap` and `nfactor flows` find this host."),
    ports: z.strictObject({ client: portSchema, server: portSchema }).optional().describe("The two sides of the wire, when the host is live."),
    clients: z.array(prefixSchema).max(1024).default([]).describe("From a capture: addresses of the client side."),
    non_ip: z.enum(["forward", "drop"]).default("forward").describe("What becomes of ARP and whatever else is not IP."),
    flows: z
      .strictObject({
        max: z.int().min(1).max(FLOWS_MAX).default(65536).describe("Flows at once."),
        idle_ms: z
          .strictObject({
            tcp: idleMs(300_000, "an open TCP connection"),
            tcp_opening: idleMs(30_000, "a TCP connection without an answer"),
            tcp_closing: idleMs(10_000, "a TCP connection after FIN or RST"),
            udp: idleMs(30_000, "UDP and UDP-Lite"),
            icmp: idleMs(5_000, "ICMP queries"),
            other: idleMs(30_000, "other protocols"),
          })
          .prefault({}),
      })
      .prefault({}),
    runtimes: runtimesSchema.optional(),
    seed: z
      .union([z.int().min(0), z.string().regex(/^\d{1,20}$/)])
      .default(0)
      .transform((seed) => BigInt(seed))
      .refine((seed) => seed < 1n << 64n, "a seed is an unsigned 64-bit number")
      .describe("Seed of the NFs' random numbers."),
    memory: z
      .strictObject({
        hugepages: z.enum(["auto", "never"]).default("auto").describe("auto uses free hugepages when there are enough."),
        megabytes: z
          .int()
          .min(64)
          .max(1 << 20)
          .optional()
          .describe("Memory for packets and tables, MiB (default 256; 512 with replicas in one process)."),
      })
      .prefault({}),
    chain: z.array(entrySchema).min(1).max(LIMITS.chain_nfs_max).describe("The NFs, from the client side to the server side."),
  })
  .superRefine((config, context) => {
    const seen = new Set<string>();
    config.chain.forEach((entry, i) => {
      if (entry.name === undefined) return;
      if (seen.has(entry.name)) context.addIssue({ code: "custom", path: ["chain", i, "name"], message: "another entry has this name", input: entry.name });
      seen.add(entry.name);
    });
    if (config.ports && config.ports.client.iface === config.ports.server.iface) {
      context.addIssue({ code: "custom", path: ["ports", "server", "iface"], message: "both ports are the same interface", input: config.ports.server.iface });
    }
  });

export type HostConfig = z.output<typeof hostConfigSchema>;
export type RuntimesConfig = z.output<typeof runtimesSchema>;
export type EntryConfig = z.output<typeof entrySchema>;
export type Grant = z.output<typeof grantSchema>;

/** A host's settings when there is no file: everything but the chain. */
export function defaultConfig(): HostConfig {
  return { ...hostConfigSchema.parse({ apiVersion: "nfactor/v1", chain: [{ nf: "none" }] }), chain: [] };
}

/** Parses the text of an nfactor.yaml; throws NfError (config.yaml, config.field) with the position. */
export function parseHostConfig(text: string, file = CONFIG_FILE): Located<HostConfig> {
  return parseYamlFile(text, file, hostConfigSchema, { yaml: "config.yaml", field: "config.field" });
}

/** Reads and parses; throws NfError (config.not_found besides those of `parseHostConfig`). */
export function readHostConfig(path: string): Located<HostConfig> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause && cause.code === "EACCES" ? "may not be read by this user" : "does not exist or is no readable file";
    throw new NfError("config.not_found", `${path} ${why}`, { cause, fix: "Name the file with --config, or leave --config out and give --chain." });
  }
  return parseHostConfig(text, path);
}

/** The JSON schema of nfactor.yaml, as it is published. */
export function hostConfigJsonSchema(): object {
  return { $id: "urn:nfactor:schema:nfactor.yaml", title: "nfactor.yaml", ...z.toJSONSchema(hostConfigSchema, { io: "input" }) };
}
