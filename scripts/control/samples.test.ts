import { describe, expect, it } from "vitest";
import { parseRows } from "../lib/bench_rows.ts";
import { Samples, median } from "./samples.ts";

describe("samples", () => {
  it("become one row for each case and metric, in the order in which they came, compared with what their first sample names", () => {
    const samples = new Samples("control");
    samples.add("swap", "serving", "ms", 30, { case: "alone" });
    samples.add("swap", "upload", "ms", [4, 6, 5], { metric: "copy" });
    samples.add("swap", "serving", "ms", [10, 20]);
    samples.add("alone", "serving", "ms", [8, 4]);
    samples.add("swap", "copy", "ms", 2.5);
    const rows = samples.rows();
    expect(parseRows("control", JSON.stringify(rows))).toEqual(rows);
    expect(rows.map((row) => [row.case, row.metric, row.median, row.min, row.max, row.baseline, row.ratio, row.runs])).toEqual([
      ["swap", "serving", 20, 10, 30, 4, 5, 3],
      ["swap", "upload", 5, 4, 6, 2.5, 2, 3],
      ["alone", "serving", 4, 4, 8, null, null, 2],
      ["swap", "copy", 2.5, 2.5, 2.5, null, null, 1],
    ]);
  });

  it("have no ratio to what is nothing or was not measured, and no row when there are none", () => {
    const samples = new Samples("control");
    samples.add("busy", "lost", "packets", 3, { case: "idle" });
    samples.add("idle", "lost", "packets", [0, 0]);
    samples.add("dead", "lost", "packets", 1, { case: "left out" });
    samples.add("empty", "lost", "packets", []);
    expect(samples.rows().map(({ baseline, ratio }) => [baseline, ratio])).toEqual([
      [0, null],
      [null, null],
      [null, null],
    ]);
  });

  it("have a median that was measured", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2);
  });
});
