/**
 * docs/performance.md: prose that people write, and for each benchmark a section between two markers that is written from a measurement. A section
 * says on its own where and when it was measured, since they are not all measured at once.
 */
import { goalOf } from "./bench_goals.ts";
import { PUBLISHED_SOURCES, publishedColumns } from "./bench_published.ts";
import { type BenchRow, figure, spread } from "./bench_rows.ts";

export interface Machine {
  cpu: string;
  cores: number;
  kernel: string;
  date: string;
  commit: string;
}

const begin = (name: string): string => `<!-- begin: bench ${name} -->`;
const end = (name: string): string => `<!-- end: bench ${name} -->`;

function markdownTable(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const [head, ...body] = rows;
  return [line(head!), `|${head!.map((_, i) => (right.includes(i) ? "---:" : "---")).join("|")}|`, ...body.map(line)].join("\n");
}

/** The section of one benchmark, markers included. */
export function section(name: string, question: string, rows: readonly BenchRow[], machine: Machine): string {
  const published = publishedColumns(rows);
  const head = ["case", "metric", "median", "min–max", "baseline", "ratio", ...published.heads, "runs", "goal"];
  const cells = rows.map((row) => [
    row.case,
    `${row.metric} [${row.unit}]`,
    figure(row.median),
    spread(row),
    figure(row.baseline),
    figure(row.ratio),
    ...published.cells(row),
    String(row.runs),
    goalOf(row),
  ]);
  const where = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}; ${machine.date}, commit ${machine.commit}.`;
  const numbers = head.flatMap((_, i) => (i >= 2 && i < head.length - 1 ? [i] : []));
  const sources = published.heads.length > 0 ? [PUBLISHED_SOURCES, ""] : [];
  return [begin(name), `## ${name}`, "", question, "", markdownTable([head, ...cells], numbers), "", ...sources, where, end(name)].join("\n");
}

/** The page with the section in the place of the one of that name; a new one comes last. */
export function replaceSection(page: string, name: string, text: string): string {
  const from = page.indexOf(begin(name));
  if (from < 0) return `${page.trimEnd()}\n\n${text}\n`;
  const to = page.indexOf(end(name), from);
  if (to < 0) throw new Error(`docs/performance.md: '${begin(name)}' has no '${end(name)}'`);
  return page.slice(0, from) + text + page.slice(to + end(name).length);
}
