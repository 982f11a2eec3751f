/**
 * What a tenant's processes are started with, and in which words it is compared with what runs already: a supervisor takes processes over only if it would
 * have started the same ones.
 */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { NfError } from "@nfactor/sdk/errors";
import type { EalOptions, NfSpec, RuntimeSpec } from "../dataplane/native_types.ts";
import { type Command, type Effect, type Life, VSWITCH } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";

/** Silence of a runtime that the vswitch takes for its death: longer where processes wait for a CPU. */
const SUSPECT_MS = { own_cpu: 200, shared_cpus: 1000 } as const;

export interface TenantSpec {
  eal: EalOptions;
  /** Live and switched; its `chain` is as it runs now. */
  runtime: RuntimeSpec;
}

/** Of one tenant's processes, for as long as they run. */
export interface TenantSecrets {
  tenant: number;
  /** 64 hex digits. */
  key: string;
}

/** The specification of one process, with its files in the run folder. */
export function memberSpec({ eal, runtime }: TenantSpec, { tenant, key }: TenantSecrets, folder: RunFolder, effect: Effect & { type: "spawn" }): object {
  const { life, term, vswitch, peers } = effect;
  const { input, nonIp, flows, seed, chain, keepEndedFlows, switching } = runtime;
  const common = { ...life, term, tenant, key, eal, flows, cpu: -1, control: folder.controlOf(life), counters: folder.countersOf(life) };
  if (life.member === VSWITCH) {
    const suspectMs = switching!.runtimes + 1 <= availableParallelism() ? SUSPECT_MS.own_cpu : SUSPECT_MS.shared_cpus;
    const { placement, replication } = switching!;
    return { ...common, suspectMs, input, nonIp, placement, replication, members: peers, chain: chain.map((nf) => nfWithoutCode(nf)) };
  }
  return {
    ...common,
    ...{ seed, keepEndedFlows, migrations: switching!.migrations, replication: switching!.replication },
    chain: chain.map((nf) => nfWithFiles(nf, folder)),
    vswitch: { incarnation: vswitch, link: linkOf(folder, life, vswitch) },
    members: peers,
  };
}

/** A command about a link says which one: to the vswitch a runtime's, to a runtime that of another life of the vswitch. */
export function linkFields(folder: RunFolder, to: Life, command: Command, term: number): object {
  if (command.do === "link") return { link: linkOf(folder, command, to.incarnation) };
  if (command.do === "member_up" && command.member === VSWITCH) return { term, link: linkOf(folder, to, command.incarnation) };
  return {};
}

function linkOf(folder: RunFolder, runtime: Life, vswitch: number): object {
  return { vhost: folder.linkOf(runtime, vswitch) };
}

/** Code and configuration as files. */
export function nfWithFiles(nf: NfSpec, folder: RunFolder): object {
  return { ...nf, native: folder.keepBytes(nf.native), config: folder.keepBytes(nf.config) };
}

function nfWithoutCode(nf: NfSpec): object {
  return Object.fromEntries(Object.entries(nf).filter(([field]) => field !== "native" && field !== "config"));
}

/** In words, by what it is about. */
export function describe({ eal, runtime }: TenantSpec): Record<string, string> {
  const { input, nonIp, flows, seed, chain, switching } = runtime;
  const short = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 12);
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
  for (const nf of chain) {
    const { entry, rights, leaseSize, config, onFault, quarantine } = nf;
    words[`what ${entry} may do`] = JSON.stringify({ rights, leaseSize, onFault, quarantine });
    words[`configuration of ${entry}`] = `sha256:${short(config)}`;
  }
  return words;
}

/** Throws NfError (usage) unless what runs is what is wanted. */
export function requireSame(name: string, runs: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): void {
  const keys = [...new Set([...Object.keys(runs), ...Object.keys(wanted)])];
  const differ = keys.filter((key) => runs[key] !== wanted[key]);
  if (differ.length === 0) return;
  const [first] = differ as [string];
  const more = differ.length > 1 ? ` Also different: ${differ.slice(1).join(", ")}.` : "";
  throw new NfError("usage", `processes of host '${name}' run already, with other settings: ${first} is '${runs[first] ?? "not there"}'`, {
    given: wanted[first] ?? "not there",
    fix: `Start it with the same settings to take them over; or end them first (SIGTERM to each), or use another --name.${more}`,
  });
}
