/**
 * The agents of a tenant, and which of its runtimes are at which. Those that are configured at the start have the last runtimes by number. Peers come and go
 * while the tenant runs, and have what was added there; who has no runtimes is not connected to. A tenant without agents has an empty list of them.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import type { KeptPeer, PeerConfig } from "../config/peer.ts";
import type { PeerStatus } from "../dataplane/dataplane.ts";
import type { RuntimeInput } from "../dataplane/native_types.ts";
import { CONNECT_MS } from "./deadlines.ts";
import type { Life } from "./membership_events.ts";
import { changePeers, usedPeers } from "./peers.ts";
import { type AgentSpec, RemoteAgent } from "./remote_agent.ts";
import type { Whereabouts } from "./present.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Elsewhere } from "./state_file.ts";
import type { SupervisorOptions } from "./supervisor_options.ts";
import type { TenantSecrets } from "./tenant_spec.ts";
import { within } from "./within.ts";

/** What stands in front of a packet on a link, at most; and the longest frames that its device takes. */
const LINK_HEADER_BYTES = 96;
const LINK_MTU_MAX = 9256;
/** Of the members' messages: with their header they fit into whatever carries packets of the usual size. */
export const FRAME_BYTES_ON_WIRES = 1500;

/** By agent, the numbers of its runtimes. */
export function membersAt(agents: readonly AgentSpec[], runtimes: number): number[][] {
  let next = runtimes - agents.reduce((sum, agent) => sum + agent.runtimes, 0) + 1;
  return agents.map((agent) => Array.from({ length: agent.runtimes }, () => next++));
}

export class Agents {
  readonly #tenant: { host: string; tenancy: string };
  readonly #say: (text: string) => void;
  readonly #configured: readonly RemoteAgent[];
  /** By number, of the runtimes of the start. */
  readonly #at = new Map<number, RemoteAgent>();
  /** Part of what the supervisor keeps on disk. */
  readonly #kept: Elsewhere;
  /** Those that have runtimes, by name. */
  readonly #peers = new Map<string, RemoteAgent>();
  /** Those that are being spoken to for the first time. */
  readonly #greeted = new Map<string, { readonly agent: RemoteAgent; readonly isOver: Promise<unknown> }>();
  readonly #isStaying: (member: number) => boolean;
  readonly #save: () => void;

  /** `isStaying`: the runtime is there, and not being removed. `save`: what is kept goes to disk; throws what that says. */
  constructor(
    { spec, runtimes, folder, say }: Pick<SupervisorOptions, "spec" | "runtimes" | "folder" | "say">,
    { key, elsewhere }: TenantSecrets & { elsewhere: Elsewhere },
    isStaying: (member: number) => boolean,
    save: () => void,
  ) {
    this.#tenant = { host: folder.name, tenancy: createHash("sha256").update(`tenancy ${key}`).digest("hex") };
    this.#say = say;
    this.#kept = elsewhere;
    this.#isStaying = isStaying;
    this.#save = save;
    this.#configured = spec.agents.map((agent) => new RemoteAgent(agent, this.#tenant, say));
    membersAt(spec.agents, runtimes).forEach((members, i) => members.forEach((member) => this.#at.set(member, this.#configured[i]!)));
    for (const { at } of elsewhere.placed) {
      const peer = elsewhere.peers.find(({ name }) => name === at);
      if (peer && !this.#peers.has(peer.name)) this.#peers.set(peer.name, this.#agentOf(peer));
    }
  }

  /** Those that may have runtimes. */
  get all(): readonly RemoteAgent[] {
    return [...this.#configured, ...this.#peers.values()];
  }

  /** Undefined: the member is on this machine. */
  of(member: number): RemoteAgent | undefined {
    const placed = this.#placeOf(member);
    if (placed === undefined) return this.#at.get(member);
    return placed === null ? undefined : (this.#peers.get(placed) ?? this.#configured.find(({ address }) => address === placed));
  }

  whereIs(member: number): Pick<Whereabouts, "agent" | "peer" | "isReachable"> {
    const [agent, placed] = [this.of(member), this.#placeOf(member)];
    const peer = typeof placed === "string" && this.#peers.has(placed) ? placed : undefined;
    return { agent: agent?.address, peer, isReachable: agent?.isReachable ?? true };
  }

  /** Messages to this member have to be so short; undefined: as short as all. */
  frameBytesTo(member: number): number | undefined {
    return this.of(member) ? FRAME_BYTES_ON_WIRES : undefined;
  }

  #placeOf(member: number): string | null | undefined {
    return this.#kept.placed.find((one) => one.member === member)?.at;
  }

  #agentOf({ address, key, iface }: KeptPeer): RemoteAgent {
    return new RemoteAgent({ address, key: Buffer.from(key, "hex"), iface, runtimes: 0 }, this.#tenant, this.#say);
  }

  /** Rejects with NfError at the first that cannot be reached, or to which no link is possible. */
  async connect(input: RuntimeInput): Promise<void> {
    for (const agent of this.all) {
      await agent.connect();
      requireLink(agent, input);
    }
  }

  /**
   * A peer by its name, or an agent that was configured by its address. Rejects with NfError (peer.unknown, host.socket, usage) when there is none, it cannot
   * be reached, or no link to it is possible.
   */
  async reach(at: string, input: RuntimeInput): Promise<void> {
    const agent = await this.#connected(at);
    try {
      requireLink(agent, input);
    } catch (error) {
      this.#rest(at);
      throw error;
    }
  }

  /** The member is to be there, where somebody has been reached; undefined: on this machine. It goes to disk with the next event. */
  place(member: number, at: string | undefined): void {
    this.#kept.placed = [...this.#kept.placed.filter((one) => one.member !== member), { member, at: at ?? null }];
  }

  async #connected(at: string): Promise<RemoteAgent> {
    const known = this.#peers.get(at) ?? this.#configured.find(({ address }) => address === at);
    const peer = this.#kept.peers.find(({ name, isLeaving }) => name === at && !isLeaving);
    if (!peer && !(known && this.#configured.includes(known))) {
      const names = [...this.#kept.peers.filter(({ isLeaving }) => !isLeaving).map(({ name }) => name), ...this.#configured.map(({ address }) => address)];
      throw new NfError("peer.unknown", `there is no peer '${at}'`, {
        given: at,
        allowed: names.join(", ") || undefined,
        fix: names.length === 0 ? "Add it first: 'nfactor peers add'." : "'nfactor peers' lists them.",
      });
    }
    if (known) {
      // It is being connected to already, again and again.
      await within(CONNECT_MS, known.reachable(), `${known.who} is not reachable`);
      return known;
    }
    // Two connections for orders would end each other.
    await this.#greeted.get(at)?.isOver;
    const agent = this.#agentOf(peer!);
    try {
      await agent.connect();
    } catch (error) {
      agent.close();
      throw error;
    }
    this.#peers.set(at, agent);
    return agent;
  }

  /** Nothing is left anywhere but of these members. It goes to disk with the next event. */
  keepOnly(members: readonly number[]): void {
    const gone = this.#kept.placed.filter(({ member }) => !members.includes(member));
    this.#kept.placed = this.#kept.placed.filter(({ member }) => members.includes(member));
    for (const { at } of gone) if (at !== null) this.#rest(at);
  }

  /** A peer without runtimes is not connected to. */
  #rest(name: string): void {
    if (this.#kept.placed.some(({ at }) => at === name)) return;
    void this.#peers.get(name)?.retire();
    this.#peers.delete(name);
    this.#kept.peers = this.#kept.peers.filter((peer) => peer.name !== name || !peer.isLeaving);
  }

  /**
   * All peers from now on; on disk when this returns. `keepUsed`: others too, as long as they have runtimes. Their names. Throws NfError (peer.in_use, usage),
   * and what the disk says; nothing has changed then.
   */
  configurePeers(wanted: readonly PeerConfig[], keepUsed = false): string[] {
    const before = this.#kept.peers;
    const taken = this.#configured.map(({ address }) => address);
    const used = keepUsed ? usedPeers(this.#kept, wanted, this.#isStaying).map(({ name }) => name) : [];
    this.#kept.peers = changePeers(this.#kept, wanted, taken, this.#isStaying, keepUsed);
    try {
      this.#save();
    } catch (error) {
      this.#kept.peers = before;
      throw error;
    }
    for (const peer of this.#kept.peers) this.#peers.get(peer.name)?.become({ address: peer.address, key: Buffer.from(peer.key, "hex") });
    for (const peer of this.#kept.peers) if (!before.some(({ name }) => name === peer.name)) this.#greet(peer);
    return used;
  }

  /**
   * Once, who is new: its agent ends what an earlier run has left there as soon as the next one speaks to it, and nobody may ever place anything there. Who
   * does not answer is left alone.
   */
  #greet(peer: KeptPeer): void {
    const agent = this.#agentOf(peer);
    const leave = agent.connect().then(
      () => agent.retire(),
      () => agent.close(),
    );
    this.#greeted.set(peer.name, { agent, isOver: leave.finally(() => this.#greeted.delete(peer.name)) });
  }

  /** Members that are at this peer, or may be still. */
  membersAt(name: string): number[] {
    return this.#kept.placed.filter(({ at }) => at === name).map(({ member }) => member);
  }

  /** Those where runtimes may be, without their keys. */
  status(): PeerStatus[] {
    const at = (agent: RemoteAgent | undefined, members: readonly number[]): Pick<PeerStatus, "runtimes" | "isReachable"> => {
      const runtimes = members.filter((member) => this.#isStaying(member) && this.of(member) === agent).sort((a, b) => a - b);
      return { runtimes, isReachable: agent?.isReachable };
    };
    const placed = this.#kept.placed.map(({ member }) => member);
    const configured = this.#configured.map((agent) => ({
      ...{ name: undefined, address: agent.address, iface: agent.iface },
      ...at(agent, [...new Set([...this.#at.keys(), ...placed])]),
    }));
    const peers = this.#kept.peers.filter(({ isLeaving }) => !isLeaving);
    return [...configured, ...peers.map(({ name, address, iface }) => ({ name, address, iface, ...at(this.#peers.get(name), placed) }))];
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
    for (const agent of [...this.all, ...[...this.#greeted.values()].map((one) => one.agent)]) agent.close();
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
