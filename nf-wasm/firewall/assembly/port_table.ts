// Port ranges of rules that agree in all else: a sorted list of intervals, each with the first rule that holds it.
//
// While rules are read, ranges hang in a list. Then each list is painted: rules in order take what is still free of their range, so
// that a lookup is one binary search, and memory is at most two intervals per range.
import { arena } from "./arena";

export const NO_RULE: u32 = 0xffffffff;
export const RANGE_BYTES: usize = 16;
export const TABLE_BYTES: usize = 24;

/** A range while rules are read. */
@unmanaged
@final
class Range {
  next: usize; // the range before it
  rule: u32;
  low: u32;
  high: u32;
}

@unmanaged
@final
export class PortTable {
  best: u32; // the lowest rule number
  count: u32; // ranges, then intervals
  starts: usize; // first port of each interval (u32)
  rules: usize; // rule of each interval (u32)
  ranges: usize; // the last range added
  next: usize; // for whoever keeps tables in a list
}

export function addRange(t: PortTable, low: u32, high: u32, rule: u32): void {
  const range = changetype<Range>(arena(RANGE_BYTES));
  range.next = t.ranges;
  range.rule = rule;
  range.low = low;
  range.high = high;
  t.ranges = changetype<usize>(range);
  t.count += 1;
}

/** Room that paint needs for a table of n ranges. */
export function paintedBytes(n: u32): usize {
  return (<usize>n * 2 + 2) * 8 + 16;
}

/** Ports 0 to 65535 as bits, and words for the painting; made once. */
@unmanaged
@final
export class Palette {
  bits: usize; // 8 KiB: ports at which an interval begins
  free: usize; // u32 per interval: the next one that is not painted, or itself
}
export const PALETTE_BYTES: usize = 8 + 8192 + 65540 * 4;

export function newPalette(): Palette {
  const p = changetype<Palette>(arena(PALETTE_BYTES));
  p.bits = changetype<usize>(p) + 8;
  p.free = p.bits + 8192;
  return p;
}

function mark(bits: usize, port: u32): void {
  const at = bits + <usize>(port >> 3);
  store<u8>(at, <u8>((<u32>load<u8>(at)) | ((<u32>1) << (port & 7))));
}

/** Turns the list of ranges into intervals. */
export function paint(t: PortTable, palette: Palette): void {
  const bits = palette.bits;
  mark(bits, 0);
  for (let at = t.ranges; at != 0; at = changetype<Range>(at).next) {
    mark(bits, changetype<Range>(at).low);
    if (changetype<Range>(at).high < 65535) mark(bits, changetype<Range>(at).high + 1);
  }
  const most = t.count * 2 + 1;
  t.starts = arena(<usize>most * 4);
  t.rules = arena(<usize>most * 4);
  let n: u32 = 0;
  for (let word: u32 = 0; word < 1024; word++) {
    let rest = load<u64>(bits + ((<usize>word) << 3));
    if (rest == 0) continue;
    store<u64>(bits + ((<usize>word) << 3), 0); // clean for the next table
    for (; rest != 0; rest &= rest - 1) {
      store<u32>(t.starts + ((<usize>n) << 2), (word << 6) + <u32>ctz(rest));
      store<u32>(t.rules + ((<usize>n) << 2), NO_RULE);
      store<u32>(palette.free + ((<usize>n) << 2), n);
      n++;
    }
  }
  store<u32>(palette.free + ((<usize>n) << 2), n);
  t.count = n;
  for (let at = reversed(t.ranges); at != 0; at = changetype<Range>(at).next) paintOne(t, palette.free, changetype<Range>(at));
  t.ranges = 0;
}

/** The list was built from the end: rules in falling order. Turns it round in place. */
function reversed(list: usize): usize {
  let done: usize = 0;
  while (list != 0) {
    const range = changetype<Range>(list);
    const next = range.next;
    range.next = done;
    done = list;
    list = next;
  }
  return done;
}

function paintOne(t: PortTable, free: usize, range: Range): void {
  let i = nextFree(free, intervalOf(t, range.low));
  while (i < t.count && load<u32>(t.starts + ((<usize>i) << 2)) <= range.high) {
    store<u32>(t.rules + ((<usize>i) << 2), range.rule);
    store<u32>(free + ((<usize>i) << 2), i + 1);
    i = nextFree(free, i + 1);
  }
}

/** The first unpainted interval from i on, shortening the way for the next search. */
function nextFree(free: usize, i: u32): u32 {
  let to = i;
  while (load<u32>(free + ((<usize>to) << 2)) != to) to = load<u32>(free + ((<usize>to) << 2));
  while (i != to) {
    const next = load<u32>(free + ((<usize>i) << 2));
    store<u32>(free + ((<usize>i) << 2), to);
    i = next;
  }
  return to;
}

/** Index of the interval that holds a port. */
function intervalOf(t: PortTable, port: u32): u32 {
  let low: u32 = 0;
  for (let high = t.count; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (load<u32>(t.starts + ((<usize>middle) << 2)) <= port) low = middle;
    else high = middle;
  }
  return low;
}

/** The first rule that holds a port, or NO_RULE. */
export function ruleOf(t: PortTable, port: u32): u32 {
  return load<u32>(t.rules + ((<usize>intervalOf(t, port)) << 2));
}
