/** Many slow TCP connections through a lab's wire, with NAT and load balancer on it or not, whose bytes are compared at both ends; see stream_client.mjs. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { NetworkLab } from "../../../scripts/lib/network_lab.ts";
import { BACKEND_PORTS, type BalancedLab, CLIENTS, SERVICE, before } from "./balanced_lab.ts";

const SCRIPTS = new URL("./", import.meta.url).pathname;

export interface StreamOptions {
  connections: number;
  seed: number;
  /** Each sends so often, in both directions, */
  everyMs: number;
  /** so many bytes, */
  chunk?: number;
  /** so many times in a request. */
  chunks?: number;
}

/** What has become of a connection. */
export interface StreamEnd {
  /** address:port, as all that follow. */
  client: string;
  peer: string;
  backend: string;
  /** How often it came to another backend, or from another address or port, than before. */
  changed: number;
  requests: number;
  error?: string;
  bytes: number;
}

/** Longest time without a byte, ms, over the connections. */
export interface Silence {
  median: number;
  p99: number;
  max: number;
}

export class Streams {
  readonly #client: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly everyMs: number;
  #stderr = "";

  private constructor(client: ChildProcess, everyMs: number) {
    this.#client = client;
    this.everyMs = everyMs;
    this.#lines = createInterface({ input: client.stdout! })[Symbol.asyncIterator]();
    client.stderr!.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  /** Resolves when each connection has been answered. */
  static open({ lab }: BalancedLab, options: StreamOptions): Promise<Streams> {
    const backends = { addresses: before.map(({ address }) => address), port: BACKEND_PORTS.tcp };
    return Streams.#open(lab, backends, { service: SERVICE.address, port: SERVICE.tcp, clients: CLIENTS }, options);
  }

  /** The same, from the client's address to the server's. */
  static openDirectly(lab: NetworkLab, options: StreamOptions): Promise<Streams> {
    const { serverAddress, clientAddress } = lab;
    const service = { service: serverAddress, port: BACKEND_PORTS.tcp, clients: [clientAddress] };
    return Streams.#open(lab, { addresses: [serverAddress], port: BACKEND_PORTS.tcp }, service, options);
  }

  static async #open(
    lab: NetworkLab,
    backends: { readonly addresses: readonly string[]; readonly port: number },
    service: { readonly service: string; readonly port: number; readonly clients: readonly string[] },
    { connections, seed, everyMs, chunk = 100, chunks = 20 }: StreamOptions,
  ): Promise<Streams> {
    const both = { seed, everyMs, chunk };
    const server = lab.spawn("server", process.execPath, [join(SCRIPTS, "stream_server.mjs"), JSON.stringify({ ...both, ...backends })]);
    const listening = createInterface({ input: server.stdout! })[Symbol.asyncIterator]();
    if ((await listening.next()).value !== "listening") throw new Error("the servers did not start");
    const args = [join(SCRIPTS, "stream_client.mjs"), JSON.stringify({ ...both, ...service, connections, chunks })];
    const streams = new Streams(lab.spawn("client", process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] }), everyMs);
    const { opened, errors } = await streams.#answer<{ opened: number; errors: string[] }>();
    if (opened !== connections) throw new Error(`${opened} of ${connections} connections were opened: ${errors.join("; ")}`);
    return streams;
  }

  async #answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the clients failed: ${this.#stderr}`);
    return JSON.parse(value as string) as T;
  }

  /** Silence is measured from now on. */
  mark(): void {
    this.#client.stdin!.write("mark\n");
  }

  /** Since the mark. */
  async silence(): Promise<Silence> {
    this.#client.stdin!.write("gaps\n");
    const gaps = (await this.#answer<number[]>()).sort((a, b) => a - b);
    const at = (part: number): number => gaps[Math.min(gaps.length - 1, Math.floor(part * gaps.length))] ?? 0;
    return { median: at(0.5), p99: at(0.99), max: at(1) };
  }

  /** Every connection finishes its request, and closes. */
  async end(): Promise<StreamEnd[]> {
    this.#client.stdin!.write("end\n");
    return this.#answer<StreamEnd[]>();
  }
}
