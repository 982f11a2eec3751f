/**
 * What commands say that keep something running: they never wait for whoever reads it. A terminal that is stopped (Ctrl-S) or a pipe that nobody reads takes
 * nothing; what is said then waits here, within a bound, and is dropped beyond it. How much was dropped is said when the reader goes on.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { plural } from "../result/text.ts";

const WAITING_BYTES_MAX = 256 << 10;
const AGAIN_MS = 50;
/** So long the end of a command is held up by what is not read. */
const END_MS = 1000;

export class UnwaitedOutput {
  readonly #fd: number;
  readonly #lost: (messages: number) => string;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #again: NodeJS.Timeout | undefined;

  /** `lost`: how it is said that so many messages were dropped. */
  constructor(fd: number, lost = (messages: number): string => `${plural(messages, "message")} were dropped here: nobody read them\n`) {
    this.#fd = unblocked(fd);
    this.#lost = lost;
  }

  /** Never waits, never throws. */
  write(text: string): void {
    const bytes = Buffer.from(text);
    // Behind a gap nothing waits before the reader has caught up: it would learn of many small gaps instead of one.
    if (this.#waiting.length > 0 && (this.#dropped > 0 || this.#waitingBytes + bytes.length > WAITING_BYTES_MAX)) {
      this.#dropped += 1;
      return;
    }
    this.#put(bytes);
    if (this.#again === undefined) this.#flush();
  }

  /** Resolves when all has been taken, or soon without that. */
  async end(): Promise<void> {
    for (const endMs = performance.now() + END_MS; this.#waiting.length > 0 && performance.now() < endMs;) await pause(AGAIN_MS);
    clearTimeout(this.#again);
  }

  #put(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #flush(): void {
    this.#again = undefined;
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      let taken = 0;
      try {
        taken = writeSync(this.#fd, first);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
          this.#again = setTimeout(() => this.#flush(), AGAIN_MS).unref();
          return;
        }
        // Nothing ends because nobody can be told of it: the reader has gone, the disk is full.
        taken = first.length;
      }
      this.#waitingBytes -= taken;
      if (taken < first.length) this.#waiting[0] = first.subarray(taken);
      else this.#waiting.shift();
      if (this.#waiting.length > 0 || this.#dropped === 0) continue;
      this.#put(Buffer.from(this.#lost(this.#dropped)));
      this.#dropped = 0;
    }
  }
}

/**
 * A descriptor of the same file that does not block. A pipe or a terminal is opened once more for that, since the flag is not the descriptor's but is shared
 * with whoever has it too, as the shell. A socket cannot be; Node makes it so when it makes its stream. A file takes what it is given.
 */
function unblocked(fd: number): number {
  try {
    const file = fstatSync(fd);
    if (file.isSocket()) void (fd === 1 ? process.stdout : process.stderr);
    if (file.isFIFO() || file.isCharacterDevice()) return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Somebody else's terminal, or none: as it is.
  }
  return fd;
}
