/** One TCP connection of a test: bytes go by their place in the stream, so that they can come in any order, twice, or not at all. */
import { type TcpOptions, type TestChain, tcp } from "@nfactor/sdk/test";

export interface ConnectionOptions {
  v6?: boolean;
  /** Sequence numbers of the two SYNs. */
  starts?: readonly [number, number];
  /** Without a handshake: a capture that begins in the middle. */
  midstream?: boolean;
}

export type Direction = 0 | 1;

let port = 1024;

export class Connection {
  readonly #nf: TestChain;
  readonly #ends: readonly [string, string];
  readonly #starts: [number, number];
  /** Bytes that each side has said, without gaps: what the other acknowledges. */
  readonly #said: [number, number] = [0, 0];

  constructor(nf: TestChain, { v6 = false, starts = [5000, 0xffff_ff00], midstream = false }: ConnectionOptions = {}) {
    this.#nf = nf;
    this.#ends = v6 ? [`[fd00::1]:${port++}`, "[fd00::2]:80"] : [`10.0.0.1:${port++}`, "10.0.0.2:80"];
    this.#starts = [...starts];
    if (!midstream) this.shake();
  }

  /** Another connection of the same ends. */
  restart(starts: readonly [number, number]): void {
    [this.#starts[0], this.#starts[1]] = starts;
    [this.#said[0], this.#said[1]] = [0, 0];
    this.shake();
  }

  shake(): void {
    this.segment(0, { flags: "S", seq: this.#starts[0], ack: 0 });
    this.segment(1, { flags: "SA", seq: this.#starts[1] });
    this.segment(0, { flags: "A", seq: this.#starts[0] + 1 });
  }

  /** The next bytes of a side, in segments of the lengths given; the last length is used again and again. */
  say(direction: Direction, text: string, ...lengths: number[]): void {
    for (let at = 0, i = 0; at < text.length; i++) {
      const length = lengths[Math.min(i, lengths.length - 1)] ?? text.length;
      this.put(direction, this.#said[direction], text.slice(at, at + length));
      this.#said[direction] += Math.min(length, text.length - at);
      at += length;
    }
  }

  /** Bytes at a place of the stream, from 0. They count as said only when `advance` is called. */
  put(direction: Direction, place: number, text: string, wire: { captured?: number } = {}): void {
    this.segment(direction, { flags: "PA", seq: this.#starts[direction] + 1 + place, payload: Buffer.from(text, "latin1") }, wire.captured);
  }
  advance(direction: Direction, bytes: number): void {
    this.#said[direction] += bytes;
  }
  /** An acknowledgement of all that the other side has said. */
  acknowledge(direction: Direction): void {
    this.segment(direction, { seq: this.#starts[direction] + 1 + this.#said[direction] });
  }
  said(direction: Direction): number {
    return this.#said[direction];
  }

  segment(direction: Direction, options: TcpOptions & { seq: number }, captured?: number): void {
    const other = direction === 0 ? 1 : 0;
    const ack = options.ack ?? this.#starts[other] + 1 + this.#said[other];
    const frame = tcp(`${this.#ends[direction]} > ${this.#ends[other]}`, { ...options, seq: options.seq % 2 ** 32, ack: ack % 2 ** 32 });
    const missing = captured === undefined ? 0 : Buffer.from(options.payload as Uint8Array).length - captured;
    const verdict = this.#nf.sendOne(frame.slice(0, frame.length - missing), { port: direction === 0 ? "client" : "server", wireLength: frame.length });
    if (String(verdict) !== "FORWARD") throw new Error(`the parser has to let everything pass, but: ${String(verdict)}`);
  }

  get state(): Record<string, unknown> {
    return this.#nf.flow(`tcp ${this.#ends[0]} > ${this.#ends[1]}`).state;
  }

  /** Method, path, host and status of the exchanges that are kept, oldest first. */
  get exchanges(): string[] {
    const { state } = this;
    const requests = state["requests"] as number;
    const statuses = state["statuses"] as number[];
    return Array.from({ length: Math.min(requests, 8) }, (_, k) => {
      const place = (requests - Math.min(requests, 8) + k) % 8;
      return [state[`method${place}`], state[`path${place}`], state[`host${place}`], statuses[place]].join(" ");
    });
  }
}
