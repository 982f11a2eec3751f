/** What benchmarks report: a list of rows, from the JSON of a program, and as a table for people. */
import { table } from "../../host/src/result/text.ts";
import { publishedColumns } from "./bench_published.ts";

/** One measurement: `runs` repetitions, and the median of what it is compared with, measured in the same run. */
export interface BenchRow {
  name: string;
  case: string;
  metric: string;
  unit: string;
  median: number;
  min: number;
  max: number;
  baseline: number | null;
  ratio: number | null;
  runs: number;
}

const TEXTS = ["name", "case", "metric", "unit"] as const;
const NUMBERS = ["median", "min", "max", "runs"] as const;
const MAYBE = ["baseline", "ratio"] as const;

function isRow(value: unknown): value is BenchRow {
  if (typeof value !== "object" || value === null) return false;
  const row = value as Record<string, unknown>;
  return (
    TEXTS.every((key) => typeof row[key] === "string") &&
    NUMBERS.every((key) => Number.isFinite(row[key])) &&
    MAYBE.every((key) => row[key] === null || Number.isFinite(row[key]))
  );
}

/** The rows that a benchmark printed; throws when it printed anything else, or rows of another benchmark. */
export function parseRows(name: string, text: string): BenchRow[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    throw new Error(`bench ${name} printed no JSON: ${JSON.stringify(text.slice(0, 200))}`);
  }
  const wrong = Array.isArray(rows) ? rows.find((row) => !isRow(row) || row.name !== name) : rows;
  if (wrong !== undefined) throw new Error(`bench ${name} printed what is no measurement of it: ${JSON.stringify(wrong)}`);
  return rows as BenchRow[];
}

/** Four significant digits, with separators: 4273011 → "4,273,000". */
export function figure(n: number | null): string {
  return n === null ? "" : n.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

export const spread = (row: BenchRow): string => `${figure(row.min)}–${figure(row.max)}`;

const HEAD = ["name", "case", "metric", "unit", "median", "min–max", "baseline", "ratio", "runs"];

/** For people; next to what others have published, where they have. */
export function rowsTable(rows: readonly BenchRow[]): string {
  const published = publishedColumns(rows);
  const cells = rows.map((row) => [
    row.name,
    row.case,
    row.metric,
    row.unit,
    figure(row.median),
    spread(row),
    figure(row.baseline),
    figure(row.ratio),
    String(row.runs),
    ...published.cells(row),
  ]);
  return table([[...HEAD, ...published.heads], ...cells], [4, 5, 6, 7, 8, 9, 10]);
}
