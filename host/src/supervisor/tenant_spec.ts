/**
 * What a tenant's processes are started with, and in which words it is compared with what runs already: a supervisor takes processes over only if it would
 * have started the same ones.
 */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { NfError } from "@nfactor/sdk/errors";
import type { EalOptions, NfSpec, RuntimeSpec } from "../dataplane/native_types.ts";
import { FRAME_BYTES_ON_WIRES, membersAt } from "./agents.ts";
import { type Effect, VSWITCH } from "./membership_events.ts";
import type { AgentSpec } from "./remote_agent.ts";
import type { RunFolder } from "./run_folder.ts";

/** Silence of a runtime that the vswitch takes for its death: longer where processes wait for a CPU. */
const SUSPECT_MS = { own_cpu: 200, shared_cpus: 1000 } as const;

export interface TenantSpec {
  eal: EalOptions;
  /** Live and switched; its `chain` is as it runs now. */
  runtime: RuntimeSpec;
  /** Other machines, and how many of the runtimes are there. */
  agents: readonly AgentSpec[];
}

/** Of one tenant's processes, for as long as they run. */
export interface TenantSecrets {
  tenant: number;
  /** 64 hex digits. */
  key: string;
}

/** The specification of one process, with its files in the run folder. `chain` and `link` are as that process is to have them. */
export function memberSpec(
  { eal, runtime, agents }: TenantSpec,
  { tenant, key }: TenantSecrets,
  folder: RunFolder,
  effect: Effect & { type: "spawn" },
  { chain, link }: { chain: object[]; link?: object },
  frameBytesTo: (member: number) => number | undefined,
): object {
  const { life, term, vswitch, homes } = effect;
  const { input, nonIp, flows, seed, keepEndedFlows, switching } = runtime;
  // Of one machine that some day has runtimes on others, messages between processes here may stay long.
  const frames = agents.length > 0 || frameBytesTo(life.member) !== undefined ? { frameBytes: FRAME_BYTES_ON_WIRES } : {};
  const peers = effect.peers.map((peer) => {
    const frameBytes = frameBytesTo(peer.member);
    return frameBytes === undefined ? peer : { ...peer, frameBytes };
  });
  const common = { ...life, term, tenant, key, eal, flows, chain, ...frames, cpu: -1, control: folder.controlOf(life), counters: folder.countersOf(life) };
  if (life.member === VSWITCH) {
    const suspectMs = switching!.runtimes + 1 <= availableParallelism() ? SUSPECT_MS.own_cpu : SUSPECT_MS.shared_cpus;
    const { placement, replication } = switching!;
    return { ...common, suspectMs, input, nonIp, placement, replication, members: peers };
  }
  return {
    ...common,
    ...{ seed, keepEndedFlows, migrations: switching!.migrations, replication: switching!.replication },
    vswitch: { incarnation: vswitch, link },
    members: peers,
    homes,
  };
}

/** Code and configuration as files. */
export function nfWithFiles(nf: NfSpec, folder: RunFolder): object {
  return { ...nfWithoutCode(nf), native: folder.keepBytes(nf.native), config: folder.keepBytes(nf.config) };
}

export function nfWithoutCode(nf: NfSpec): object {
  return { ...Object.fromEntries(Object.entries(nf).filter(([field]) => field !== "native" && field !== "config" && field !== "core")), mark: markOf(nf) };
}

/** Places of the chain where a process that says that it runs this runs something else than is wanted, be it another configuration or other rights alone. */
export function staleIn(chain: readonly NfSpec[], runs: readonly { version: string; digest: string; mark: string }[] | undefined): number[] {
  // One that was started by an older version does not know marks.
  const isSame = (nf: NfSpec, one: { version: string; digest: string; mark: string } | undefined): boolean =>
    one?.version === nf.version && one.digest === nf.digest && (one.mark === "" || one.mark === markOf(nf));
  return runs ? chain.flatMap((nf, i) => (isSame(nf, runs[i]) ? [] : [i])) : [];
}

/** All that a swap can change, in a word that the process says back. Of words that outlive an exchange of the supervisor, so not of all fields. */
function markOf({ version, digest, rights, leaseSize, config, onFault, quarantine }: NfSpec): string {
  return shortHash(JSON.stringify([version, digest, mayDo({ rights, leaseSize, onFault, quarantine }), shortHash(config)]));
}

const mayDo = ({ rights, leaseSize, onFault, quarantine }: Pick<NfSpec, "rights" | "leaseSize" | "onFault" | "quarantine">): string =>
  JSON.stringify({ rights, leaseSize, onFault, quarantine });
const shortHash = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex").slice(0, 12);

/** In words, by what it is about. */
export function describe({ eal, runtime, agents }: TenantSpec): Record<string, string> {
  const { input, nonIp, flows, seed, chain, switching } = runtime;
  const words: Record<string, string> = {
    interfaces: input.kind === "af_packet" ? `${input.client}, ${input.server}` : input.kind,
    "non-IP": nonIp,
    flows: `${flows.max}, ${JSON.stringify(flows.idleMs)}`,
    seed,
    placement: switching?.placement ?? "",
    migrations: String(switching?.migrations ?? ""),
    replication: switching?.replication ? `${switching.replication.replicas}, ${switching.replication.mode}, ${switching.replication.unprotected}` : "none",
    memory: `${eal.memoryMb} MiB, hugepages ${eal.hugepages}`,
    chain: chain.map(({ entry, version, digest }) => `${entry} ${version} sha256:${digest.slice(0, 12)}`).join(", "),
  };
  if (agents.length > 0)
    words["agents"] = membersAt(agents, switching?.runtimes ?? 0)
      .map((members, i) => `${agents[i]!.address} over ${agents[i]!.iface}: runtimes ${members.join(", ")}`)
      .join("; ");
  for (const nf of chain) {
    const { entry, config } = nf;
    words[`what ${entry} may do`] = mayDo(nf);
    words[`configuration of ${entry}`] = `sha256:${shortHash(config)}`;
  }
  return words;
}

/** Throws NfError (host.settings) unless what runs is what is wanted. */
export function requireSame(name: string, runs: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): void {
  const keys = [...new Set([...Object.keys(runs), ...Object.keys(wanted)])];
  const differ = keys.filter((key) => runs[key] !== wanted[key]);
  if (differ.length === 0) return;
  const [first] = differ as [string];
  const more = differ.length > 1 ? ` Also different: ${differ.slice(1).join(", ")}.` : "";
  throw new NfError("host.settings", `processes of host '${name}' run already, with other settings: ${first} is '${runs[first] ?? "not there"}'`, {
    given: wanted[first] ?? "not there",
    fix: `Start it with the same settings to take them over; or end them first (SIGTERM to each), or use another --name.${more}`,
  });
}
