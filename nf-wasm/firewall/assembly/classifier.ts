// The compiled rules: which is the first that matches a flow?
//
// A trie of `to` prefixes per IP version; on each of its nodes a trie of the `from` prefixes of rules with that `to`; on each of
// their nodes a *pair*: the rules of these two prefixes. Within a pair, rules that agree in protocol, side and source ports share a
// port table, found in one hash table of all pairs. Source port ranges are cut into blocks of a power of two, so that they can be
// looked up by their leading bits.
//
// A lookup visits only prefixes that hold the flow's addresses, and only those that may still have an earlier rule than the one
// found (`best`). With N rules: memory O(N), not its square; time O(T × F × log N), where T and F are how deeply `to` and `from`
// prefixes of the rules are nested around the addresses (129 at most, in practice 2 to 5). Rules without `from` and `to` are a pair
// of their own that every flow is matched with.
import { arena, arenaLeft } from "./arena";
import { NODE_BYTES, Node, bitOf, commonBits, trieInsert } from "./prefix_trie";
import { NO_RULE, PALETTE_BYTES, PortTable, RANGE_BYTES, TABLE_BYTES, addRange, newPalette, paint, paintedBytes, ruleOf } from "./port_table";

/** In place of a protocol: any; any that has ports. */
export const ANY_PROTOCOL: u32 = 256;
export const PROTOCOL_WITH_PORTS: u32 = 257;
export const ANY_SIDE: u32 = 2;

/** One rule with all its texts read, or what is looked for. */
@unmanaged
@final
export class Match {
  fromHigh: u64;
  fromLow: u64;
  toHigh: u64;
  toLow: u64;
  fromLength: u32;
  toLength: u32;
  family: u32; // 4, 6; 0 = both: no prefix is given
  protocol: u32;
  side: u32;
  fromPort: u32; // of what is looked for
  port: u32; // the same; of ICMP type × 256 + code
}
export const MATCH_BYTES: usize = 64;

/** The rules of two prefixes. */
@unmanaged
@final
class Pair {
  id: u32;
  best: u32;
  lengths: u32; // bit n: there are source port blocks of n leading bits
  kinds: u32; // bit protocol kind × 2 + (1 if any side): which tables there are at all
}
const PAIR_BYTES: usize = 16;

/** An entry of the hash table. */
@unmanaged
@final
class Slot {
  key: u64; // 0 = free
  table: usize;
  reserved: u32;
}
const SLOT_BYTES: usize = 16;

/** Everything of one configuration. */
@unmanaged
@final
export class Classifier {
  to4: usize; // roots of the tries
  to6: usize;
  both: usize; // the pair of rules without prefixes
  pairs: u32;
  slots: usize;
  slotMask: u32;
  tables: u32;
  lastTable: usize;
}
const CLASSIFIER_BYTES: usize = 64;

@inline
function hash(key: u64): u32 {
  const mixed = (key ^ (key >> 32)) * 0x9e3779b97f4a7c15;
  return (<u32>(mixed >> 32)) ^ (<u32>(mixed >> 57));
}

@inline
function keyOf(pair: u32, protocol: u32, side: u32, length: u32, block: u32): u64 {
  return ((<u64>pair) << 32) | (<u64>((protocol << 23) | (side << 21) | (length << 16) | block));
}

export function newClassifier(): Classifier {
  const c = changetype<Classifier>(arena(CLASSIFIER_BYTES));
  c.both = newPair(c, NO_RULE);
  c.slotMask = 63;
  c.slots = arena(64 * SLOT_BYTES);
  return c;
}

function newPair(c: Classifier, rule: u32): usize {
  const pair = changetype<Pair>(arena(PAIR_BYTES));
  c.pairs += 1;
  pair.id = c.pairs;
  pair.best = rule;
  return changetype<usize>(pair);
}

/** True when there is room for one rule of so many port ranges and source port blocks, and for the painting of all. */
export function classifierHasRoom(c: Classifier, ranges: u32, blocks: u32): bool {
  const tables = <u64>blocks;
  let need = <u64>NODE_BYTES * 4 + PAIR_BYTES + tables * (TABLE_BYTES + 8) + tables * ranges * (RANGE_BYTES + paintedBytes(1));
  if (<u64>(c.tables + blocks) * 2 > <u64>c.slotMask) need += (<u64>c.slotMask + 1 + tables * 2) * 2 * 2 * SLOT_BYTES;
  return need + <u64>c.tables * 40 + PALETTE_BYTES + 64 <= <u64>arenaLeft();
}

/** The pair that a rule's prefixes lead to. */
export function pairOf(c: Classifier, m: Match, rule: u32): usize {
  if (m.family == 0) {
    const both = changetype<Pair>(c.both);
    both.best = min<u32>(both.best, rule);
    return c.both;
  }
  const root = changetype<usize>(c) + (m.family == 4 ? offsetof<Classifier>("to4") : offsetof<Classifier>("to6"));
  const to = trieInsert(root, m.toHigh, m.toLow, m.toLength, rule);
  const from = trieInsert(changetype<usize>(to) + offsetof<Node>("value"), m.fromHigh, m.fromLow, m.fromLength, rule);
  if (from.value == 0) from.value = newPair(c, rule);
  return from.value;
}

function find(c: Classifier, key: u64): Slot {
  let i = hash(key) & c.slotMask;
  while (true) {
    const slot = changetype<Slot>(c.slots + <usize>i * SLOT_BYTES);
    if (slot.key == key || slot.key == 0) return slot;
    i = (i + 1) & c.slotMask;
  }
}

function grow(c: Classifier): void {
  const old = c.slots;
  const count = c.slotMask + 1;
  c.slotMask = count * 2 - 1;
  c.slots = arena(<usize>count * 2 * SLOT_BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const slot = changetype<Slot>(old + <usize>i * SLOT_BYTES);
    if (slot.key == 0) continue;
    const to = find(c, slot.key);
    to.key = slot.key;
    to.table = slot.table;
  }
}

function kindOf(protocol: u32, side: u32): u32 {
  const kind: u32 = protocol == ANY_PROTOCOL ? 1 : protocol == PROTOCOL_WITH_PORTS ? 2 : 0;
  return kind * 2 + (side == ANY_SIDE ? 1 : 0);
}

/** Adds ports low to high of the rule, for source ports whose first `length` bits are those of `block`. */
export function addPorts(c: Classifier, m: Match, at: usize, length: u32, block: u32, low: u32, high: u32, rule: u32): void {
  const pair = changetype<Pair>(at);
  pair.lengths |= 1 << length;
  pair.kinds |= 1 << kindOf(m.protocol, m.side);
  const key = keyOf(pair.id, m.protocol, m.side, length, block);
  let slot = find(c, key);
  if (slot.key == 0) {
    c.tables += 1;
    if (c.tables * 2 > c.slotMask) {
      grow(c);
      slot = find(c, key);
    }
    const table = changetype<PortTable>(arena(TABLE_BYTES));
    table.best = rule;
    table.next = c.lastTable;
    c.lastTable = changetype<usize>(table);
    slot.key = key;
    slot.table = changetype<usize>(table);
  }
  addRange(changetype<PortTable>(slot.table), low, high, rule);
}

/** When all rules are in. */
export function finish(c: Classifier): void {
  const palette = newPalette();
  for (let at = c.lastTable; at != 0; at = changetype<PortTable>(at).next) paint(changetype<PortTable>(at), palette);
}

@inline
function inTable(c: Classifier, key: u64, port: u32, best: u32): u32 {
  const slot = find(c, key);
  if (slot.key == 0) return best;
  const table = changetype<PortTable>(slot.table);
  return table.best < best ? min<u32>(best, ruleOf(table, port)) : best;
}

/** The lower of `best` and the first matching rule of a pair. */
function inPair(c: Classifier, at: usize, m: Match, withPorts: bool, best: u32): u32 {
  const pair = changetype<Pair>(at);
  if (pair.best >= best) return best;
  const kinds = pair.kinds;
  for (let lengths = pair.lengths; lengths != 0; lengths &= lengths - 1) {
    const length = ctz(lengths);
    const block = (m.fromPort >>> (16 - length)) << (16 - length);
    if (kinds & 1) best = inTable(c, keyOf(pair.id, m.protocol, m.side, length, block), m.port, best);
    if (kinds & 2) best = inTable(c, keyOf(pair.id, m.protocol, ANY_SIDE, length, block), m.port, best);
    if (kinds & 4) best = inTable(c, keyOf(pair.id, ANY_PROTOCOL, m.side, length, block), m.port, best);
    if (kinds & 8) best = inTable(c, keyOf(pair.id, ANY_PROTOCOL, ANY_SIDE, length, block), m.port, best);
    if (!withPorts) continue;
    if (kinds & 16) best = inTable(c, keyOf(pair.id, PROTOCOL_WITH_PORTS, m.side, length, block), m.port, best);
    if (kinds & 32) best = inTable(c, keyOf(pair.id, PROTOCOL_WITH_PORTS, ANY_SIDE, length, block), m.port, best);
  }
  return best;
}

/** The same of a trie of `from` prefixes. */
function inFrom(c: Classifier, root: usize, m: Match, withPorts: bool, best: u32): u32 {
  for (let at = root; at != 0;) {
    const n = changetype<Node>(at);
    if (n.best >= best || commonBits(n.high, n.low, m.fromHigh, m.fromLow) < n.length) break;
    if (n.value != 0) best = inPair(c, n.value, m, withPorts, best);
    if (n.length == 128) break;
    at = bitOf(m.fromHigh, m.fromLow, n.length) ? n.one : n.zero;
  }
  return best;
}

/** True for protocols whose flows have ports of their own. */
@inline
export function hasPorts(protocol: u32): bool {
  return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
}

/** Number of the first rule (from 0) that matches, or NO_RULE. */
export function firstMatch(c: Classifier, m: Match): u32 {
  const withPorts = hasPorts(m.protocol);
  let best = inPair(c, c.both, m, withPorts, NO_RULE);
  for (let at = m.family == 4 ? c.to4 : c.to6; at != 0;) {
    const n = changetype<Node>(at);
    if (n.best >= best || commonBits(n.high, n.low, m.toHigh, m.toLow) < n.length) break;
    if (n.value != 0) best = inFrom(c, n.value, m, withPorts, best);
    if (n.length == 128) break;
    at = bitOf(m.toHigh, m.toLow, n.length) ? n.one : n.zero;
  }
  return best;
}
