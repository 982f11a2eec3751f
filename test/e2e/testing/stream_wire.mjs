// What the two ends of a stream have in common: the bytes that it carries, and HTTP/1.1 messages that carry them. A stream is the sequence of all bodies of
// one direction of a connection; each connection and direction has bytes of its own, so one that is missing, repeated or another's shows.

import { performance } from "node:perf_hooks";

/** A prime, so that streams repeat themselves only after all of it. */
const BLOCK = 65_521;
const blocks = new Map();

/** xorshift32 */
function blockOf(seed) {
  let block = blocks.get(seed);
  if (block) return block;
  block = Buffer.alloc(BLOCK);
  let x = (seed ^ 0x9e3779b9) >>> 0 || 1;
  for (let i = 0; i < BLOCK; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    block[i] = x;
  }
  blocks.set(seed, block);
  return block;
}

export class Stream {
  #block;
  #start;
  /** Bytes so far. */
  position = 0;

  /** `direction`: 0 to the server, 1 to the client. */
  constructor(seed, connection, direction) {
    this.#block = blockOf(seed);
    this.#start = (connection * 7919 + direction * 31_337) % BLOCK;
  }

  /** The next bytes, for sending. */
  next(bytes) {
    const from = (this.#start + this.position) % BLOCK;
    this.position += bytes;
    if (from + bytes <= BLOCK) return this.#block.subarray(from, from + bytes);
    return Buffer.concat([this.#block.subarray(from), this.#block.subarray(0, from + bytes - BLOCK)]);
  }

  /** Whether these are the next bytes. */
  takes(bytes) {
    return this.next(bytes.length).equals(bytes);
  }
}

/** Takes messages apart: `head(lines)` for each head, `body(bytes)` for what belongs to the body, `end()` behind it. */
export class MessageReader {
  #text = "";
  #left = 0;
  #on;

  constructor(on) {
    this.#on = on;
  }

  take(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left);
        at += bytes.length;
        this.#left -= bytes.length;
        this.#on.body(bytes);
        if (this.#left === 0) this.#on.end();
        continue;
      }
      const before = this.#text.length;
      this.#text += chunk.toString("latin1", at);
      const end = this.#text.indexOf("\r\n\r\n");
      if (end < 0) return;
      at += end + 4 - before;
      const lines = this.#text.slice(0, end).split("\r\n");
      this.#text = "";
      this.#left = Number(field(lines, "content-length") ?? 0);
      this.#on.head(lines);
      if (this.#left === 0) this.#on.end();
    }
  }
}

export function field(lines, name) {
  const line = lines.find((one) => one.toLowerCase().startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}

/** Calls `send(one)` for each of `all()` once in `everyMs`, a few at a time. */
export function paced(all, everyMs, send) {
  const ticks = Math.max(1, Math.round(everyMs / 10));
  let [done, begun] = [0, performance.now()];
  return setInterval(() => {
    const due = Math.floor((performance.now() - begun) / (everyMs / ticks));
    // After a pause of this process nobody sends twice in a row.
    if (due - done > ticks) [done, begun] = [0, performance.now() - everyMs];
    const list = all();
    for (let last = Math.min(due, done + ticks); done < last; done++) for (let i = done % ticks; i < list.length; i += ticks) send(list[i]);
  }, 5);
}
