/**
 * Faults of NFs: each told once in full, with the source line, then counted.
 *
 * Message, file, line and column of a fault record were written by the guest, so they are shown as harmless text and believed only for `abort`,
 * where the trap itself says nothing more. For every other kind the place comes from the module offset and the source map.
 */
import { faultKindName } from "@nfactor/sdk/abi";
import { isAuthors } from "@nfactor/sdk/source_map";
import type { FaultEvent } from "../dataplane/native_types.ts";
import { flowText } from "./flow_text.ts";
import { keyJson } from "./flow_json.ts";
import type { FaultJson } from "./run_result.ts";
import { plural, safeText } from "./text.ts";

/** A place in an NF's source. `text` is the line itself, when it is at hand. */
export interface SourcePlace {
  file: string;
  line: number;
  column: number;
  text?: string | undefined;
}

/** What is known of an NF when it faults; `folder` is how its files are named in messages ("" when they are not at hand). */
export interface FaultSource {
  folder: string;
  /** The author's place for offsets into the module, innermost frame first. */
  author(backtrace: readonly number[]): SourcePlace | undefined;
  /** One line of the NF's source, when it is at hand. */
  lineOf(file: string, line: number): string | undefined;
}

/** The author's own line: abort's record names it, unless the SDK threw; otherwise the backtrace does. */
export function placeOf(event: FaultEvent, source: FaultSource | undefined): SourcePlace | undefined {
  if (event.file !== "" && event.line > 0 && isAuthors(event.file)) {
    return { file: safeText(event.file, 255), line: event.line, column: event.column, text: source?.lineOf(event.file, event.line) };
  }
  const place = source?.author(event.backtrace);
  return place && { ...place, file: safeText(place.file, 255) };
}

/** The paragraph that is printed for a fault. `breach` is what the simulator knows of a bad result. */
export function faultText(event: FaultEvent & { breach?: string }, source: FaultSource | undefined): string {
  const place = placeOf(event, source);
  const kind = faultKindName(event.kind).replaceAll("_", " ");
  const who = event.flow
    ? `    ${flowText(keyJson(event.flow))}${event.sequence === undefined ? "" : `, packet ${event.sequence + 1}`}`
    : `    in ${event.call}`;
  const lines = [
    `fault  ${event.entry === event.name ? event.name : `${event.entry} (${event.name})`} ${event.version} (sha256:${event.digest.slice(0, 4)}…)  ${kind}${who}`,
  ];
  const said = event.message === "" ? event.breach : event.message;
  if (said) lines.push(`  ${safeText(said)}`);
  if (place) {
    const folder = source === undefined || source.folder === "" || place.file.startsWith("~") ? "" : `${source.folder}/`;
    lines.push(`  ${folder}${place.file}:${place.line}:${place.column}`, ...excerpt(place));
  }
  lines.push(`  ${outcome(event)}`);
  return lines.join("\n");
}

function excerpt({ line, column, text }: SourcePlace): string[] {
  if (text === undefined) return [];
  const number = String(line).padStart(6);
  const shown = safeText(text.replaceAll("\t", " "), 200);
  return [`${number} | ${shown}`, `${" ".repeat(number.length)}   ${" ".repeat(Math.max(0, Math.min(column, 201) - 1))}^`];
}

function outcome(event: FaultEvent): string {
  const followed = {
    drop: "",
    close_flow: ", the flow closed for a second",
    bypass: ", the flow passes by this NF from now on",
    none: "",
  }[event.action];
  const packets = event.packetsDropped > 0 || event.flow ? `${plural(event.packetsDropped, "packet")} dropped (nf_fault)` : "no packet was dropped";
  const spare = faultKindName(event.kind) === "bad_result" ? "" : ", a spare instance took over";
  return `${packets}${followed}${spare}; ${plural(event.faultsInMinute, "fault")} in the last minute`;
}

/** Collects faults for the result, and says which ones are worth a paragraph. */
export class FaultLog {
  readonly #faults = new Map<string, FaultJson>();
  /** By entry. */
  readonly #last = new Map<string, { readonly version: string; readonly text: string }>();
  /** Different places that are kept apart; a hostile NF could invent any number of messages. */
  static readonly PLACES_MAX = 1000;

  /** Counts one fault; true when it is the first of its kind at its place. */
  add(event: FaultEvent, source: FaultSource | undefined): boolean {
    const place = placeOf(event, source);
    const fault: FaultJson = {
      nf: event.entry,
      kind: faultKindName(event.kind),
      message: safeText(event.message),
      ...(place ? { file: place.file, line: place.line, column: place.column } : {}),
      count: 1,
    };
    const at = place ? ` at ${place.file}:${place.line}:${place.column}` : "";
    const said = fault.message === "" ? "" : ` "${fault.message.slice(0, 300)}"`;
    this.#last.set(event.entry, { version: event.version, text: `${fault.kind.replaceAll("_", " ")}${said}${at}` });
    const full = this.#faults.size >= FaultLog.PLACES_MAX;
    const key = JSON.stringify(full ? [fault.nf, fault.kind] : [fault.nf, fault.kind, fault.message, fault.file, fault.line, fault.column]);
    const known = this.#faults.get(key);
    if (known) known.count += 1;
    else this.#faults.set(key, full ? { nf: fault.nf, kind: fault.kind, message: "many different ones", count: 1 } : fault);
    return known === undefined;
  }

  /** In words; undefined when this version of the entry's NF has had none. */
  lastOf(entry: string, version: string): string | undefined {
    const last = this.#last.get(entry);
    return last?.version === version ? last.text : undefined;
  }

  get total(): number {
    return this.json().reduce((sum, fault) => sum + fault.count, 0);
  }

  json(): FaultJson[] {
    return [...this.#faults.values()];
  }
}
