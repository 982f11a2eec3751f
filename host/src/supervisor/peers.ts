/** Which peers there are after a change of their list, or why it cannot be. Pure: no connection, no disk. */
import { NfError } from "@nfactor/sdk/errors";
import { type KeptPeer, type PeerConfig, PEERS_MAX } from "../config/peer.ts";
import { plural } from "../result/text.ts";
import type { Elsewhere } from "./state_file.ts";

/**
 * `taken`: addresses of agents that are no peers. A peer whose runtimes are all being removed may go at once; it is kept as one that is leaving, since what
 * is still there has to be ended. One whose runtimes stay is refused, or with `keepUsed` stays as it is. Throws NfError (peer.in_use, usage).
 */
export function changePeers(
  { peers, placed }: Elsewhere,
  asked: readonly PeerConfig[],
  taken: readonly string[],
  isStaying: (member: number) => boolean,
  keepUsed = false,
): KeptPeer[] {
  const wanted = keepUsed ? [...asked, ...usedPeers({ peers, placed }, asked, isStaying)] : asked;
  const leaving = peers.filter(({ name, isLeaving }) => isLeaving && !wanted.some((one) => one.name === name));
  requireDistinct(wanted, [...taken, ...leaving.map(({ address }) => address)]);
  const at = (peer: string): number[] => placed.filter(({ at: name }) => name === peer).map(({ member }) => member);
  const next = wanted.map((peer): KeptPeer => {
    const old = peers.find(({ name }) => name === peer.name);
    const key = (peer.key ?? old?.key)?.toLowerCase();
    if (key === undefined) throw new NfError("usage", `peer '${peer.name}' is new, and needs a key`, { allowed: "64 hex digits" });
    if (old && old.iface !== peer.iface && at(peer.name).length > 0) throw inUse(peer.name, at(peer.name), "its interface cannot change");
    return { ...peer, key, isLeaving: false };
  });
  const gone = peers.filter((peer) => !wanted.some(({ name }) => name === peer.name));
  for (const { name } of gone) {
    const staying = at(name).filter(isStaying);
    if (staying.length > 0) throw inUse(name, staying, "it cannot be removed");
  }
  return [...next, ...gone.filter(({ name }) => at(name).length > 0).map((peer) => ({ ...peer, isLeaving: true }))];
}

/** Peers that are not in this list, and have runtimes that stay. */
export function usedPeers({ peers, placed }: Elsewhere, wanted: readonly PeerConfig[], isStaying: (member: number) => boolean): PeerConfig[] {
  const isUsed = (peer: string): boolean => placed.some(({ at, member }) => at === peer && isStaying(member));
  return peers.flatMap(({ isLeaving, ...peer }) => (!isLeaving && !wanted.some(({ name }) => name === peer.name) && isUsed(peer.name) ? [peer] : []));
}

function inUse(name: string, members: readonly number[], what: string): NfError {
  const sorted = [...members].sort((a, b) => a - b);
  const [first] = sorted;
  return new NfError("peer.in_use", `peer '${name}' has ${sorted.length === 1 ? "runtime" : "runtimes"} ${sorted.join(", ")}, so ${what}`, {
    fix: `Move their flows away and remove them first: 'nfactor drain ${first} && nfactor runtimes remove ${first}'.`,
  });
}

function requireDistinct(wanted: readonly PeerConfig[], taken: readonly string[]): void {
  if (wanted.length > PEERS_MAX) throw new NfError("usage", `${plural(wanted.length, "peer")} are too many`, { allowed: `${PEERS_MAX} at most` });
  const [names, addresses] = [new Set<string>(), new Set(taken)];
  for (const { name, address } of wanted) {
    if (names.has(name)) throw new NfError("usage", `two peers are named '${name}'`);
    if (addresses.has(address)) throw new NfError("usage", `peer '${name}' is at ${address}, where this host has another agent`);
    names.add(name);
    addresses.add(address);
  }
}
