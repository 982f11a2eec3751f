// Memory of the compiled rules: all that the heap has left, handed out from below, never given back. Filled in configure only.
//
// One block without headers instead of many with them: a third of the memory, and whether there is room is one comparison.

let next: usize = 0;
let end: usize = 0;

/** Left to the heap, for the texts of errors. */
const REST: usize = 16_384;

/** Takes the rest of the heap. Its pages were never written, so they are zero. */
export function arenaBegin(): void {
  const left = ((<usize>memory.size()) << 16) - heap.alloc(0);
  if (left <= REST) return;
  next = (heap.alloc(left - REST) + 7) & ~7;
  end = next + left - REST - 32;
}

/** Bytes that are left. */
export function arenaLeft(): usize {
  return end - next;
}

/** Zero bytes, aligned to 8. The caller has asked arenaLeft before. */
export function arena(bytes: usize): usize {
  const at = next;
  next += (bytes + 7) & ~7;
  if (next > end) throw new RangeError("firewall: the rules need more memory than was reckoned");
  return at;
}
