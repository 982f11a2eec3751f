/** What the lives of all members have counted: the living in their files, the others in the books, and of each member the last that has ended. */
import type { CountersSnapshot } from "../dataplane/native_types.ts";
import { Books, type Kept } from "./books.ts";
import { readCounterFile } from "./counter_file.ts";
import type { Life } from "./membership_events.ts";
import { type Account, NOTHING, type Present } from "./present.ts";
import type { RunFolder } from "./run_folder.ts";

export class Accounts {
  readonly #books: Books;
  readonly #folder: RunFolder;
  readonly #last = new Map<number, Account>();

  /** `entries`: names of the chain's NFs, in order. */
  constructor(entries: readonly string[], kept: Kept, folder: RunFolder) {
    this.#books = new Books(entries, kept);
    this.#folder = folder;
  }

  /** For the disk. */
  get kept(): Kept {
    return this.#books.kept;
  }

  of(present: Present | undefined): Account {
    return present ? this.#account(present.life, present) : NOTHING;
  }
  /** Of the member's life that has ended last. */
  lastOf(member: number): Account {
    return this.#last.get(member) ?? NOTHING;
  }

  /** A life has ended, and is from now on in the books. */
  close(life: Life, present: Present | undefined): void {
    const account = this.#account(life, present);
    this.#books.close(account);
    this.#last.set(life.member, account);
  }

  /** Runtimes first among `living`: what comes in meanwhile is then missing rather than there twice. */
  snapshot(living: readonly Account[], isOver: boolean): CountersSnapshot {
    return this.#books.snapshot(living, isOver);
  }

  #account(life: Life, present: Present | undefined): Account {
    const { said, status, statusAtUs, link, full } = present ?? NOTHING;
    return { file: readCounterFile(this.#folder.countersOf(life)), said, status, statusAtUs, link, full };
  }
}

/** Who was given up has counted what it has counted, and has no flows any more. */
export function accountOf(account: Account, isGivenUp: boolean): Account {
  return isGivenUp && account.file ? { ...account, file: { ...account.file, flowsOpen: 0 } } : account;
}
