/** How far a capture run is: one line that is written over on a terminal, a line every ten seconds otherwise; nothing in the first second. */
import { statSync } from "node:fs";
import type { CountersSnapshot } from "../dataplane/native_types.ts";
import { count, duration } from "../result/text.ts";

/** A record's header in a pcap file; pcapng's is a little longer, which makes no difference to a percentage. */
const RECORD_HEADER_BYTES = 16;

/** Roughly how much of the file was read, 0 to 1: captured bytes are unknown here, so long frames that were cut make it a lower bound's guess. */
export function fractionRead(counters: Pick<CountersSnapshot, "received" | "receivedBytes">, fileBytes: number): number {
  const read = Number(counters.receivedBytes) + RECORD_HEADER_BYTES * Number(counters.received);
  return fileBytes > 0 ? Math.min(read / fileBytes, 0.99) : 0;
}

export class Progress {
  readonly #timer: NodeJS.Timeout;
  readonly #write: (text: string) => void;
  readonly #terminal: boolean;
  #shown = false;

  constructor(path: string, read: () => CountersSnapshot, write: (text: string) => void, terminal: boolean) {
    const startMs = performance.now();
    const { size } = statSync(path);
    this.#write = write;
    this.#terminal = terminal;
    this.#timer = setInterval(
      () => {
        const counters = read();
        const line = `${count(counters.received)} packets, about ${(100 * fractionRead(counters, size)).toFixed(0)} %, ${duration((performance.now() - startMs) * 1e6)}`;
        this.#write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
        this.#shown = true;
      },
      terminal ? 1000 : 10_000,
    );
  }

  say(text: string): void {
    this.#clear();
    this.#write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #clear(): void {
    if (this.#terminal && this.#shown) this.#write("\r\x1b[K");
    this.#shown = false;
  }
}
