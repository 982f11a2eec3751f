/** The end of a run as people read it, and as the one JSON object, which is written in pieces: its flows may be more than one string can hold. */
import { DROP_REASON_DOCS } from "@nfactor/sdk/abi";
import { booksText } from "../result/books_text.ts";
import { flowText } from "../result/flow_text.ts";
import type { FaultJson, FlowJson, RunResult } from "../result/run_result.ts";
import type { RuntimeJson } from "../result/runtimes_result.ts";
import { missedText, runtimesSummary } from "../result/runtimes_text.ts";
import { count, plural, safeText, table } from "../result/text.ts";
import type { FlowList } from "./flow_list.ts";

export interface RunSummary {
  packets: RunResult["packets"];
  flows: FlowList;
  faults: FaultJson[];
  /** In switched mode. */
  runtimes?: readonly RuntimeJson[] | undefined;
}

/** Pieces of one line of JSON, as run_result.ts describes it. */
export function* resultJson({ packets, flows, faults, runtimes }: RunSummary): Generator<string> {
  yield `{"packets":${JSON.stringify(packets)},"flows":[`;
  let separator = "";
  for (const flow of flows.json()) {
    yield separator + flow;
    separator = ",";
  }
  yield `]${flows.omitted > 0 ? `,"flows_omitted":${flows.omitted}` : ""},"faults":${JSON.stringify(faults)}${runtimes ? `,"runtimes":${JSON.stringify(runtimes)}` : ""}}\n`;
}

export function summaryText({ packets, flows, faults, runtimes }: RunSummary): string {
  const lines = [booksText(packets), ...(packets.missed ? [missedText(packets.missed)] : [])];
  const reasons = Object.entries(packets.dropped).sort(([, a], [, b]) => b - a);
  if (reasons.length > 0)
    lines.push(
      indent(
        table(
          reasons.map(([reason, n]) => [count(n), reason, DROP_REASON_DOCS[reason] ?? ""]),
          [0],
        ),
      ),
    );
  if (runtimes) lines.push(indent(runtimesSummary(runtimes)));
  if (flows.total > 0) lines.push(plural(flows.total, "flow"));
  for (const json of flows.json()) lines.push(indent(flowLines(JSON.parse(json) as FlowJson)));
  if (flows.omitted > 0) lines.push(`  and ${count(flows.omitted)} more; --flows shows more of them`);
  if (faults.length > 0) {
    lines.push(
      plural(
        faults.reduce((sum, fault) => sum + fault.count, 0),
        "fault",
      ),
    );
    for (const fault of faults) {
      const place = fault.file === undefined ? "" : `  ${fault.file}:${fault.line}:${fault.column}`;
      lines.push(`  ${count(fault.count)} × ${fault.nf}: ${fault.kind.replaceAll("_", " ")}${fault.message === "" ? "" : `: ${fault.message}`}${place}`);
    }
  }
  return lines.join("\n");
}

/** One flow: its key and counts, then a line of fields for each NF. */
export function flowLines(flow: FlowJson & { runtime?: number | undefined }): string {
  const [a, b] = flow.packets;
  const where = flow.runtime === undefined ? "" : `  runtime ${flow.runtime},`;
  const head = `${safeText(flowText(flow.key))}${where}  ${count(a)} + ${count(b)} packets, ${count(flow.bytes[0])} + ${count(flow.bytes[1])} bytes`;
  return [head, ...Object.entries(flow.nfs).map(([nf, state]) => `  ${safeText(nf, 80)}: ${fieldsText(state)}`)].join("\n");
}

/** Fields that are zero or empty say nothing and are left out. */
function fieldsText(state: Record<string, unknown>): string {
  const shown = Object.entries(state).filter(([, value]) => !isEmpty(value));
  if (shown.length === 0) return "all fields zero";
  return shown
    .map(([name, value]) => `${safeText(name, 80)}=${typeof value === "string" ? safeText(value, 120) : safeText(JSON.stringify(value), 120)}`)
    .join(" ");
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isEmpty);
  return value === 0 || value === false || value === "" || (typeof value === "string" && /^0+$/.test(value));
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
