/**
 * Bytes from the server to the client as fast as they go, over several TCP connections, for as long as it is wanted: how many have arrived is asked for at any
 * time. TCP slows down by itself before anything overflows, so that what is on its way is bounded by its windows.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { NetworkLab } from "../lib/network_lab.ts";
import { clockMs } from "./worker.ts";

const PORT = 7000;
const STARTS_MS = 10_000;

const SERVER = `
const chunk = Buffer.alloc(65536, 7);
const server = require("node:net").createServer((socket) => {
  const write = () => { while (socket.write(chunk)); };
  socket.on("drain", write);
  socket.on("error", () => undefined);
  write();
});
server.listen(${PORT}, () => process.send({}));
process.on("disconnect", () => process.exit(0));`;

const CLIENT = `
const [address, count] = process.argv.slice(1);
let bytes = 0;
const open = new Set();
for (let i = 0; i < Number(count); i++) {
  const socket = require("node:net").connect(${PORT}, address);
  socket.on("connect", () => open.add(socket));
  socket.on("data", (chunk) => (bytes += chunk.length));
  socket.on("error", (error) => console.error(error.message));
  socket.on("close", () => open.delete(socket));
}
process.on("message", () => process.send({ bytes, open: open.size, atMs: Number(process.hrtime.bigint()) / 1e6 }));
process.on("disconnect", () => process.exit(0));`;

export interface Arrived {
  readonly bytes: number;
  /** Connections. */
  readonly open: number;
  readonly atMs: number;
}

export class TcpStream {
  readonly #server: ChildProcess;
  readonly #client: ChildProcess;

  private constructor(server: ChildProcess, client: ChildProcess) {
    this.#server = server;
    this.#client = client;
  }

  /** Resolves when all connections carry bytes. */
  static async start(lab: NetworkLab, connections: number): Promise<TcpStream> {
    const server = lab.spawn("server", process.execPath, ["-e", SERVER], { stdio: ["ignore", 2, 2, "ipc"] });
    await once(server, "message");
    const client = lab.spawn("client", process.execPath, ["-e", CLIENT, lab.serverAddress, String(connections)], { stdio: ["ignore", 2, 2, "ipc"] });
    const stream = new TcpStream(server, client);
    for (const endMs = clockMs() + STARTS_MS; clockMs() < endMs;) {
      const { open, bytes } = await stream.arrived();
      if (open === connections && bytes > 0) return stream;
    }
    throw new Error(`not all of ${connections} connections were made within ${STARTS_MS} ms`);
  }

  get pids(): readonly number[] {
    return [this.#server.pid!, this.#client.pid!];
  }

  async arrived(): Promise<Arrived> {
    const answer = once(this.#client, "message") as Promise<[Arrived]>;
    this.#client.send({});
    return (await answer)[0];
  }

  end(): void {
    this.#client.kill("SIGKILL");
    this.#server.kill("SIGKILL");
  }
}
