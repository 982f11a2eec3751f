/**
 * The hostile corpus: artifacts that want to stop, spy on, or cheat others, each with what has to become of it. `buildHostile(name)` makes the
 * artifact. Tests run the refused ones through admission, and the others on the engines.
 */
import { readFileSync } from "node:fs";
import { bareComponent, metadataOf } from "../../sdk/admission/testing/artifact.ts";
import { packComponent } from "../../sdk/pack/index.ts";
import { ACCESS_ENTRIES } from "./access_entries.ts";
import { ANSWER_ENTRIES } from "./answer_entries.ts";
import { assemble, isByPacket } from "./assemble.ts";
import { BEHAVIOUR_ENTRIES } from "./behaviour_entries.ts";
import { type HostileEntry, OF_MOVES, type RunExpectation, type Source } from "./entry.ts";
import { REFUSED_ENTRIES } from "./refused_entries.ts";

export type { HostileEntry, RunExpectation } from "./entry.ts";

export const HOSTILE: readonly HostileEntry[] = [...REFUSED_ENTRIES, ...ACCESS_ENTRIES, ...ANSWER_ENTRIES, ...BEHAVIOUR_ENTRIES];

/** The entries that are admitted, with what they do then. */
export const HOSTILE_RUNS: readonly (HostileEntry & { run: RunExpectation })[] = HOSTILE.flatMap((entry) =>
  "run" in entry.expect ? [{ ...entry, run: entry.expect.run }] : [],
);

/** No engine calls it yet: a swap to another layout is refused. */
const NOT_CALLED: readonly string[] = ["migrate-state"];
export const CALLED_RUNS = HOSTILE_RUNS.filter(({ run }) => ![...OF_MOVES, ...NOT_CALLED].includes(run.in));
/** What flows that move are attacked with. */
export const MOVED_RUNS = HOSTILE_RUNS.filter(({ name, run }) => OF_MOVES.includes(run.in) || name === "migrate_everything");

const STATE_BYTES = 8;

/**
 * The artifact of this name; a whole component wherever the module fits the world. With `onlyPort` one that attacks flows with this responder port
 * only, where its text does what it does packet by packet.
 */
export async function buildHostile(name: string, { onlyPort }: { onlyPort?: number } = {}): Promise<Uint8Array> {
  const entry = HOSTILE.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`the hostile corpus has no '${name}'`);
  const { source, expect } = entry;
  if ("artifact" in source) return source.artifact();
  const stateBytes = entry.stateBytes ?? ("core" in source ? 0 : STATE_BYTES);
  const core = "core" in source ? source.core() : hostileModule(entry, onlyPort);
  const metadata = metadataOf({ name: "hostile", on_fault: "drop", ...entry.manifest }, stateBytes);
  return "run" in expect ? packComponent(core, metadata) : bareComponent(core, metadata);
}

/** Whether `onlyPort` makes of this entry one that leaves other flows alone. */
export function canBeHeldToFlows({ name, source, blamesOthers }: HostileEntry): boolean {
  return blamesOthers !== true && ("text" in source || "file" in source) && isByPacket(textOf(name, source));
}

function hostileModule({ name, source, stateBytes = STATE_BYTES, manifest, omit = [], expect }: HostileEntry, onlyPort: number | undefined): Uint8Array {
  const allFeatures = "refused" in expect && expect.refused.includes("feature");
  return assemble({ text: textOf(name, source), stateBytes, heapPages: manifest?.heap_pages ?? 1, omit, onlyPort, allFeatures });
}

function textOf(name: string, source: Source): string {
  return "text" in source ? source.text : readFileSync(new URL(`corpus/${name}.wat`, import.meta.url), "utf8");
}
