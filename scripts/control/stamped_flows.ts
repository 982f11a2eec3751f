/**
 * UDP flows from the client to the server at a steady pace, and when the server has got the first packet with a stamp on each of them. They are few packets,
 * and they end with the lab.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { NetworkLab } from "../lib/network_lab.ts";

const PORT = 9;
const FIRST_CLIENT_PORT = 20_000;

/** Prints a line for each stamp and flow when it has got the first one. */
const SERVER = `
const seen = new Set();
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (message) => {
  const key = message[0] * 256 + message[1];
  if (seen.has(key)) return;
  seen.add(key);
  console.log(message[0] + " " + message[1] + " " + Number(process.hrtime.bigint()) / 1e6);
});
socket.bind(${PORT}, () => console.log("ready"));`;

const CLIENT = `
const [address, flows, everyMs] = process.argv.slice(1);
const sockets = Array.from({ length: Number(flows) }, (_, i) => {
  const socket = require("node:dgram").createSocket("udp4");
  socket.bind(${FIRST_CLIENT_PORT} + i);
  socket.on("error", () => undefined);
  return socket;
});
setInterval(() => sockets.forEach((socket, i) => {
  const message = Buffer.alloc(64);
  message[1] = i;
  socket.send(message, ${PORT}, address, () => undefined);
}), Number(everyMs));`;

export class StampedFlows {
  readonly #flows: number;
  /** By stamp: of each flow that had one, the time of the first. */
  readonly #first = new Map<number, Map<number, number>>();

  private constructor(flows: number) {
    this.#flows = flows;
  }

  static async start(lab: NetworkLab, { flows, everyMs }: { readonly flows: number; readonly everyMs: number }): Promise<StampedFlows> {
    const server = lab.spawn("server", process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "inherit"] });
    lab.spawn("client", process.execPath, ["-e", CLIENT, lab.serverAddress, String(flows), String(everyMs)], { stdio: ["ignore", 2, 2] });
    const started = new StampedFlows(flows);
    let rest = "";
    server.stdout!.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!;
      for (const line of lines) started.#note(line);
    });
    return started;
  }

  #note(line: string): void {
    const [stamp, flow, atMs] = line.split(" ").map(Number);
    if (atMs === undefined) return;
    const first = this.#first.get(stamp!) ?? new Map<number, number>();
    this.#first.set(stamp!, first);
    first.set(flow!, atMs);
  }

  /** When the first packet of any flow had the stamp, and when one of each had it. */
  async until(stamp: number, timeoutMs: number): Promise<{ readonly firstMs: number; readonly allMs: number }> {
    for (let waited = 0; waited < timeoutMs; waited += 5, await pause(5)) {
      const times = [...(this.#first.get(stamp)?.values() ?? [])];
      if (times.length >= this.#flows) return { firstMs: Math.min(...times), allMs: Math.max(...times) };
    }
    const had = this.#first.get(stamp)?.size ?? 0;
    throw new Error(`${had} of ${this.#flows} flows had a packet with the stamp ${stamp} within ${timeoutMs} ms`);
  }
}
