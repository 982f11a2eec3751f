// Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4): a table of M slots, each with a backend. A flow's hash picks the slot.
//
// Every backend has a permutation of the slots of its own, from its address and port alone, and in turns each takes the first slot of
// it that is still free. So all get equal parts, and when a backend goes, few slots besides its own change hands. With weights a
// backend takes part in weight / heaviest of the turns. The order of turns is that of addresses, not of the configuration.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const OFFSET_SEED: u64 = 0x6f66_6673_6574;
const SKIP_SEED: u64 = 0x736b_6970;

/** One 64-bit word more in a hash: the finalizer of splitmix64. */
export function hashWord(hash: u64, word: u64): u64 {
  let z = (hash ^ word) + GOLDEN;
  z = (z ^ (z >> 30)) * 0xbf58_476d_1ce4_e5b9;
  z = (z ^ (z >> 27)) * 0x94d0_49bb_1331_11eb;
  return z ^ (z >> 31);
}

/** A backend that gets new flows. */
@final
export class Member {
  high: u64 = 0;
  low: u64 = 0;
  port: u32 = 0;
  weight: u32 = 0;
  number: u32 = 0; // in the configuration, from 1
  // While the table is made.
  next: u32 = 0; // the slot to try next
  skip: u32 = 0;

  /** Order by address and port. */
  isBefore(other: Member): bool {
    if (this.high != other.high) return this.high < other.high;
    if (this.low != other.low) return this.low < other.low;
    return this.port < other.port;
  }
}

const FREE: u16 = 0xffff;
export const MEMBERS_MAX: i32 = 1024;
// Most turns of a light member among heavy ones are waits: what they touch lies close together.
let credits: StaticArray<u32> = new StaticArray<u32>(MEMBERS_MAX);
let weights: StaticArray<u32> = new StaticArray<u32>(MEMBERS_MAX);

/** Fills the table; there are 1 to MEMBERS_MAX members, and they are in order. `size`, its length, is a prime. */
export function fillTable(table: StaticArray<u16>, members: StaticArray<Member>, count: u32): void {
  const size = <u32>table.length;
  let heaviest: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const m = members[i];
    heaviest = max(heaviest, m.weight);
    credits[i] = 0;
    weights[i] = m.weight;
    m.next = <u32>(hashWord(hashWord(hashWord(OFFSET_SEED, m.high), m.low), <u64>m.port) % <u64>size);
    m.skip = <u32>(hashWord(hashWord(hashWord(SKIP_SEED, m.high), m.low), <u64>m.port) % <u64>(size - 1)) + 1;
  }
  memory.fill(changetype<usize>(table), 0xff, (<usize>size) << 1);
  for (let filled: u32 = 0; filled < size;) {
    for (let i: u32 = 0; i < count && filled < size; i++) {
      const credit = unchecked(credits[i]) + unchecked(weights[i]);
      unchecked((credits[i] = credit < heaviest ? credit : credit - heaviest));
      if (credit < heaviest) continue;
      const m = unchecked(members[i]);
      let slot = m.next;
      while (unchecked(table[slot]) != FREE) slot = after(slot, m.skip, size);
      unchecked((table[slot] = <u16>i));
      m.next = after(slot, m.skip, size);
      filled++;
    }
  }
}

@inline
function after(slot: u32, skip: u32, size: u32): u32 {
  const next = slot + skip;
  return next >= size ? next - size : next;
}

export function isPrime(n: u32): bool {
  if (n < 2) return false;
  for (let d: u32 = 2; d * d <= n; d++) if (n % d == 0) return false;
  return true;
}
