/**
 * Looks through the bytes of a MessagePack message before anything is made of them, and says what is wrong.
 *
 * A decoder makes objects as it goes: a frame of a few megabytes can stand for a hundred times its size, nest so deeply that the stack ends, or, with
 * msgpackr's extensions, define classes of objects from which it generates code. Here one pass over the bytes, without recursion, counts what would come
 * into being. What passes is a JSON-like value: null, booleans, finite numbers, well-formed text, bytes, arrays, and maps with text for keys.
 */
import { isUtf8 } from "node:buffer";

export interface MessageBounds {
  /** Values of all kinds, keys included. */
  readonly values: number;
  /** Arrays and maps within each other. */
  readonly depth: number;
  /** Integers of 64 bits, which become a bigint. Our own end writes none unless it is given a bigint: numbers above 32 bits go as doubles. */
  readonly bigInts: boolean;
}

/** Bytes behind the tokens that always have as many. */
const FIXED: Readonly<Record<number, number>> = { 0xc0: 0, 0xc2: 0, 0xc3: 0, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xd0: 1, 0xd1: 2, 0xd2: 4 };

/** An assignment to it changes an object instead of its fields. */
const FORBIDDEN_KEY = Buffer.from("__proto__");

const CUT = "it ends in the middle of a value";

/** Why these bytes are no message within the bounds, or undefined. */
export function whyNotMessage(bytes: Buffer, bounds: MessageBounds): string | undefined {
  /** Values that each container around the present place still lacks, times two, plus one if it is a map. */
  const open: number[] = [];
  let at = 0;
  let values = 0;
  do {
    values += 1;
    if (values > bounds.values) return `it has more than ${bounds.values} values`;
    if (at >= bytes.length) return CUT;
    const isKey = open.length > 0 && isMapKey(open[open.length - 1]!);
    const head = readHead(bytes, at);
    if (typeof head === "string") return head;
    const { kind, next, length } = head;
    if (isKey && kind !== "text") return "a key of a map is no text";
    at = next;
    if (open.length > 0) open[open.length - 1]! -= 2;
    if (kind === "array" || kind === "map") {
      const inside = kind === "map" ? 2 * length : length;
      // Each takes a byte at the least, so what is announced and cannot be there is found before anything is reserved for it.
      if (inside > bytes.length - at) return CUT;
      open.push(inside * 2 + (kind === "map" ? 1 : 0));
      if (open.length > bounds.depth) return `it nests more than ${bounds.depth} deep`;
    } else if (kind === "text" || kind === "bytes") {
      if (length > bytes.length - at) return CUT;
      if (kind === "text") {
        if (!isAscii(bytes, at, at + length) && !isUtf8(bytes.subarray(at, at + length))) return "a text is no UTF-8";
        if (isKey && length === FORBIDDEN_KEY.length && FORBIDDEN_KEY.equals(bytes.subarray(at, at + length))) return "a key is '__proto__'";
      }
      at += length;
    } else if (kind === "double" && !Number.isFinite(length)) return "a number is not finite";
    else if (kind === "big" && !bounds.bigInts) return "an integer has 64 bits";
    while (open.length > 0 && open[open.length - 1]! < 2) open.pop();
  } while (open.length > 0);
  return at === bytes.length ? undefined : "something follows it";
}

/** A map's keys and values take turns, and as many of both are lacking before a key. */
const isMapKey = (lacking: number): boolean => (lacking & 1) === 1 && ((lacking >>> 1) & 1) === 0;

interface Head {
  readonly kind: "plain" | "text" | "bytes" | "array" | "map" | "double" | "big";
  /** Where the content begins, or, without content, the next value. */
  readonly next: number;
  /** Bytes, elements or pairs; of a floating-point number, itself. */
  readonly length: number;
}

function readHead(bytes: Buffer, at: number): Head | string {
  const token = bytes[at]!;
  if (token < 0x80 || token >= 0xe0) return { kind: "plain", next: at + 1, length: 0 };
  if (token < 0x90) return { kind: "map", next: at + 1, length: token & 0x0f };
  if (token < 0xa0) return { kind: "array", next: at + 1, length: token & 0x0f };
  if (token < 0xc0) return { kind: "text", next: at + 1, length: token & 0x1f };
  const fixed = FIXED[token];
  if (fixed !== undefined) return at + 1 + fixed > bytes.length ? CUT : { kind: "plain", next: at + 1 + fixed, length: 0 };
  switch (token) {
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return sized(bytes, at, "bytes", 1 << (token - 0xc4));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return sized(bytes, at, "text", 1 << (token - 0xd9));
    case 0xdc:
    case 0xdd:
      return sized(bytes, at, "array", 2 << (token - 0xdc));
    case 0xde:
    case 0xdf:
      return sized(bytes, at, "map", 2 << (token - 0xde));
    case 0xca:
      return at + 5 > bytes.length ? CUT : { kind: "double", next: at + 5, length: bytes.readFloatBE(at + 1) };
    case 0xcb:
      return at + 9 > bytes.length ? CUT : { kind: "double", next: at + 9, length: bytes.readDoubleBE(at + 1) };
    case 0xcf:
    case 0xd3:
      return at + 9 > bytes.length ? CUT : { kind: "big", next: at + 9, length: 0 };
    default:
      return "it has an extension, or a byte that means nothing";
  }
}

function sized(bytes: Buffer, at: number, kind: Head["kind"], width: number): Head | string {
  const next = at + 1 + width;
  return next > bytes.length ? CUT : { kind, next, length: bytes.readUIntBE(at + 1, width) };
}

function isAscii(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i]! >= 0x80) return false;
  return true;
}
