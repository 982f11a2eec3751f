// Reads the configuration's MessagePack for the decoders that the compiler writes, one for each @config class.
//
// An object is an array of its fields in the order of the class; nil keeps the field's default. Every read is checked against the
// end of the bytes, against the field's type and range, and against the heap; the first breach sets `failure`, after which reads
// give zeros, so that the decoder runs to its end and configure returns the code. Bad bytes never trap.
import { CONFIG_AREA, CONFIG_BYTES_MAX } from "./abi";

/** What configure returns when the bytes are no configuration of this NF. */
export namespace ConfigFailure {
  export const MALFORMED: u32 = 0xffff0001;
  export const TYPE: u32 = 0xffff0002;
  export const RANGE: u32 = 0xffff0003;
  export const HEAP: u32 = 0xffff0004;
}

let at: usize = 0;
let end: usize = 0;
let failure: u32 = 0;

export function configBegin(start: u32, length: u32): void {
  at = <usize>start;
  end = <usize>start + <usize>length;
  failure = 0;
  if (<usize>start != CONFIG_AREA || length > CONFIG_BYTES_MAX) {
    end = at;
    failure = ConfigFailure.MALFORMED;
  }
}

/** 0 when all was well and all bytes were used. */
export function configEnd(): u32 {
  if (failure == 0 && at != end) failure = ConfigFailure.MALFORMED;
  return failure;
}

export function configFailed(): bool {
  return failure != 0;
}

export function configFail(code: u32): void {
  if (failure == 0) failure = code;
  at = end;
}

function has(bytes: u32): bool {
  if (failure == 0 && <u64>end - <u64>at >= <u64>bytes) return true;
  configFail(ConfigFailure.MALFORMED);
  return false;
}

function big(bytes: u32): u64 {
  if (!has(bytes)) return 0;
  let value: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) value = (value << 8) | (<u64>load<u8>(at + <usize>i));
  at += <usize>bytes;
  return value;
}

/** The next byte, not consumed; 0xc1, which MessagePack never uses, at the end. */
function peek(): u32 {
  return failure == 0 && at < end ? <u32>load<u8>(at) : 0xc1;
}

/** Consumes a nil, if there is one. */
export function configNil(): bool {
  if (peek() != 0xc0) return false;
  at += 1;
  return true;
}

/** What an object may take besides its fields: headers, and what its fields are until they are read. */
export const CONFIG_SLACK: u64 = 4096;

/** Room on the heap for `bytes` more, so that a large configuration is refused instead of running out. */
export function configRoom(bytes: u64): bool {
  if (failure != 0) return false;
  // The allocator hands out addresses in order and never frees: an empty block tells where it is.
  const block = heap.alloc(0);
  const next = <u64>block;
  heap.free(block);
  if (next + bytes + 64 <= (<u64>memory.size()) << 16) return true;
  configFail(ConfigFailure.HEAP);
  return false;
}

export function configBool(): bool {
  const head = peek();
  if (head == 0xc2 || head == 0xc3) {
    at += 1;
    return head == 0xc3;
  }
  configFail(ConfigFailure.TYPE);
  return false;
}

export function configUnsigned(low: u64, high: u64): u64 {
  const head = peek();
  let value: u64 = 0;
  if (head < 0x80) {
    at += 1;
    value = <u64>head;
  } else if (head >= 0xcc && head <= 0xcf) {
    at += 1;
    value = big(1 << (head - 0xcc));
  } else if (head >= 0xd0 && head <= 0xd3) {
    // Encoders write what fits a signed number as one.
    const signed = configSigned(i64.MIN_VALUE, i64.MAX_VALUE);
    if (signed < 0) configFail(ConfigFailure.RANGE);
    value = <u64>signed;
  } else {
    configFail(ConfigFailure.TYPE);
  }
  if (failure == 0 && (value < low || value > high)) configFail(ConfigFailure.RANGE);
  return failure == 0 ? value : low;
}

export function configSigned(low: i64, high: i64): i64 {
  const head = peek();
  let value: i64 = 0;
  if (head < 0x80) {
    at += 1;
    value = <i64>head;
  } else if (head >= 0xe0) {
    at += 1;
    value = <i64>head - 256;
  } else if (head >= 0xd0 && head <= 0xd3) {
    at += 1;
    const bytes = 1 << (head - 0xd0);
    const shift = <u64>(64 - (bytes << 3));
    value = (<i64>(big(bytes) << shift)) >> (<i64>shift);
  } else if (head >= 0xcc && head <= 0xcf) {
    at += 1;
    const unsigned = big(1 << (head - 0xcc));
    if (unsigned > <u64>i64.MAX_VALUE) configFail(ConfigFailure.RANGE);
    value = <i64>unsigned;
  } else {
    configFail(ConfigFailure.TYPE);
  }
  if (failure == 0 && (value < low || value > high)) configFail(ConfigFailure.RANGE);
  return failure == 0 ? value : low;
}

export function configFloat(low: f64, high: f64): f64 {
  const head = peek();
  let value: f64 = 0;
  if (head == 0xca) {
    at += 1;
    value = <f64>reinterpret<f32>(<u32>big(4));
  } else if (head == 0xcb) {
    at += 1;
    value = reinterpret<f64>(big(8));
  } else if (head < 0x80 || (head >= 0xcc && head <= 0xcf)) {
    value = <f64>configUnsigned(0, u64.MAX_VALUE);
  } else {
    value = <f64>configSigned(i64.MIN_VALUE, i64.MAX_VALUE);
  }
  if (failure == 0 && !(value >= low && value <= high)) configFail(ConfigFailure.RANGE);
  return failure == 0 ? value : low;
}

/** Elements of an array: at most `most`, and never more than there are bytes left. */
export function configArray(most: u32): u32 {
  const head = peek();
  let count: u32 = 0;
  if ((head & 0xf0) == 0x90) {
    at += 1;
    count = head & 15;
  } else if (head == 0xdc || head == 0xdd) {
    at += 1;
    count = <u32>big(head == 0xdc ? 2 : 4);
  } else {
    configFail(ConfigFailure.TYPE);
  }
  if (count > most) configFail(ConfigFailure.TYPE);
  else if (<u64>count > <u64>end - <u64>at) configFail(ConfigFailure.MALFORMED);
  return failure == 0 ? count : 0;
}

/** UTF-8; a malformed sequence is refused. */
export function configString(): string {
  const head = peek();
  let bytes: u32 = 0;
  if ((head & 0xe0) == 0xa0) {
    at += 1;
    bytes = head & 31;
  } else if (head >= 0xd9 && head <= 0xdb) {
    at += 1;
    bytes = <u32>big(1 << (head - 0xd9));
  } else {
    configFail(ConfigFailure.TYPE);
  }
  if (!has(bytes)) return "";
  const units = utf8Units(at, bytes);
  if (units == u32.MAX_VALUE) {
    configFail(ConfigFailure.MALFORMED);
    return "";
  }
  if (!configRoom(((<u64>units) << 1) + 32)) return "";
  const text = String.UTF8.decodeUnsafe(at, <usize>bytes);
  at += <usize>bytes;
  return text;
}

/** UTF-16 units of a UTF-8 text; u32.MAX_VALUE if it is none. */
function utf8Units(start: usize, bytes: u32): u32 {
  let units: u32 = 0;
  for (let i: u32 = 0; i < bytes;) {
    const lead = <u32>load<u8>(start + <usize>i);
    const more: u32 = lead < 0x80 ? 0 : (lead & 0xe0) == 0xc0 ? 1 : (lead & 0xf0) == 0xe0 ? 2 : (lead & 0xf8) == 0xf0 ? 3 : 4;
    if (more == 4 || i + more >= bytes) return u32.MAX_VALUE;
    let code: u32 = more == 0 ? lead : lead & (0x3f >> more);
    for (let k: u32 = 1; k <= more; k++) {
      const next = <u32>load<u8>(start + <usize>(i + k));
      if ((next & 0xc0) != 0x80) return u32.MAX_VALUE;
      code = (code << 6) | (next & 0x3f);
    }
    const least: u32 = more == 0 ? 0 : more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return u32.MAX_VALUE;
    units += more == 3 ? 2 : 1;
    i += more + 1;
  }
  return units;
}
