/** Keeps a tenant's state on disk: written when it has changed, and tried again from time to time while the disk refuses. Main thread. */
import { DISK_AGAIN_MS } from "./deadlines.ts";
import type { RunFolder } from "./run_folder.ts";
import { type TenantState, packState } from "./state_file.ts";

export class StateWriter {
  readonly #folder: RunFolder;
  readonly #say: (text: string) => void;
  readonly #again: () => void;
  #written = "";
  #isBroken = false;
  #retry: NodeJS.Timeout | undefined;

  /** `again`: it is time to write once more, after it has failed. */
  constructor(folder: RunFolder, say: (text: string) => void, again: () => void) {
    this.#folder = folder;
    this.#say = say;
    this.#again = again;
  }

  /** Throws what the disk says. */
  write(state: TenantState): void {
    const text = packState(state);
    if (text === this.#written) return;
    this.#folder.writeState(text);
    this.#written = text;
  }

  /** Whether it is on disk; when it is not, that is said once, and it is tried again. */
  tryToWrite(state: TenantState): boolean {
    try {
      this.write(state);
      this.#isBroken = false;
      return true;
    } catch (error) {
      if (!this.#isBroken) this.#say(`the state of the processes cannot be written, so none is started or told anything: ${(error as Error).message}`);
      this.#isBroken = true;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(this.#again, DISK_AGAIN_MS);
      return false;
    }
  }

  close(): void {
    clearTimeout(this.#retry);
  }
}
