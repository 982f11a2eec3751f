/** A whole terminal that is written over: the alternate screen, raw keys, and everything put back however it ends. */
import { writeAll } from "@nfactor/host/cli";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

export class Screen {
  readonly #onKey: (key: string) => void;
  readonly #onResize: () => void;
  readonly #leave = (): void => this.close();
  readonly #data = (bytes: Buffer): void => {
    for (const key of bytes.toString()) this.#onKey(key);
  };
  #isOpen = true;

  constructor(onKey: (key: string) => void, onResize: () => void) {
    this.#onKey = onKey;
    this.#onResize = onResize;
    writeAll(1, ENTER);
    process.stdin.setRawMode(true);
    process.stdin.resume();
    process.stdin.on("data", this.#data);
    process.stdout.on("resize", onResize);
    process.on("exit", this.#leave);
  }

  get width(): number {
    return process.stdout.columns;
  }

  get height(): number {
    return process.stdout.rows;
  }

  show(lines: readonly string[]): void {
    if (this.#isOpen) writeAll(1, `\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.stdin.off("data", this.#data);
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stdout.off("resize", this.#onResize);
    process.off("exit", this.#leave);
    writeAll(1, LEAVE);
  }
}
