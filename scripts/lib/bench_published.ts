/**
 * What others have published for what our benchmarks measure, on their machines: columns beside ours, for orientation. A range stays a range.
 */
import type { BenchRow } from "./bench_rows.ts";

interface Published {
  name: string;
  cases: RegExp;
  metric: string;
  /** NFActor, the draft of 2016: chain of flow monitor, firewall, HTTP parser. */
  draft?: string;
  /** NFVactor, JSAC 2019: NFs in C++ without isolation, a 2.3 GHz Xeon, 64-byte packets. */
  final?: string;
}

const PUBLISHED: readonly Published[] = [
  { name: "chain", cases: /^firewall, nat44, load_balancer, /, metric: "packet", final: "629" },
  { name: "vswitch", cases: /^firewall, nat44, load_balancer, /, metric: "packet", final: "629" },
  { name: "actor", cases: /./, metric: "actor_layer", final: "22–33" },
  { name: "actor", cases: /./, metric: "flow_start", final: "620" },
  { name: "scale", cases: /^4 runtimes, /, metric: "rate", draft: "2.4" },
  { name: "scale", cases: /, 1 lcore$/, metric: "rate", final: "1.59" },
  { name: "messages", cases: /, 64 bytes, /, metric: "rate", final: "5.4" },
  { name: "migrate", cases: /^one flow, /, metric: "flow_p50", draft: "636" },
  { name: "migrate", cases: /^1k flows, /, metric: "flows_per_second", final: "667,000" },
  { name: "migrate", cases: /^(?!1k flows).* (100|1k|4k) at once/, metric: "flows_per_second", final: "290,000" },
];

export const PUBLISHED_HEADS = ["NFActor 2016", "NFVactor 2019"] as const;

export const PUBLISHED_SOURCES =
  "NFActor 2016: the paper's draft, sections 7.1 and 7.2 (monitor, firewall, HTTP parser; 20 logical cores; 636 µs is a mean while 100 flows move). " +
  "NFVactor 2019: the authors' final system, IEEE JSAC 2019 (C++ NFs without isolation; 667,000 is 1,000 flows in 1.5 ms). Other machines and NFs: for orientation.";

/** The two columns of a row, or null when nothing was published for it. */
export function publishedFor(row: BenchRow): [string, string] | null {
  const found = PUBLISHED.filter(({ name, cases, metric }) => name === row.name && metric === row.metric && cases.test(row.case));
  const of = (which: "draft" | "final"): string => found.map((entry) => entry[which] ?? "").find((text) => text !== "") ?? "";
  return found.length === 0 ? null : [of("draft"), of("final")];
}

/** Head and cells of these columns for a table of rows: none when nothing was published for any of them. */
export function publishedColumns(rows: readonly BenchRow[]): { heads: readonly string[]; cells: (row: BenchRow) => readonly string[] } {
  const any = rows.some((row) => publishedFor(row) !== null);
  return any ? { heads: PUBLISHED_HEADS, cells: (row) => publishedFor(row) ?? ["", ""] } : { heads: [], cells: () => [] };
}
