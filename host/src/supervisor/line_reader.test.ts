import { expect, test } from "vitest";
import { LineReader } from "./line_reader.ts";

test("lines come whole, however they are cut", () => {
  const bytes = Buffer.from("one\n\nzwei: ö\nthree");
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new LineReader();
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...reader.push(bytes.subarray(at, at + size)));
    expect(lines).toEqual(["one", "", "zwei: ö"]);
    expect(reader.push(Buffer.from("\n"))).toEqual(["three"]);
  }
});

test("a line is bounded, also one that never ends", () => {
  const reader = new LineReader(8);
  expect(reader.push(Buffer.from("12345678\n"))).toEqual(["12345678"]);
  expect(() => new LineReader(8).push(Buffer.from("123456789\n"))).toThrow("more than 8 bytes");
  reader.push(Buffer.from("12345"));
  expect(() => reader.push(Buffer.from("6789"))).toThrow("more than 8 bytes");
});
