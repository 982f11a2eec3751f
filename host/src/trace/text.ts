/** A packet's story for people, and as an object of --json. */
import { duration, plural, safeText } from "../result/text.ts";
import { type FrameChange, frameChanges, frameTitle, hexOf } from "./frame_fields.ts";
import type { TraceHop, TracePacket, TraceTotals } from "./packet.ts";

export type Paint = (text: string, colour: "red" | "green" | "yellow" | "dim" | "bold") => string;
const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export const plainPaint: Paint = (text) => text;
export const terminalPaint: Paint = (text, colour) => `\x1b[${CODES[colour]}m${text}\x1b[0m`;

const NAME_COLUMNS = 14;
const WHAT_COLUMNS = 44;

/** What NFs have changed, by hop: each frame next to the one before. */
export function changesOf({ hops }: TracePacket): (FrameChange[] | undefined)[] {
  let last: Uint8Array | undefined;
  return hops.map(({ frame }) => {
    if (frame === undefined) return undefined;
    const before = last;
    last = frame;
    return before && frameChanges(before, frame);
  });
}

export function tracePacketJson(packet: TracePacket): object {
  const changes = changesOf(packet);
  return {
    ...packet,
    hops: packet.hops.map(({ frame, ...hop }, i) => ({
      ...hop,
      ...(changes[i] && changes[i].length > 0 ? { changes: changes[i] } : {}),
      ...(frame === undefined ? {} : { frame: hexOf(frame) }),
    })),
  };
}

export function tracePacketText(packet: TracePacket, paint: Paint = plainPaint): string {
  const first = packet.hops.find(({ frame }) => frame !== undefined)?.frame;
  const made = packet.made_by ? `, made by ${safeText(packet.made_by.entry)} for packet ${packet.made_by.packet}` : "";
  const time = new Date(packet.at_us / 1000).toISOString().slice(11, 23) + String(packet.at_us % 1000).padStart(3, "0");
  const lines = [`${paint(`#${packet.packet}`, "bold")}  ${time}  ${first ? frameTitle(first) : "a packet"}, ${packet.wire_length} bytes${made}`];
  const changes = changesOf(packet);
  packet.hops.forEach((hop, i) => {
    const [name, what, colour] = hopText(hop);
    const after = hop.after_ns === undefined ? "" : `+${duration(hop.after_ns)}`;
    const padded = after === "" ? what : what.padEnd(WHAT_COLUMNS);
    lines.push(`  ${name.padEnd(NAME_COLUMNS)} ${colour ? paint(padded, colour) : padded} ${paint(after, "dim")}`.trimEnd());
    for (const { field, from, to } of changes[i] ?? []) lines.push(`  ${" ".repeat(NAME_COLUMNS)}   ${field}  ${from} → ${to}`);
  });
  const total = packet.hops.reduce((sum, { after_ns = 0 }) => sum + after_ns, 0);
  const isTimed = packet.hops.slice(1).every(({ after_ns }) => after_ns !== undefined);
  if (!packet.is_whole) lines.push(`  ${paint("… and nothing more was heard of it", "yellow")}`);
  else if (isTimed && packet.hops.length > 1)
    lines.push(`  ${"".padEnd(NAME_COLUMNS)} ${paint("in all".padEnd(WHAT_COLUMNS), "dim")}  ${paint(duration(total), "dim")}`);
  return lines.join("\n");
}

const WAITS = {
  fragment: "waits for its first fragment",
  move: "waits for its flow, which is moving",
  replica: "held until a replica has the state that it comes from",
  gate: "held at the gate: its flow changes owner",
} as const;

function hopText(hop: TraceHop): [name: string, what: string, colour?: Parameters<Paint>[1]] {
  const at = hop.runtime === 0 ? "vswitch" : `runtime ${hop.runtime}`;
  switch (hop.hop) {
    case "in":
      return [hop.port ?? "in", `comes in${hop.new_flow ? ", of a new flow" : ""}`];
    case "routed":
      return ["vswitch", `gives it to runtime ${hop.to ?? "?"}`];
    case "taken":
      return [at, "takes it"];
    case "waits":
      return [at, WAITS[hop.waits_for ?? "gate"], "yellow"];
    case "nf_in":
      return [safeText(hop.entry ?? "?"), "gets it"];
    case "nf":
      return [safeText(hop.entry ?? "?"), nfText(hop), hop.verdict === "DROP" ? "red" : hop.verdict === "FORWARD" ? "green" : "yellow"];
    case "emitted":
      return [safeText(hop.entry ?? "?"), "makes it", "yellow"];
    case "stamped":
      return [at, "lets it go"];
    case "relayed":
      return [at, "has its replica send it"];
    case "gate":
      return ["vswitch", "gets it back"];
    case "out":
      return [hop.port ?? "out", "goes out"];
    case "dropped":
      return [hop.entry === undefined ? at : safeText(hop.entry), `dropped: ${safeText(hop.reason ?? "?")}`, "red"];
  }
}

function nfText({ verdict, reason, reply, changed }: TraceHop): string {
  const words = [verdict === "BYPASS" ? "passed by it: the NF is quarantined, or has faulted on this flow" : (verdict ?? "?")];
  if (reason !== undefined) words[0] += ` ${safeText(reason)}`;
  if (reply && verdict !== "REPLY") words.push("on its way back");
  if (changed) words.push("changed it");
  return words.join(", ");
}

/** What became of it, in a line: the comment of a packet in a capture. */
export function fateText(packet: TracePacket): string {
  const verdicts = packet.hops.filter(({ hop }) => hop === "nf").map((hop) => `${safeText(hop.entry ?? "?")}: ${nfText(hop)}`);
  const end = packet.hops.at(-1);
  const runtime = packet.hops.find(({ hop }) => hop === "routed")?.to;
  const words = [`#${packet.packet}`, ...(runtime === undefined ? [] : [`runtime ${runtime}`]), ...verdicts];
  if (!packet.is_whole) words.push("nothing more was heard of it");
  else if (end?.hop === "dropped") words.push(`dropped: ${safeText(end.reason ?? "?")}`);
  else if (end?.hop === "out") words.push(`out by ${end.port ?? "?"}`);
  return words.join("; ");
}

export function totalsText({ packets, matched, missed, lost_hops }: TraceTotals): string {
  const lost = lost_hops > 0 ? `; ${plural(lost_hops, "hop")} of them found no room` : "";
  return `${plural(packets, "packet")}; ${matched} matched while more were wanted, ${missed} of them were missed${lost}`;
}
