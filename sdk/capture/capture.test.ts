import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { NfError } from "../errors.ts";
import { type Capture, capturePieces, emptyPcap, parseCapture, pcapRecord, readCapture, writeCapture } from "./index.ts";

const fixture = readFileSync(resolve(import.meta.dirname, "../../test/fixtures/http.pcap"));
const folder = mkdtempSync(join(tmpdir(), "nfactor-capture-"));
afterAll(() => rmSync(folder, { recursive: true }));

const u16 = (n: number, big: boolean) => (big ? [n >> 8, n & 255] : [n & 255, n >> 8]);
const u32 = (n: number, big: boolean) => (big ? [...u16(n >>> 16, true), ...u16(n & 0xffff, true)] : [...u16(n & 0xffff, false), ...u16(n >>> 16, false)]);
const all = (capture: Capture) => capture.records.map((record) => ({ record, bytes: record.bytes, wireLength: record.wireLength }));
const written = (capture: Capture, frames = all(capture)) => Buffer.concat([...capturePieces(capture, frames)]);
const codeOf = (bytes: readonly number[] | Uint8Array) => {
  try {
    parseCapture(Uint8Array.from(bytes), "x.pcap");
  } catch (error) {
    if (error instanceof NfError) return { code: error.code, message: error.message };
    throw error;
  }
  return undefined;
};

const classic = (magic: number, big: boolean, link = 1) => [
  ...u32(magic, big),
  ...u16(2, big),
  ...u16(4, big),
  ...u32(0, big),
  ...u32(0, big),
  ...u32(96, big),
  ...u32(link, big),
];
const record = (sec: number, fraction: number, bytes: number[], original: number, big: boolean) => [
  ...u32(sec, big),
  ...u32(fraction, big),
  ...u32(bytes.length, big),
  ...u32(original, big),
  ...bytes,
];

describe("classic pcap", () => {
  test("a real capture comes out identical", () => {
    const capture = parseCapture(fixture, "http.pcap");
    expect(capture.records).toHaveLength(161);
    expect(written(capture).equals(fixture)).toBe(true);
  });

  test.each([
    [0xa1b2c3d4, false, 7_000_000_005_000n],
    [0xa1b2c3d4, true, 7_000_000_005_000n],
    [0xa1b23c4d, false, 7_000_000_000_005n],
    [0xa1b23c4d, true, 7_000_000_000_005n],
  ])("magic %i, big-endian %s", (magic, big, expected) => {
    const file = Uint8Array.from([...classic(magic, big), ...record(7000, 5, [1, 2, 3], 60, big)]);
    const capture = parseCapture(file, "x.pcap");
    expect(capture.records[0]).toMatchObject({ timestampNs: expected, bytes: Uint8Array.from([1, 2, 3]), wireLength: 60 });
    expect(written(capture)).toEqual(Buffer.from(file));
  });

  test("what a record says oddly stays: a fraction above a second, an original length below the captured one", () => {
    const file = Uint8Array.from([...classic(0xa1b2c3d4, false), ...record(1, 2_000_000, [1, 2, 3], 2, false)]);
    const capture = parseCapture(file, "x.pcap");
    expect(capture.records[0]).toMatchObject({ timestampNs: 3_000_000_000n, wireLength: 3 });
    expect(written(capture)).toEqual(Buffer.from(file));
  });

  test("a frame that changed its length moves both lengths", () => {
    const capture = parseCapture(Uint8Array.from([...classic(0xa1b2c3d4, false), ...record(1, 0, [1, 2, 3], 60, false)]), "x.pcap");
    const out = parseCapture(written(capture, [{ record: capture.records[0]!, bytes: Uint8Array.from([1, 2, 3, 4]), wireLength: 61 }]), "y.pcap");
    expect(out.records[0]).toMatchObject({ bytes: Uint8Array.from([1, 2, 3, 4]), wireLength: 61 });
  });

  test("damage is told with its place", () => {
    const whole = [...classic(0xa1b2c3d4, false), ...record(1, 0, [1, 2, 3], 3, false)];
    expect(codeOf(whole.slice(0, 20))).toMatchObject({ code: "capture.truncated", message: expect.stringContaining("file header") as string });
    expect(codeOf(whole.slice(0, 30))).toMatchObject({
      code: "capture.truncated",
      message: expect.stringContaining("record 1 that begins at byte 24") as string,
    });
    expect(codeOf(whole.slice(0, -1))).toMatchObject({ code: "capture.truncated" });
    expect(codeOf([...classic(0xa1b2c3d4, false), ...u32(1, false), ...u32(1, false), ...u32(0x7fffffff, false), ...u32(1, false)])).toMatchObject({
      code: "capture.format",
    });
    expect(codeOf(classic(0xa1b2c3d4, true, 113))).toMatchObject({ code: "capture.link_type", message: expect.stringContaining("113") as string });
    expect(codeOf([])).toMatchObject({ code: "capture.format" });
    expect(codeOf([0x1f, 0x8b, 0, 0])).toMatchObject({ code: "capture.format" });
  });

  test("every shortened file is refused or shorter by whole records", () => {
    for (let length = 0; length < 2000; length++) {
      const cut = fixture.subarray(0, length);
      if (codeOf(cut) === undefined) expect(written(parseCapture(cut, "x"))).toEqual(cut);
    }
  });
});

const block = (type: number, body: number[], big: boolean) => {
  const padded = [...body, ...Array<number>(-body.length & 3).fill(0)];
  const length = padded.length + 12;
  return [...u32(type, big), ...u32(length, big), ...padded, ...u32(length, big)];
};
const section = (big: boolean) => block(0x0a0d0d0a, [...u32(0x1a2b3c4d, big), ...u16(1, big), ...u16(0, big), ...u32(96, big), ...u32(0, big)], big);
const description = (big: boolean, options: number[] = [], snap = 0, link = 1) => block(1, [...u16(link, big), 0, 0, ...u32(snap, big), ...options], big);
const tsresol = (code: number, big: boolean) => [...u16(9, big), ...u16(1, big), code, 0, 0, 0];
const tsoffset = (seconds: number, big: boolean) => [
  ...u16(14, big),
  ...u16(8, big),
  ...(big ? [...u32(0, big), ...u32(seconds, big)] : [...u32(seconds, big), ...u32(0, big)]),
];
const enhanced = (iface: number, units: bigint, bytes: number[], original: number, big: boolean) =>
  block(
    6,
    [
      ...u32(iface, big),
      ...u32(Number(units >> 32n), big),
      ...u32(Number(units & 0xffffffffn), big),
      ...u32(bytes.length, big),
      ...u32(original, big),
      ...bytes,
      ...Array<number>(-bytes.length & 3).fill(0),
    ],
    big,
  );

describe("pcapng", () => {
  test.each([false, true])("interfaces with their own clocks, big-endian %s", (big) => {
    const capture = parseCapture(
      Uint8Array.from([
        ...section(big),
        ...description(big),
        ...description(big, tsresol(9, big)),
        ...description(big, [...tsresol(0x8a, big), ...tsoffset(100, big)]),
        ...enhanced(0, 5_000_001n, [1], 1, big),
        ...enhanced(1, 5_000_000_001n, [2], 2, big),
        ...enhanced(2, 1536n, [3], 3, big),
      ]),
      "x.pcapng",
    );
    expect(capture.records.map((r) => r.timestampNs)).toEqual([5_000_001_000n, 5_000_000_001n, 101_500_000_000n]);
  });

  test("simple and obsolete packet blocks, and blocks that are skipped", () => {
    const obsolete = block(2, [...u16(0, false), ...u16(7, false), ...u32(0, false), ...u32(9, false), ...u32(2, false), ...u32(4, false), 1, 2, 0, 0], false);
    const capture = parseCapture(
      Uint8Array.from([
        ...section(false),
        ...description(false, [], 2),
        ...block(3, [...u32(60, false), 7, 8, 0, 0], false),
        ...block(5, u32(0, false), false),
        ...obsolete,
      ]),
      "x.pcapng",
    );
    expect(capture.records).toMatchObject([
      { timestampNs: 0n, bytes: Uint8Array.from([7, 8]), wireLength: 60 },
      { timestampNs: 9000n, bytes: Uint8Array.from([1, 2]), wireLength: 4 },
    ]);
  });

  test("written back: section and interfaces as read, the section's length unknown, packets as enhanced blocks", () => {
    const input = [...section(false), ...description(false, tsresol(9, false)), ...enhanced(0, 77n, [1, 2, 3], 60, false), ...block(5, u32(0, false), false)];
    const out = written(parseCapture(Uint8Array.from(input), "x.pcapng"));
    const head = section(false);
    head.splice(16, 8, ...Array<number>(8).fill(255));
    expect([...out]).toEqual([...head, ...description(false, tsresol(9, false)), ...enhanced(0, 77n, [1, 2, 3], 60, false)]);
  });

  test("sections keep their byte orders and interfaces", () => {
    const input = [
      ...section(false),
      ...description(false),
      ...enhanced(0, 1n, [1], 1, false),
      ...section(true),
      ...description(true, tsresol(9, true)),
      ...enhanced(0, 2n, [2], 2, true),
    ];
    const read = parseCapture(Uint8Array.from(input), "x.pcapng");
    const again = parseCapture(written(read), "y.pcapng");
    expect(again.records.map((r) => [r.timestampNs, r.bytes[0]])).toEqual([
      [1000n, 1],
      [2n, 2],
    ]);
    expect(again.blocks.map((b) => b.bigEndian)).toEqual([false, false, true, true]);
  });

  test("damage is told", () => {
    expect(codeOf(section(false).slice(0, 20))).toMatchObject({ code: "capture.truncated" });
    expect(codeOf([...section(false), ...enhanced(0, 0n, [1], 1, false)])).toMatchObject({
      code: "capture.format",
      message: expect.stringContaining("interface 0") as string,
    });
    expect(codeOf([...section(false), ...description(false, [], 0, 113)])).toMatchObject({ code: "capture.link_type" });
    const lying = [...section(false), ...description(false)];
    lying[lying.length - 4]! ^= 1;
    expect(codeOf(lying)).toMatchObject({ code: "capture.format", message: expect.stringContaining("lengths differ") as string });
  });

  test("random damage is refused or read, never worse", () => {
    const input = [
      ...section(false),
      ...description(false, tsresol(6, false)),
      ...enhanced(0, 9n, [1, 2, 3, 4, 5], 60, false),
      ...block(3, [...u32(4, false), 1, 2, 3, 4], false),
    ];
    let seed = 1;
    const next = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
    for (let i = 0; i < 5000; i++) {
      const damaged = [...input];
      for (let k = 0; k < 3; k++) damaged[next() % damaged.length] = next() >>> 24;
      codeOf(damaged);
    }
  });
});

test("files: written aside, read back, errors with the path", () => {
  const capture = emptyPcap();
  const frames = [pcapRecord(1_234_567_890_123_456_789n, Uint8Array.from([1, 2, 3]), 100)].map((r) => ({
    record: r,
    bytes: r.bytes,
    wireLength: r.wireLength,
  }));
  writeCapture(join(folder, "a.pcap"), capture, frames);
  expect(readCapture(join(folder, "a.pcap")).records).toMatchObject([{ timestampNs: 1_234_567_890_123_456_789n, wireLength: 100 }]);
  expect(readdirSync(folder)).toEqual(["a.pcap"]);
  expect(() => readCapture(join(folder, "none.pcap"))).toThrow(/cannot be read/);
  expect(() => writeCapture(join(folder, "no/a.pcap"), capture, [])).toThrow(/cannot be written/);
});
