import { Packr } from "msgpackr";
import { Random } from "@nfactor/sdk/random";
import { NfError } from "@nfactor/sdk/errors";
import { expect, test } from "vitest";
import { type FrameFormat, FrameReader, frameOf } from "./frame.ts";

/** NF_FRAME_SEED gives a failing case back. */
const SEED = Number(process.env.NF_FRAME_SEED ?? 1);
const FORMAT: FrameFormat = { bytes: 64 * 1024, values: 2000, depth: 8, bigInts: false, code: "rpc.frame", on: "a test" };

/** What msgpackr writes by default: with extensions. */
const anything = new Packr({ moreTypes: true, structuredClone: true, useRecords: true });

function framed(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.set(body, 4);
  return frame;
}
const read = (frame: Uint8Array): unknown[] => new FrameReader(FORMAT).push(Buffer.from(frame));
const bytes = (...list: number[]): Buffer => Buffer.from(list);

function randomValue(random: Random, depth = 0): unknown {
  const kind = random.below(depth < 5 ? 12 : 9);
  switch (kind) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 1;
    case 2:
      return random.below(300) - 150;
    case 3:
      return (random.below(2 ** 26) - 2 ** 25) * 2 ** 26 + random.below(100);
    case 4:
      return random.below(1000) / 7;
    case 5:
      return "é€😀x"[Symbol.iterator]().next().value!.repeat(random.below(300));
    case 6:
      return Buffer.from(random.bytes(random.below(300))).toString("base64");
    case 7:
      return Buffer.from(random.bytes(random.below(70)));
    case 8:
      return "";
    case 9:
      return Array.from({ length: random.below(20) }, () => randomValue(random, depth + 1));
    default:
      return Object.fromEntries(Array.from({ length: random.below(20) }, (_, i) => [`k${i}`, randomValue(random, depth + 1)]));
  }
}

/** As many random values as fit into the bounds; the others are refused already where they are sent. */
function randomFrames(random: Random, count: number): { value: unknown; frame: Buffer }[] {
  const frames: { value: unknown; frame: Buffer }[] = [];
  while (frames.length < count) {
    const value = randomValue(random);
    try {
      frames.push({ value, frame: frameOf(value, FORMAT) });
    } catch (error) {
      expect(error).toMatchObject({ code: "rpc.frame" });
    }
  }
  return frames;
}

test(`values come back as they were, however the bytes are cut (seed ${SEED})`, () => {
  const random = new Random(SEED);
  for (let round = 0; round < 100; round++) {
    const frames = randomFrames(random, 1 + random.below(5));
    const all = Buffer.concat(frames.map(({ frame }) => frame));
    const reader = new FrameReader(FORMAT);
    const got: unknown[] = [];
    for (let at = 0; at < all.length;) {
      const end = Math.min(all.length, at + 1 + random.below(round % 2 === 0 ? 7 : 9000));
      got.push(...reader.push(Buffer.from(all.subarray(at, end))));
      at = end;
    }
    expect(got).toEqual(frames.map(({ value }) => value));
    expect(reader.pending).toBe(0);
  }
});

test(`random bytes, flipped bits and cut ends are values within the bounds, or refused (seed ${SEED})`, () => {
  const random = new Random(SEED);
  let [refused, taken] = [0, 0];
  const bounded = (value: unknown, depth = 0): number => {
    if (depth > FORMAT.depth) throw new Error("deeper than allowed");
    if (value === null || value instanceof Uint8Array || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return 1;
    const prototype = typeof value === "object" ? (Object.getPrototypeOf(value) as unknown) : undefined;
    if (prototype !== Object.prototype && prototype !== Array.prototype) throw new Error(`a ${typeof value} came out`);
    return Object.values(value as object).reduce((sum: number, one) => sum + bounded(one, depth + 1), 1);
  };
  for (let round = 0; round < 1500; round++) {
    let body: Buffer;
    if (round % 3 === 0) body = Buffer.from(random.bytes(random.below(60)));
    else {
      body = Buffer.from(randomFrames(random, 1)[0]!.frame.subarray(4));
      if (round % 3 === 1) body = body.subarray(0, random.below(body.length + 1));
      else for (let i = 0; i < 1 + random.below(4); i++) body[random.below(body.length)]! ^= 1 << random.below(8);
    }
    try {
      for (const value of read(framed(body))) expect(bounded(value) <= FORMAT.values).toBe(true);
      taken += 1;
    } catch (error) {
      if (!(error instanceof NfError)) throw error;
      expect(error.code).toBe("rpc.frame");
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(300);
  expect(taken).toBeGreaterThan(50);
});

test("what is announced and not there costs nothing", () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const token of [0xdc, 0xdd, 0xde, 0xdf, 0xc4, 0xc5, 0xc6, 0xd9, 0xda, 0xdb])
    expect(() => read(framed(bytes(token, 0xff, 0xff, 0xff, 0xff))), token.toString(16)).toThrow(/in the middle of a value/);
  // A frame of the greatest length of which one byte comes; and one of 4 GiB.
  const readers = Array.from({ length: 100 }, () => new FrameReader({ ...FORMAT, bytes: 1 << 30 }));
  for (const reader of readers) reader.push(bytes(0, 0, 0, 0x40, 0xc0));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  expect(() => read(bytes(0xff, 0xff, 0xff, 0xff))).toThrow(/4294967295 bytes/);
});

test("the longest frame passes and one byte more does not; a byte at a time takes no more room than its frame", () => {
  const value = Buffer.alloc(FORMAT.bytes - 3, 7);
  const frame = frameOf(value, FORMAT);
  const reader = new FrameReader(FORMAT);
  const got: unknown[] = [];
  for (const byte of frame) got.push(...reader.push(bytes(byte)));
  expect(got).toEqual([value]);
  expect(() => frameOf(Buffer.alloc(FORMAT.bytes), FORMAT)).toThrow(/too long/);
  expect(() => read(framed(Buffer.alloc(FORMAT.bytes + 1)))).toThrow(/65537 bytes/);
});

test("depth and number of values are bounded, exactly", () => {
  const nested = (depth: number): Buffer => framed(Buffer.concat([Buffer.alloc(depth - 1, 0x91), bytes(0x90)]));
  expect(read(nested(FORMAT.depth))).toHaveLength(1);
  expect(() => read(nested(FORMAT.depth + 1))).toThrow(/nests more than 8 deep/);
  expect(() => read(nested(60_000))).toThrow(/nests more than 8 deep/);
  expect(() => read(framed(Buffer.concat([Buffer.alloc(60_000, 0x81)])))).toThrow(/no text/);
  const list = (length: number): Buffer => framed(Buffer.concat([bytes(0xdc, length >> 8, length & 255), Buffer.alloc(length, 0xc0)]));
  expect(read(list(FORMAT.values - 1))[0]).toHaveLength(FORMAT.values - 1);
  expect(() => read(list(FORMAT.values))).toThrow(/more than 2000 values/);
});

test.each([
  ["an extension", anything.pack(new Date(0))],
  ["a set", anything.pack(new Set([1]))],
  ["an error", anything.pack(new TypeError("x"))],
  ["undefined", anything.pack(undefined)],
  ["a record's definition, from which msgpackr makes code", anything.pack([{ a: 1 }, { a: 2 }, { a: 3 }])],
  ["a value that refers to itself", anything.pack(((a: unknown[]) => (a.push(a), a))([]))],
  ["a bigint", anything.pack(1n << 60n)],
  ["not a number", anything.pack(NaN)],
  ["infinity", anything.pack(-Infinity)],
  ["infinity in 32 bits", bytes(0xca, 0x7f, 0x80, 0, 0)],
  ["the byte that is never used", bytes(0xc1)],
  ["a number as a key", bytes(0x81, 1, 2)],
  ["a list as a key", bytes(0x81, 0x90, 2)],
  ["a key that would change an object", Buffer.concat([bytes(0x81, 0xa9), Buffer.from("__proto__"), bytes(0x80)])],
  ["text that is no UTF-8", bytes(0xa2, 0xc3, 0x28)],
  ["half a surrogate pair", bytes(0xa3, 0xed, 0xa0, 0x80)],
  ["nothing", bytes()],
  ["two values", bytes(1, 2)],
])("%s is refused", (_, body) => {
  expect(() => read(framed(body))).toThrow(NfError);
});

test("what the other end would refuse is refused where it is sent", () => {
  const deep = (n: number): unknown => (n === 0 ? 0 : [deep(n - 1)]);
  for (const value of [NaN, [undefined], { a: 1n << 60n }, new Date(0), "\ud800", deep(9), Array.from({ length: 2000 }, () => 0)])
    expect(() => frameOf(value, FORMAT)).toThrow(NfError);
  expect(read(frameOf({ a: undefined, b: 1, constructor: 2 }, FORMAT))).toEqual([{ b: 1, constructor: 2 }]);
});
