/** One process of a member from its start to its end in the books: what it has said of itself, and whether it still does anything. */
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { machineUs } from "../clock/clock.ts";
import { nativeError } from "../dataplane/native_error.ts";
import type { CountersSnapshot, RuntimeStatus } from "../dataplane/native_types.ts";
import { safeText } from "../result/text.ts";
import type { LifeAccount } from "./books.ts";
import type { MemberHandle } from "./member_handle.ts";
import type { Life } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";

/** Why the vswitch has fenced a runtime, by its word for it. */
const LOST: Readonly<Record<string, string>> = { death: "it is dead", silence: "it is silent", report: "it does not tell the new vswitch of its flows" };
export const whyLost = (why: string): string => LOST[why] ?? "its link is gone";

/** A life as its file and its last words tell. */
export type Account = LifeAccount & Pick<Present, "status" | "link" | "full"> & { statusAtUs?: number | undefined };
export const NOTHING: Account = { file: undefined, said: undefined, status: undefined, link: undefined, full: undefined };

/** Where a runtime is. */
export interface Whereabouts {
  pid: number | undefined;
  /** Address of its agent, name of its peer. */
  agent: string | undefined;
  peer: string | undefined;
  isReachable: boolean;
  /** Where its replicas are to be; empty: anywhere. */
  homes: readonly number[];
  /** Places in the chain where it runs something else than is wanted. */
  stale: readonly number[];
}

const ANSWER_MS = 2_000;
/** A heartbeat that stands still over so many looks: the process hangs. */
const HANG_LOOKS = 10;

export class Present {
  readonly life: Life;
  process: MemberHandle | undefined;
  isReady = false;
  /** It was told to end, or is to be killed as soon as it is there. */
  isEnding = false;
  /** Resolves when it is to be killed. */
  readonly ending: Promise<void>;
  #end: () => void = () => undefined;
  /** Of the chain that it was started with, or swapped to. */
  generation: number;
  /** Places in the chain where it runs something else than is wanted, as it says itself: a swap has not come to its end. */
  stale: readonly number[] = [];
  startBy: NodeJS.Timeout | undefined;
  said: CountersSnapshot | undefined;
  /** What its links carried and refused, by the names of LinkCount. */
  link: Record<string, bigint> | undefined;
  status: RuntimeStatus | undefined;
  /** Of a vswitch: packets that found the queue of a runtime full, by its number. */
  full: Record<string, bigint> | undefined;
  /** When it came, of performance.now(). */
  statusAtUs: number | undefined;
  /** Why it ended, if it said so. */
  error: { code: string; message: string } | undefined;
  #turns = -1n;
  #stillLooks = 0;
  #awayLooks = 0;

  constructor(life: Life, generation: number) {
    this.life = life;
    this.generation = generation;
    this.ending = new Promise((done) => (this.#end = done));
  }

  kill(): void {
    this.isEnding = true;
    this.#end();
    this.process?.kill();
  }

  /** Asks it for its counters. One that does not answer keeps those that it has told before. */
  async refresh(): Promise<void> {
    const { process, isReady } = this;
    const client = process?.client;
    if (!client?.isOpen || !isReady) return;
    try {
      const [{ counters, link }, { runtimes, full }] = await Promise.all([client.ask("counters", {}, ANSWER_MS), client.ask("runtimes", {}, ANSWER_MS)]);
      this.said = counters;
      this.link = link;
      this.status = runtimes[0];
      this.full = full;
      this.statusAtUs = machineUs();
    } catch {
      // Whether it lives is found out elsewhere.
    }
  }

  /** Looks are counted, not time: when this process gets no CPU, nobody hangs. `turns` is its heartbeat. */
  isStuck(turns: bigint | undefined): boolean {
    this.#stillLooks = turns === undefined || turns !== this.#turns ? 0 : this.#stillLooks + 1;
    this.#turns = turns ?? -1n;
    if (this.#stillLooks < HANG_LOOKS) return false;
    this.#stillLooks = 0;
    return true;
  }

  /** Too many looks at it in a row found that it cannot be reached, and that the vswitch may wait for it. */
  isMissed(isOutOfReach: boolean): boolean {
    this.#awayLooks = isOutOfReach ? this.#awayLooks + 1 : 0;
    return this.#awayLooks >= HANG_LOOKS;
  }

  /** Why it did not start: what it said last, or the last line that it printed, with the code in it. */
  startError(folder: RunFolder, how: string): NfError {
    const { error, life } = this;
    if (error && Object.hasOwn(ERROR_CODES, error.code)) return nativeError(error.code as ErrorCode, error.message);
    const text = folder.logText(life);
    const [, code = "", message = ""] = /(?:^|\n)([a-z]+(?:\.[a-z_]+)?): ([^\n]*)$/.exec(text) ?? [];
    if (Object.hasOwn(ERROR_CODES, code)) return nativeError(code as ErrorCode, message);
    const what = `the process of member ${life.member} ended while it started`;
    return new NfError("internal", `${what} (${how}): ${safeText(text.slice(-400))}`);
  }
}
