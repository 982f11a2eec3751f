/** One TCP connection of a test: two sides that say segments, with numbers counted from each side's first. */
import { type TcpOptions, type TestChain, type TestFlow, tcp } from "@nfactor/sdk/test";

export interface Said {
  /** Number of the first byte, from the side's SYN on: 0 is the SYN, 1 the first byte of data. */
  seq?: number;
  /** The other side's number. */
  ack?: number;
  /** Bytes of data. */
  length?: number;
  window?: number;
  /** Window scale option. */
  scale?: number;
  /** MSS, SACK permitted, timestamps and the rest around the scale, as Linux sends them. */
  plainOptions?: boolean;
}

export interface DialogueOptions {
  client?: string;
  server?: string;
  /** First sequence numbers. */
  clientStart?: number;
  serverStart?: number;
}

export class Dialogue {
  readonly #nf: TestChain;
  readonly #ends: readonly [string, string];
  readonly #starts: readonly [number, number];

  constructor(nf: TestChain, { client = "10.0.0.1:4000", server = "10.0.0.2:80", clientStart = 1000, serverStart = 900_000 }: DialogueOptions = {}) {
    this.#nf = nf;
    this.#ends = [client, server];
    this.#starts = [clientStart, serverStart];
  }

  client(flags: string, said: Said = {}): string {
    return String(this.#nf.sendOne(this.frame(0, flags, said)));
  }
  server(flags: string, said: Said = {}): string {
    return String(this.#nf.sendOne(this.frame(1, flags, said), { port: "server" }));
  }

  frame(side: 0 | 1, flags: string, { seq = 0, ack = 0, length = 0, window = 60_000, scale, plainOptions = false }: Said = {}): Uint8Array {
    const other = side === 0 ? 1 : 0;
    const scaled = scale === undefined ? [] : [1, 3, 3, scale];
    const options: TcpOptions = {
      flags,
      seq: (this.#starts[side] + seq) >>> 0,
      ack: flags.includes("A") ? (this.#starts[other] + ack) >>> 0 : 0,
      window,
      tcpOptions: plainOptions ? [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, ...scaled] : scaled,
      payload: new Uint8Array(length),
    };
    return tcp(`${this.#ends[side]} > ${this.#ends[other]}`, options);
  }

  /** SYN, SYN+ACK, ACK; returns what became of the three. */
  shake({
    clientScale,
    serverScale,
    clientWindow = 60_000,
    serverWindow = 60_000,
  }: { clientScale?: number; serverScale?: number; clientWindow?: number; serverWindow?: number } = {}): string[] {
    return [
      this.client("S", { window: clientWindow, ...(clientScale === undefined ? {} : { scale: clientScale }) }),
      this.server("SA", { ack: 1, window: serverWindow, ...(serverScale === undefined ? {} : { scale: serverScale }) }),
      this.client("A", { seq: 1, ack: 1, window: clientScale === undefined ? clientWindow : clientWindow >> clientScale }),
    ];
  }

  get flow(): TestFlow {
    return this.#nf.flow(`tcp ${this.#ends[0]} > ${this.#ends[1]}`);
  }
}
