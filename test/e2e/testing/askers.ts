/** Many quiet TCP connections and UDP flows through NAT and load balancer of a lab, whose servers say who talks to whom; see asking_client.mjs. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BalancedLab, CLIENTS, SERVICE } from "./balanced_lab.ts";

const SCRIPTS = new URL("./", import.meta.url).pathname;

/** What a connection was told. */
export interface Told {
  protocol: "tcp" | "udp";
  /** address:port, as all that follow. */
  client: string;
  /** Who has asked, and who was asked, by the server's word. */
  peer?: string;
  backend?: string;
  /** Why there was no answer. */
  error?: string;
}

export class Askers {
  readonly #client: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = "";
  #first: readonly Told[] = [];

  private constructor(client: ChildProcess) {
    this.#client = client;
    this.#lines = createInterface({ input: client.stdout! })[Symbol.asyncIterator]();
    client.stderr!.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  /** Resolves when everybody has asked once, and was answered. */
  static async open(wire: BalancedLab, { tcp, udp }: { tcp: number; udp: number }): Promise<Askers> {
    await wire.startServers();
    const options = { service: SERVICE.address, ports: SERVICE, clients: CLIENTS, tcp, udp };
    const args = [join(SCRIPTS, "asking_client.mjs"), JSON.stringify(options)];
    const askers = new Askers(wire.lab.spawn("client", process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] }));
    askers.#first = await askers.#round(() => Promise.resolve());
    const errors = askers.#first.flatMap(({ error }) => error ?? []);
    if (errors.length > 0) throw new Error(`${errors.length} of ${tcp + udp} connections were not opened: ${errors.slice(0, 5).join("; ")}`);
    return askers;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the clients failed: ${this.#stderr}`);
    return value as string;
  }

  async #round(midway: () => Promise<unknown>): Promise<Told[]> {
    await this.#line();
    const [line] = await Promise.all([this.#line(), midway()]);
    return JSON.parse(line) as Told[];
  }

  /** What they were told first. */
  get first(): readonly Told[] {
    return this.#first;
  }

  /** Everybody asks once more, and when half of them were asked `midway` happens too. */
  again(midway: () => Promise<unknown> = () => Promise.resolve()): Promise<Told[]> {
    this.#client.stdin!.write("ask\n");
    return this.#round(midway);
  }
}
