import { describe, expect, it } from "vitest";
import { type BenchRow, figure, parseRows, rowsTable } from "./bench_rows.ts";

const ROW: BenchRow = { name: "copy", case: "headers", metric: "packet", unit: "ns", median: 2.5, min: 2, max: 4, baseline: 1.25, ratio: 2, runs: 15 };

describe("the measurements of a benchmark", () => {
  it("are taken as the program printed them", () => {
    expect(parseRows("copy", JSON.stringify([ROW, { ...ROW, baseline: null, ratio: null }]))).toEqual([ROW, { ...ROW, baseline: null, ratio: null }]);
    expect(parseRows("copy", "[]\n")).toEqual([]);
  });

  it.each([
    ["no JSON", "Killed"],
    ["a list that was cut off", '[\n{"name": "copy"'],
    ["one object", JSON.stringify(ROW)],
    ["a row without a median", JSON.stringify([{ ...ROW, median: undefined }])],
    ["a row of text", JSON.stringify([{ ...ROW, max: "4" }])],
    ["a row of another benchmark", JSON.stringify([{ ...ROW, name: "swap" }])],
  ])("are refused when they are %s", (_, text) => {
    expect(() => parseRows("copy", text)).toThrow(/^bench copy printed/);
  });

  it("are one line each in the table, numbers to the right", () => {
    const text = rowsTable([ROW, { ...ROW, case: "payloads of 9,000", median: 1234.5678, min: 0, max: 4273011, baseline: null, ratio: null }]);
    expect(text).toBe(
      [
        "name  case               metric  unit  median      min–max  baseline  ratio  runs",
        "copy  headers            packet  ns       2.5          2–4      1.25      2    15",
        "copy  payloads of 9,000  packet  ns     1,235  0–4,273,000                     15",
      ].join("\n"),
    );
  });

  it("have four digits that count", () => {
    expect([0, 0.123456, 31.25, 99999, 4273011, null].map(figure)).toEqual(["0", "0.1235", "31.25", "100,000", "4,273,000", ""]);
  });
});
