import { describe, expect, it } from "vitest";
import { goalOf } from "./bench_goals.ts";
import { replaceSection, section } from "./bench_page.ts";
import type { BenchRow } from "./bench_rows.ts";

const MACHINE = { cpu: "Some CPU", cores: 2, kernel: "6.1.0", date: "2025-01-02", commit: "abc1234" };
const ROW: BenchRow = { name: "swap", case: "1,000 flows", metric: "pause", unit: "ns", median: 400, min: 300, max: 500, baseline: 200, ratio: 2, runs: 9 };
const written = (rows: BenchRow[]): string => section("swap", "How long?", rows, MACHINE);

describe("a section of docs/performance.md", () => {
  it("has the question, the figures with their goal, and where they come from", () => {
    expect(written([ROW]).split("\n")).toEqual([
      "<!-- begin: bench swap -->",
      "## swap",
      "",
      "How long?",
      "",
      "| case | metric | median | min–max | baseline | ratio | runs | goal |",
      "|---|---|---:|---:|---:|---:|---:|---|",
      "| 1,000 flows | pause [ns] | 400 | 300–500 | 200 | 2 | 9 | ≤ 1,000: met |",
      "",
      "Some CPU, 2 cores, Linux 6.1.0; 2025-01-02, commit abc1234.",
      "<!-- end: bench swap -->",
    ]);
  });

  it("has what others published beside the figures, and says where it is from, where there is any", () => {
    const moved = { ...ROW, name: "migrate", case: "1k flows, no traffic, 1k at once", metric: "flows_per_second", unit: "flows/s", median: 2e6 };
    const lost = { ...moved, metric: "packets_lost", unit: "packets", median: 0, max: 0 };
    const lines = section("migrate", "How fast?", [moved, lost], MACHINE).split("\n");
    expect(lines.slice(5, 9)).toEqual([
      "| case | metric | median | min–max | baseline | ratio | NFActor 2016 | NFVactor 2019 | runs | goal |",
      "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
      "| 1k flows, no traffic, 1k at once | flows_per_second [flows/s] | 2,000,000 | 300–500 | 200 | 2 |  | 667,000 | 9 | ≥ 1,000,000: met |",
      "| 1k flows, no traffic, 1k at once | packets_lost [packets] | 0 | 300–0 | 200 | 2 |  |  | 9 | ≤ 0: met |",
    ]);
    expect(lines[10]).toMatch(/^NFActor 2016: .* NFVactor 2019: /);
  });

  it("replaces the one before and nothing else", () => {
    const page = `# Performance\n\nProse.\n\n${written([ROW])}\n\nMore prose.\n\n${section("copy", "What?", [], MACHINE)}\n`;
    const next = replaceSection(page, "swap", written([{ ...ROW, median: 450 }]));
    expect(next).toBe(page.replace("| 400 |", "| 450 |"));
    expect(replaceSection(next, "swap", written([ROW]))).toBe(page);
  });

  it("comes last when the page has none", () => {
    expect(replaceSection("# Performance\n", "swap", written([ROW]))).toBe(`# Performance\n\n${written([ROW])}\n`);
  });

  it("is not written over a page whose section does not end", () => {
    expect(() => replaceSection("<!-- begin: bench swap -->\nleft over", "swap", written([ROW]))).toThrow(/has no '<!-- end: bench swap -->'/);
  });
});

describe("a goal", () => {
  it("is met or missed by the number it is about", () => {
    expect(goalOf({ ...ROW, median: 1000 })).toBe("≤ 1,000: met");
    expect(goalOf({ ...ROW, median: 1001, min: 900 })).toBe("≤ 1,000: missed");
    expect(goalOf({ ...ROW, metric: "packets_dropped", median: 0, max: 1 })).toBe("≤ 0: missed");
    expect(goalOf({ ...ROW, name: "memory", case: "1 NFs of 64-byte states, 65536 flows", metric: "flows_per_gib", median: 3.9e6 })).toBe(
      "≥ 4,000,000: missed",
    );
  });

  it("stands beside another one of the same row", () => {
    const row = { ...ROW, name: "chain", case: "firewall, nat44, load_balancer, 64k flows", metric: "packet", median: 99, ratio: 1.3 };
    expect(goalOf(row)).toBe("≤ 1.25 ×: missed; ≤ 100: met");
    expect(goalOf({ ...row, ratio: null })).toBe("≤ 1.25 ×: missed; ≤ 100: met");
  });

  it("is for the cases it names", () => {
    expect(goalOf({ ...ROW, metric: "flip" })).toBe("");
    expect(goalOf({ ...ROW, name: "memory", case: "3 NFs of 64-byte states, 65536 flows", metric: "flows_per_gib" })).toBe("");
  });
});
