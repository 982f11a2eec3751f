import { describe, expect, it } from "vitest";
import { COMPONENT_VERSION, CORE_VERSION, MalformedError, WasmReader, binaryKind, customSection, encodeU32, sections } from "./wasm_reader.ts";

const reader = (...bytes: number[]): WasmReader => new WasmReader(Uint8Array.from(bytes));
const header = (version: number[]): number[] => [0x00, 0x61, 0x73, 0x6d, ...version];

describe("numbers", () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 0x7fffffff, 0x80000000, 0xffffffff])("u32 reads what was written: %d", (value) => {
    const r = reader(...encodeU32(value));
    expect(r.u32("n")).toBe(value);
    expect(r.done).toBe(true);
  });

  it.each([
    [[0x7f], -1],
    [[0xff, 0x00], 127],
    [[0x80, 0x7f], -128],
    [[0xff, 0xff, 0xff, 0xff, 0x07], 0x7fffffff],
    [[0x80, 0x80, 0x80, 0x80, 0x78], -0x80000000],
    [[0xc0, 0x00], 64],
    [[0x40], -64],
    // Longer than needed, but no longer than allowed.
    [[0x80, 0x80, 0x80, 0x80, 0x00], 0],
    [[0xff, 0xff, 0xff, 0xff, 0x7f], -1],
  ])("s32 of %j is %d, and so says the reader of any width", (bytes, value) => {
    expect(reader(...bytes).s32("n")).toBe(value);
    expect(reader(...bytes).signed(32, "n")).toBe(BigInt(value));
  });

  it.each([
    ["a sixth byte", [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ["no last byte", [0x80]],
    ["nothing", []],
  ])("refuses %s", (_what, bytes) => {
    expect(() => reader(...bytes).u32("n")).toThrow(MalformedError);
    expect(() => reader(...bytes).s32("n")).toThrow(MalformedError);
    expect(() => reader(...bytes).signed(32, "n")).toThrow(MalformedError);
  });

  it("refuses bits beyond the type", () => {
    expect(() => reader(0xff, 0xff, 0xff, 0xff, 0x1f).u32("n")).toThrow("exceeds 32 bits");
    expect(() => reader(0xff, 0xff, 0xff, 0xff, 0x0f).s32("n")).toThrow("exceeds 32 bits");
    expect(() => reader(0x80, 0x80, 0x80, 0x80, 0x70).s32("n")).toThrow("exceeds 32 bits");
    expect(() => reader(...Array<number>(9).fill(0xff), 0x02).signed(64, "n")).toThrow("exceeds 64 bits");
    expect(reader(...Array<number>(9).fill(0xff), 0x7f).signed(64, "n")).toBe(-1n);
  });

  it("s32 and the reader of any width agree on every fifth byte", () => {
    for (let last = 0; last < 128; last++) {
      const bytes = [0x95, 0xaa, 0xd5, 0x83, last];
      const result = (read: () => number | bigint): string => {
        try {
          return String(read());
        } catch {
          return "refused";
        }
      };
      expect(result(() => reader(...bytes).s32("n"))).toBe(result(() => reader(...bytes).signed(32, "n")));
    }
  });
});

describe("lengths", () => {
  it("never reads beyond its part", () => {
    const inner = reader(1, 2, 3, 4).sub(2, "part");
    expect([inner.u8("a"), inner.u8("b")]).toEqual([1, 2]);
    expect(() => inner.u8("c")).toThrow("the bytes end");
    expect(() => reader(1, 2).take(3, "t")).toThrow("3 bytes are announced, 2 are left");
    expect(() => new WasmReader(new Uint8Array(4), 2, 5)).toThrow(MalformedError);
  });

  it("refuses a count that cannot fit, before anything loops over it", () => {
    expect(() => reader(0xff, 0xff, 0xff, 0xff, 0x0f, 0).count("things")).toThrow("cannot fit");
    expect(() => reader(3, 0, 0, 0).count("pairs", 2)).toThrow("cannot fit");
    expect(reader(3, 0, 0, 0).count("things")).toBe(3);
  });

  it("refuses names that are no UTF-8, and bytes left over", () => {
    expect(() => reader(2, 0xc3, 0x28).name("n")).toThrow("not UTF-8");
    expect(() => reader(1).finish("part")).toThrow("1 bytes are left over");
  });
});

describe("sections", () => {
  it("are found with their places", () => {
    const bytes = Uint8Array.from([...header(CORE_VERSION), 1, 2, 7, 8, 3, 0]);
    expect([...sections(bytes)].map(({ id, head, start, end }) => ({ id, head, start, end }))).toEqual([
      { id: 1, head: 8, start: 10, end: 12 },
      { id: 3, head: 12, start: 14, end: 14 },
    ]);
  });

  it("that end beyond the file are refused", () => {
    expect(() => [...sections(Uint8Array.from([...header(CORE_VERSION), 1, 3, 7, 8]))]).toThrow(MalformedError);
  });

  it("a custom section reads as it was written", () => {
    const content = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
    const bytes = Uint8Array.from([...header(CORE_VERSION), ...customSection("näme", content)]);
    const [section, ...more] = [...sections(bytes)];
    expect(more).toEqual([]);
    expect(section!.body.name("name")).toBe("näme");
    expect(section!.body.take(section!.body.left, "content")).toEqual(content);
  });

  it("the first eight bytes tell core module and component apart", () => {
    expect(binaryKind(Uint8Array.from(header(CORE_VERSION)))).toBe("core");
    expect(binaryKind(Uint8Array.from(header(COMPONENT_VERSION)))).toBe("component");
    expect(binaryKind(Uint8Array.from(header([2, 0, 0, 0])))).toBeUndefined();
    expect(binaryKind(Uint8Array.from(header(CORE_VERSION).slice(0, 7)))).toBeUndefined();
  });
});
