/**
 * The agents of a tenant, and which of its runtimes are at which: the last ones by number, so that those that are added later are on this machine as long as
 * there is room. A tenant without agents has an empty list of them.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import type { RuntimeInput } from "../dataplane/native_types.ts";
import type { Life } from "./membership_events.ts";
import { type AgentSpec, RemoteAgent } from "./remote_agent.ts";
import type { RunFolder } from "./run_folder.ts";
import type { TenantSecrets } from "./tenant_spec.ts";

/** What stands in front of a packet on a link, at most; and the longest frames that its device takes. */
const LINK_HEADER_BYTES = 96;
const LINK_MTU_MAX = 1900;
/** Of the members' messages: with their header they fit into whatever carries packets of the usual size. */
export const FRAME_BYTES_ON_WIRES = 1500;

/** By agent, the numbers of its runtimes. */
export function membersAt(agents: readonly AgentSpec[], runtimes: number): number[][] {
  let next = runtimes - agents.reduce((sum, agent) => sum + agent.runtimes, 0) + 1;
  return agents.map((agent) => Array.from({ length: agent.runtimes }, () => next++));
}

export class Agents {
  readonly all: readonly RemoteAgent[];
  readonly #at = new Map<number, RemoteAgent>();

  constructor(specs: readonly AgentSpec[], runtimes: number, host: string, { key }: TenantSecrets, say: (text: string) => void) {
    const tenant = { host, tenancy: createHash("sha256").update(`tenancy ${key}`).digest("hex") };
    this.all = specs.map((spec) => new RemoteAgent(spec, tenant, say));
    membersAt(specs, runtimes).forEach((members, i) => members.forEach((member) => this.#at.set(member, this.all[i]!)));
  }

  /** Undefined: the member is on this machine. */
  of(member: number): RemoteAgent | undefined {
    return this.#at.get(member);
  }

  /** Rejects with NfError at the first that cannot be reached, or to which no link is possible. */
  async connect(input: RuntimeInput): Promise<void> {
    for (const agent of this.all) {
      await agent.connect();
      requireLink(agent, input);
    }
  }

  /** One end of a runtime's link to a life of the vswitch. */
  linkOf(folder: RunFolder, runtime: Life, vswitch: number, side: "vswitch" | "runtime"): object {
    const agent = this.of(runtime.member);
    if (!agent) return { vhost: folder.linkOf(runtime, vswitch) };
    return { iface: side === "vswitch" ? agent.iface : (agent.there?.iface ?? "") };
  }

  /** What they run ends; those that do not answer soon are left. */
  async killAll(): Promise<void> {
    await Promise.all(this.all.map((agent) => agent.killAll()));
  }

  /** What they run goes on. */
  close(): void {
    for (const agent of this.all) agent.close();
  }
}

/** Throws NfError (usage) when packets of the external interfaces do not fit through the interfaces between here and there. */
function requireLink({ who, iface, there }: RemoteAgent, input: RuntimeInput): void {
  if (input.kind !== "af_packet") return;
  const packet = Math.max(mtuOf(input.client) ?? 0, mtuOf(input.server) ?? 0);
  const least = Math.max(packet, FRAME_BYTES_ON_WIRES) + LINK_HEADER_BYTES;
  const allowed = `${least} to ${LINK_MTU_MAX} bytes: the longest packet and ${LINK_HEADER_BYTES} bytes more`;
  const check = (name: string, mtu: number | undefined, where: string): void => {
    if (mtu === undefined) throw new NfError("usage", `there is no interface '${name}' ${where}`, { fix: "Name the one that leads to the other machine." });
    if (mtu >= least && mtu <= LINK_MTU_MAX) return;
    throw new NfError("usage", `interface '${name}' ${where} has an MTU of ${mtu}, which no link can use`, {
      allowed,
      fix: `Run 'ip link set ${name} mtu ${Math.min(least, LINK_MTU_MAX)}' there.`,
    });
  };
  check(iface, mtuOf(iface), `on this machine, towards ${who}`);
  check(there!.iface, there!.mtu, `at ${who}`);
}

/** Undefined when there is no such interface. */
export function mtuOf(iface: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${iface}/mtu`, "utf8"));
  } catch {
    return undefined;
  }
}
