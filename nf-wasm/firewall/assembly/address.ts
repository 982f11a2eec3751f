// Reads addresses and prefixes: 10.0.0.0/8, 10.1.2.3, 2001:db8::/32, ::1, ::ffff:10.0.0.1, any.
import { Text } from "./text";

@final
export class Prefix {
  family: u32 = 0; // 4 or 6; 0 = any
  high: u64 = 0;
  low: u64 = 0; // IPv4 in its mapped form
  length: u32 = 0; // of 128 bits, for IPv4 too
  words: StaticArray<u64> = new StaticArray<u64>(8); // while it is read
}

const SLASH: i32 = 47;
const DOT: i32 = 46;
const COLON: i32 = 58;
/** ::ffff:0:0/96, where IPv4 addresses lie. */
export const MAPPED: u64 = 0xffff_0000_0000;

/** a.b.c.d as a number, or -1. */
function ipv4(t: Text): i64 {
  let value: i64 = 0;
  for (let i = 0; i < 4; i++) {
    if (i > 0 && !t.take(DOT)) return -1;
    const start = t.at;
    const byte = t.decimal(255);
    if (byte < 0 || (t.at - start > 1 && t.text.charCodeAt(start) == 48)) return -1; // 010 would be octal elsewhere
    value = (value << 8) | (<i64>byte);
  }
  return value;
}

/** Puts word i (of eight) into the prefix. */
function putWord(p: Prefix, i: i32, word: u64): void {
  if (i < 4) p.high |= word << ((3 - i) * 16);
  else p.low |= word << ((7 - i) * 16);
}

/** True when the text goes on with a.b.c.d. */
function dotted(t: Text): bool {
  for (let i = t.at; i < t.text.length; i++) {
    const c = t.text.charCodeAt(i);
    if (c == DOT) return true;
    if (c < 48 || c > 57) return false;
  }
  return false;
}

/** Words of an IPv6 address, with at most one "::" among them. */
function ipv6(t: Text, p: Prefix): bool {
  const words = p.words;
  let count = 0;
  let gap = -1;
  if (t.take(COLON)) {
    if (!t.take(COLON)) return false;
    gap = 0;
  }
  while (!t.ended && t.next != SLASH) {
    if (count > 0 && gap != count && !t.take(COLON)) return false;
    if (count > 0 && gap != count && t.take(COLON)) {
      if (gap >= 0) return false;
      gap = count;
      continue;
    }
    if (count == 8) return false;
    if (dotted(t)) {
      const v4 = ipv4(t);
      if (v4 < 0 || count > 6) return false;
      words[count++] = <u64>(v4 >> 16);
      words[count++] = <u64>(v4 & 0xffff);
      break;
    }
    const word = t.hex();
    if (word < 0) return false;
    words[count++] = <u64>word;
  }
  if (gap < 0 ? count != 8 : count > 7) return false;
  for (let i = 0; i < count; i++) putWord(p, gap >= 0 && i >= gap ? i + 8 - count : i, words[i]);
  return true;
}

/** False if the text is no prefix. Bits behind the prefix length do not count. */
export function readPrefix(t: Text, text: string, p: Prefix): bool {
  p.family = 0;
  p.high = 0;
  p.low = 0;
  p.length = 0;
  if (text == "any" || text == "") return true;
  t.begin(text);
  const most: i32 = text.includes(":") ? 128 : 32;
  if (most == 32) {
    const v4 = ipv4(t);
    if (v4 < 0) return false;
    p.family = 4;
    p.low = MAPPED | (<u64>v4);
  } else {
    if (!ipv6(t, p)) return false;
    p.family = 6;
  }
  let length = most;
  if (t.take(SLASH)) length = t.decimal(most);
  if (length < 0 || !t.ended) return false;
  p.length = <u32>(length + 128 - most);
  return true;
}
