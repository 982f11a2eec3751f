import { expect, test } from "vitest";
import type { KeptPeer, PeerConfig } from "../config/peer.ts";
import { changePeers } from "./peers.ts";

const KEY = "ab".repeat(32);
const peer = (name: string, last: number, more: Partial<PeerConfig> = {}): PeerConfig => ({
  name,
  address: `10.0.0.${last}:7700`,
  iface: "l0",
  key: KEY,
  ...more,
});
const kept = (name: string, last: number, isLeaving = false): KeptPeer => ({ ...peer(name, last), key: KEY, isLeaving });

const change = (peers: KeptPeer[], wanted: PeerConfig[], { placed = {}, going = [] as number[], taken = [] as string[], keep = false } = {}): KeptPeer[] => {
  const where = Object.entries(placed as Record<number, string>).map(([member, at]) => ({ member: Number(member), at }));
  return changePeers({ peers, placed: where }, wanted, taken, (member) => !going.includes(member), keep);
};

test("peers come, go, and get new addresses and keys; a key that is not said stays", () => {
  expect(change([], [peer("a", 1)])).toEqual([kept("a", 1)]);
  expect(change([kept("a", 1), kept("b", 2)], [peer("b", 3, { key: undefined })])).toEqual([kept("b", 3)]);
  expect(change([kept("a", 1)], [peer("a", 1, { key: "CD".repeat(32) })])[0]!.key).toBe("cd".repeat(32));
  expect(change([kept("a", 1)], [])).toEqual([]);
});

test("one with runtimes cannot go, nor change its interface; what can be done is said", () => {
  const placed = { 4: "a", 3: "a", 5: "b" };
  expect(() => change([kept("a", 1), kept("b", 2)], [peer("b", 2)], { placed })).toThrow("peer 'a' has runtimes 3, 4, so it cannot be removed");
  expect(() => change([kept("a", 1)], [], { placed: { 3: "a" } })).toThrow(
    expect.objectContaining({ code: "peer.in_use", fix: expect.stringContaining("'nfactor drain 3") as string }),
  );
  expect(() => change([kept("a", 1)], [peer("a", 1, { iface: "l1" })], { placed })).toThrow("its interface cannot change");
  expect(change([kept("a", 1)], [peer("a", 9)], { placed })).toEqual([kept("a", 9)]);
});

test("one whose runtimes are all removed, and have not ended, leaves: it is kept until they have, and may come back meanwhile", () => {
  const about = { placed: { 3: "a" }, going: [3] };
  expect(change([kept("a", 1)], [], about)).toEqual([kept("a", 1, true)]);
  expect(change([kept("a", 1, true)], [peer("b", 2)], about)).toEqual([kept("b", 2), kept("a", 1, true)]);
  expect(change([kept("a", 1, true)], [peer("a", 1)], about)).toEqual([kept("a", 1)]);
  // Two connections for orders to one agent would take turns.
  expect(() => change([kept("a", 1, true)], [peer("b", 1)], about)).toThrow("peer 'b' is at 10.0.0.1:7700, where this host has another agent");
});

test("who says that used ones may stay has them until they are not used any more", () => {
  const placed = { 3: "a", 4: "b" };
  const peers = [kept("a", 1), kept("b", 2), kept("c", 3)];
  expect(change(peers, [peer("d", 4)], { placed, keep: true })).toEqual([kept("d", 4), kept("a", 1), kept("b", 2)]);
  expect(change(peers, [peer("d", 4)], { placed, keep: true, going: [3] })).toEqual([kept("d", 4), kept("b", 2), kept("a", 1, true)]);
  expect(change(peers, [peer("d", 4)], { keep: true })).toEqual([kept("d", 4)]);
});

test("no two of one name or address, none without a key, and not too many", () => {
  expect(() => change([], [peer("a", 1), peer("a", 2)])).toThrow("two peers are named 'a'");
  expect(() => change([], [peer("a", 1), peer("b", 1)])).toThrow("peer 'b' is at 10.0.0.1:7700");
  expect(() => change([], [peer("a", 1)], { taken: ["10.0.0.1:7700"] })).toThrow("where this host has another agent");
  expect(() => change([], [peer("a", 1, { key: undefined })])).toThrow("peer 'a' is new, and needs a key");
  expect(() =>
    change(
      [],
      Array.from({ length: 17 }, (_, i) => peer(`p${i}`, i + 1)),
    ),
  ).toThrow("17 peers are too many");
});
