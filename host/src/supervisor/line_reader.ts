/** Lines out of a stream of bytes, each of bounded length: the other end may have lost its mind. */
import { NfError } from "@nfactor/sdk/errors";

export const LINE_BYTES_MAX = 1 << 20;

export class LineReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax = LINE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that this chunk completes, without their ends. Throws NfError (host.socket) when one is too long. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end));
      lines.push(Buffer.concat(this.#chunks).toString("utf8"));
      this.#chunks = [];
      this.#bytes = 0;
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#bytesMax) throw new NfError("host.socket", `a line of more than ${this.#bytesMax} bytes on a member's control socket`);
    this.#chunks.push(part);
  }
}
