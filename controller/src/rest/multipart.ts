/**
 * `multipart/form-data` (RFC 7578) as it comes in: parts in the order in which they are sent, each a stream, nothing of them kept. Strict: what is not
 * understood is refused. Read part after part, each to its end.
 */
import { NfError } from "@nfactor/sdk/errors";

/** From one boundary to a part's first byte. */
const HEAD_MAX = 4096;
const FIX = "Send multipart/form-data with the parts 'component' and then 'source_map', as curl -F does it.";

const malformed = (what: string): NfError => new NfError("rest.body", `the body is no form: ${what}`, { fix: FIX });

export interface Part {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Throws NfError (rest.body). */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))\s*(?:;|$)/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined || !/^[\x20-\x7e]*[\x21-\x7e]$/.test(boundary)) throw malformed("its content type names no boundary of 1 to 70 characters");
  return boundary;
}

export class Multipart {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  #buffer: Buffer;
  #state: "before" | "in part" | "between" | "over" = "before";

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
    // So that the first boundary is one like the others.
    this.#buffer = Buffer.from("\r\n");
  }

  /** Undefined after the last one. Throws NfError (rest.body) for what is no form, and what the source throws. */
  async next(): Promise<Part | undefined> {
    if (this.#state === "in part") throw new Error("the part before was not read to its end");
    if (this.#state === "before") await this.#skipToFirst();
    if (this.#state === "over") return undefined;
    const head = await this.#head();
    if (head === undefined) return undefined;
    const name = nameOf(head);
    this.#state = "in part";
    return { name, bytes: this.#part() };
  }

  async #skipToFirst(): Promise<void> {
    if (!(await this.#fill(this.#delimiter.length))) throw malformed("it is empty");
    if (!this.#buffer.subarray(0, this.#delimiter.length).equals(this.#delimiter)) throw malformed("it does not begin with its boundary");
    this.#buffer = this.#buffer.subarray(this.#delimiter.length);
    this.#state = "between";
  }

  /** Stands behind a boundary: `--` ends the form, a line break begins a part. */
  async #head(): Promise<string | undefined> {
    if (!(await this.#fill(2))) throw malformed("it ends within a boundary");
    const mark = this.#buffer.toString("latin1", 0, 2);
    if (mark === "--") {
      this.#state = "over";
      await this.#drain();
      return undefined;
    }
    if (mark !== "\r\n") throw malformed("something stands behind a boundary");
    for (;;) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end >= 0 && end <= HEAD_MAX) {
        const head = this.#buffer.toString("utf8", 0, end);
        this.#buffer = this.#buffer.subarray(end + 4);
        return head;
      }
      if (this.#buffer.length > HEAD_MAX) throw malformed(`a part's headers are longer than ${HEAD_MAX} bytes`);
      if (!(await this.#more())) throw malformed("it ends within a part's headers");
    }
  }

  async *#part(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const end = this.#buffer.indexOf(this.#delimiter);
      const sure = end >= 0 ? end : Math.max(0, this.#buffer.length - this.#delimiter.length + 1);
      const bytes = this.#buffer.subarray(0, sure);
      this.#buffer = this.#buffer.subarray(end >= 0 ? end + this.#delimiter.length : sure);
      if (end >= 0) this.#state = "between";
      if (bytes.length > 0) yield bytes;
      if (end >= 0) return;
      if (!(await this.#more())) throw malformed("it ends within a part");
    }
  }

  /** What follows the last boundary is nothing, or line breaks; so that the request is read to its end. */
  async #drain(): Promise<void> {
    this.#buffer = this.#buffer.subarray(2);
    do if (this.#buffer.length > 64) throw malformed("something stands behind its end");
    while (await this.#more());
  }

  async #fill(length: number): Promise<boolean> {
    while (this.#buffer.length < length) if (!(await this.#more())) return false;
    return true;
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(value) : Buffer.concat([this.#buffer, value]);
    return true;
  }
}

function nameOf(head: string): string {
  const disposition = head.split("\r\n").find((line) => /^content-disposition:/i.test(line)) ?? "";
  const name = /;\s*name="([^"]{1,64})"/i.exec(disposition)?.[1];
  if (!/^content-disposition:\s*form-data\s*;/i.test(disposition) || name === undefined) throw malformed("a part has no name");
  return name;
}
