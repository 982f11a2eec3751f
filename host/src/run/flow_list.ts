/**
 * The ended flows of a run, for its result: as JSON text, because a capture may have a million of them and the objects would be many times larger.
 *
 * Bounded when asked: `first` keeps those whose first packet came earliest (captures), `last` those that ended last (live).
 */
import type { FlowJson } from "../result/run_result.ts";

export type Keep = { which: "all" } | { which: "first" | "last"; flows: number };

interface Kept {
  id: bigint;
  json: string;
}

export class FlowList {
  readonly #keep: Keep;
  #kept: Kept[] = [];
  #added = 0;
  /** With `first`: once enough are kept, a flow behind this one is none of them. */
  #behind: bigint | undefined;

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  /** Flows that were added, kept or not. */
  get total(): number {
    return this.#added;
  }
  get omitted(): number {
    return this.#added - Math.min(this.#added, this.#keep.which === "all" ? this.#added : this.#keep.flows);
  }

  /** Ids are in order of first packets. `make` is only called for a flow that may be kept: to read its states by field is most of the work. */
  add(id: bigint, make: () => FlowJson): void {
    this.#added += 1;
    const keep = this.#keep;
    if (keep.which !== "all" && keep.flows === 0) return;
    if (this.#behind !== undefined && id > this.#behind) return;
    this.#kept.push({ id, json: JSON.stringify(make()) });
    // Twice the bound before it is cut, so that cutting costs little per flow.
    if (keep.which !== "all" && this.#kept.length >= 2 * keep.flows + 64) this.#cut();
  }

  /** In order of their first packet. */
  *json(): Generator<string> {
    this.#cut();
    this.#kept.sort(byId);
    for (const { json } of this.#kept) yield json;
  }

  #cut(): void {
    if (this.#keep.which === "all" || this.#kept.length <= this.#keep.flows) return;
    if (this.#keep.which === "last") this.#kept = this.#kept.slice(-this.#keep.flows);
    else {
      this.#kept = this.#kept.sort(byId).slice(0, this.#keep.flows);
      this.#behind = this.#kept.at(-1)?.id;
    }
  }
}

function byId(a: Kept, b: Kept): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
