/** From checked settings and prepared NFs to what the addon takes. No checks here: everything was checked before. */
import { availableParallelism } from "node:os";
import type { HostConfig, RuntimesConfig } from "../config/host_config.ts";
import type { PreparedNf } from "../nf/prepare.ts";
import type { NfSpec, RuntimeInput, RuntimeSpec, SwitchingSpec } from "./native_types.ts";

export function runtimeSpec(settings: HostConfig, input: RuntimeInput, chain: NfSpec[], keepEndedFlows: number): RuntimeSpec {
  const { tcp, tcp_opening, tcp_closing, udp, icmp, other } = settings.flows.idle_ms;
  return {
    input,
    nonIp: settings.non_ip,
    flows: { max: settings.flows.max, idleMs: { tcp, tcpOpening: tcp_opening, tcpClosing: tcp_closing, udp, icmp, other } },
    seed: settings.seed.toString(),
    chain,
    keepEndedFlows,
    ...(settings.runtimes ? { switching: switchingSpec(settings.runtimes) } : {}),
  };
}

/** Without a number of lcores: one each for the vswitch and the runtimes, as far as there are CPUs. */
export function switchingSpec({ count, lcores, placement, migrations, replication }: RuntimesConfig, cpus = availableParallelism()): SwitchingSpec {
  return {
    runtimes: count,
    lcores: lcores ?? Math.max(1, Math.min(cpus, count + 1)),
    placement,
    migrations,
    ...(replication?.replicas === 1 ? { replication: { replicas: 1, mode: replication.mode, unprotected: replication.unprotected } } : {}),
  };
}

/** `native` is the module's native code, from the compiler's child or the cache. */
export function nfSpec(nf: PreparedNf, native: Uint8Array): NfSpec {
  const { manifest, stateSchema } = nf;
  return {
    entry: nf.entry,
    name: manifest.name,
    version: manifest.version,
    digest: nf.digest,
    native,
    core: nf.core,
    config: nf.config,
    stateBytes: stateSchema.bytes,
    stateDigest: stateSchema.digest,
    rights: nf.rights,
    heapPages: manifest.heap_pages,
    onFault: manifest.on_fault,
    quarantine: manifest.quarantine,
    leaseSize: nf.leaseSize,
    dropReasons: Object.fromEntries(Object.entries(manifest.drop_reasons).map(([number, name]) => [Number(number), name])),
    counters: [...manifest.counters],
    exports: [...nf.exports],
  };
}
