// A set of prefixes of 128-bit addresses (IPv4 in its mapped form): a binary trie without nodes that only lead on (a path-compressed
// trie). A lookup walks from short prefixes to long ones and meets every prefix that holds the address, at most one per length.
import { arena } from "./arena";

export const NODE_BYTES: usize = 40;

@unmanaged
@final
export class Node {
  high: u64; // the prefix; bits behind its length are zero
  low: u64;
  length: u32;
  best: u32; // lowest rule number in this node and below it
  zero: usize; // node of longer prefixes whose next bit is 0
  one: usize;
  value: usize; // what hangs on this prefix; 0 for a node that was only made to branch
}

/** Leading bits that two addresses have in common. */
@inline
export function commonBits(aHigh: u64, aLow: u64, bHigh: u64, bLow: u64): u32 {
  return aHigh == bHigh ? 64 + <u32>clz(aLow ^ bLow) : <u32>clz(aHigh ^ bHigh);
}

/** Bit i, from the left; i below 128. */
@inline
export function bitOf(high: u64, low: u64, i: u32): u32 {
  return <u32>((i < 64 ? high >> (63 - <u64>i) : low >> (127 - <u64>i)) & 1);
}

@inline
function childCell(n: Node, high: u64, low: u64): usize {
  return changetype<usize>(n) + (bitOf(high, low, n.length) ? offsetof<Node>("one") : offsetof<Node>("zero"));
}

function newNode(high: u64, low: u64, length: u32, best: u32): Node {
  const n = changetype<Node>(arena(NODE_BYTES));
  n.high = length == 0 ? 0 : length >= 64 ? high : high & (u64.MAX_VALUE << (64 - <u64>length));
  n.low = length <= 64 ? 0 : length == 128 ? low : low & (u64.MAX_VALUE << (128 - <u64>length));
  n.length = length;
  n.best = best;
  return n;
}

/** The node of a prefix, made if need be, in the trie whose root is in `cell`. Makes two nodes at most. Rules must come in order. */
export function trieInsert(root: usize, high: u64, low: u64, length: u32, rule: u32): Node {
  let cell = root;
  while (true) {
    const at = load<usize>(cell);
    if (at == 0) {
      const leaf = newNode(high, low, length, rule);
      store<usize>(cell, changetype<usize>(leaf));
      return leaf;
    }
    const n = changetype<Node>(at);
    const common = min<u32>(commonBits(n.high, n.low, high, low), min<u32>(n.length, length));
    if (common == n.length) {
      if (n.length == length) return n;
      cell = childCell(n, high, low);
      continue;
    }
    const above = newNode(high, low, common, n.best);
    store<usize>(childCell(above, n.high, n.low), at);
    store<usize>(cell, changetype<usize>(above));
    if (common == length) return above;
    cell = childCell(above, high, low);
  }
}
