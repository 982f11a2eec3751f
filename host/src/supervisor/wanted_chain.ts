/** The chain as all runtimes are to run it: what starts, starts with it, and who runs something else is known. Main thread; the disk. */
import type { NfSpec } from "../dataplane/native_types.ts";
import type { Present } from "./present.ts";
import type { TenantState } from "./state_file.ts";
import { type TenantSpec, describe } from "./tenant_spec.ts";

export class WantedChain {
  readonly #spec: TenantSpec;
  readonly #state: TenantState;
  readonly #write: () => void;
  /** Grows with each change. */
  #generation = 0;

  /** `write`: the state goes to disk; throws what that says. */
  constructor(spec: TenantSpec, state: TenantState, write: () => void) {
    this.#spec = spec;
    this.#state = state;
    this.#write = write;
  }

  get generation(): number {
    return this.#generation;
  }
  get entries(): readonly NfSpec[] {
    return this.#spec.runtime.chain;
  }

  /** One entry; on disk when this returns. Throws what the disk says: nothing has changed then. */
  set(index: number, nf: NfSpec): void {
    const old = this.entries[index]!;
    this.#become(index, nf);
    try {
      this.#write();
    } catch (error) {
      this.#become(index, old);
      throw error;
    }
    this.#generation += 1;
  }

  /** An entry that was set, back to what it was, whatever the disk says: it goes there with the next event then. */
  takeBack(index: number, nf: NfSpec): void {
    this.#become(index, nf);
    this.#generation += 1;
    try {
      this.#write();
    } catch {
      // Who starts before that has the other one, finds it outdated at the next look of a supervisor, and is swapped.
    }
  }

  isOutdated({ generation, stale }: Present): boolean {
    return generation < this.#generation || stale.length > 0;
  }

  #become(index: number, nf: NfSpec): void {
    const { runtime } = this.#spec;
    this.#spec.runtime = { ...runtime, chain: runtime.chain.map((old, i) => (i === index ? nf : old)) };
    this.#state.runs = describe(this.#spec);
  }
}
