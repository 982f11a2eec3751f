// Reads addresses of a configuration, as people write them: 192.0.2.1, 2001:db8::1, ::ffff:192.0.2.1.

const DOT: i32 = 46;
const COLON: i32 = 58;
/** ::ffff:0:0/96, where IPv4 addresses lie. */
const MAPPED: u64 = 0xffff_0000_0000;

/** Two 64-bit words in host order, as Flow has them: IPv4 in its mapped form. */
@final
export class Address {
  /** 4 or 6. */
  family: u32 = 0;
  high: u64 = 0;
  low: u64 = 0;

  get isUnspecified(): bool {
    return this.family == 4 ? (<u32>this.low) >>> 24 == 0 : (this.high | this.low) == 0;
  }
  get isLoopback(): bool {
    return this.family == 4 ? (<u32>this.low) >>> 24 == 127 : this.high == 0 && this.low == 1;
  }
  /** Broadcast and the reserved addresses from 240.0.0.0 on too. */
  get isMulticast(): bool {
    return this.family == 4 ? (<u32>this.low) >>> 24 >= 224 : this.high >> 56 == 0xff;
  }
}

/** The text up to `end`. False, with nothing of use in `to`, if that is no address. Allocates nothing. */
export function parseAddress(text: string, to: Address, end: i32 = text.length): bool {
  if (text.includes(":")) return parseIpv6(text, end, to);
  const v4 = parseIpv4(text, 0, end);
  if (v4 < 0) return false;
  to.family = 4;
  to.high = 0;
  to.low = MAPPED | (<u64>v4);
  return true;
}

/** What stands from `at` to `end` as a.b.c.d, or -1. */
function parseIpv4(text: string, at: i32, end: i32): i64 {
  let value: i64 = 0;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at >= end || text.charCodeAt(at++) != DOT)) return -1;
    const start = at;
    let byte = 0;
    while (at < end && at - start < 3 && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) byte = byte * 10 + text.charCodeAt(at++) - 48;
    if (at == start || byte > 255 || (at - start > 1 && text.charCodeAt(start) == 48)) return -1; // 010 would be octal elsewhere
    value = (value << 8) | (<i64>byte);
  }
  return at == end ? value : -1;
}

function parseIpv6(text: string, end: i32, to: Address): bool {
  // The words so far, the last in the lowest bits; at "::" those before it move to front, and words begin anew.
  let high: u64 = 0;
  let low: u64 = 0;
  let frontHigh: u64 = 0;
  let frontLow: u64 = 0;
  let count = 0;
  let gap = -1;
  let at = 0;
  if (text.startsWith("::")) {
    gap = 0;
    at = 2;
  }
  while (at < end) {
    if (isDotted(text, at, end)) {
      const v4 = parseIpv4(text, at, end);
      if (v4 < 0 || count > 6) return false;
      high = (high << 32) | (low >> 32);
      low = (low << 32) | (<u64>v4);
      count += 2;
      break;
    }
    const start = at;
    let word: u64 = 0;
    for (let digit = 0; at < end && at - start < 4 && (digit = hexDigit(text.charCodeAt(at))) >= 0; at++) word = (word << 4) | (<u64>digit);
    if (at == start || count == 8) return false;
    high = (high << 16) | (low >> 48);
    low = (low << 16) | word;
    count++;
    if (at == end) break;
    if (text.charCodeAt(at++) != COLON || at == end) return false;
    if (text.charCodeAt(at) != COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    frontHigh = high;
    frontLow = low;
    high = 0;
    low = 0;
    at++;
  }
  if (gap < 0 ? count != 8 : count > 7) return false;
  if (gap > 0) {
    const bits = (<u64>(8 - gap)) << 4; // 16 to 112
    high |= bits >= 64 ? frontLow << (bits - 64) : (frontHigh << bits) | (frontLow >> (64 - bits));
    low |= bits >= 64 ? 0 : frontLow << bits;
  }
  to.family = 6;
  to.high = high;
  to.low = low;
  return true;
}

/** True when the text goes on with a number and a dot. */
function isDotted(text: string, at: i32, end: i32): bool {
  while (at < end && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at++;
  return at < end && text.charCodeAt(at) == DOT;
}

function hexDigit(c: i32): i32 {
  return c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : -1;
}
