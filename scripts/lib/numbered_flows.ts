/**
 * UDP flows with numbered packets through a lab's wire: each of many client sockets sends its next number at a steady pace, the server sends it back, and
 * what is missing, comes twice or too late shows.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { NetworkLab } from "./network_lab.ts";
import { overflowedIn } from "./kernel_counts.ts";

/** Each of these has a receive buffer of its own in the kernel: one would overflow when all flows come at once after the machine was busy. */
const PORTS = 15;
const FIRST_PORT = 9;

const SERVER = `
let bound = 0;
for (let i = 0; i < ${PORTS}; i++) {
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (message, { address, port }) => socket.send(message, port, address));
  socket.bind(${FIRST_PORT} + i, () => { if (++bound === ${PORTS}) console.log("ready"); });
}`;

/**
 * Sends until it is told to end on stdin, where it is also told another pace, then waits for what is still on its way. One packet goes ahead: while the
 * server's link-layer address is asked for, the kernel keeps 256 packets for it and loses the others.
 */
const CLIENT = `
const [address, flows, everyMs] = process.argv.slice(1);
const QUIET_MS = 1000;
const sums = { sent: 0, answered: 0, lost: 0, reordered: 0, repeated: 0, silenceMs: 0 };
const sockets = [];
let timer;
let [begun, answeredAt] = [0, 0];
for (let i = 0; i < Number(flows); i++) {
  const socket = require("node:dgram").createSocket("udp4");
  const flow = { socket, next: 0, last: -1, seen: new Set() };
  socket.on("message", (message) => {
    const number = message.readUInt32LE(0);
    sums.answered += 1;
    if (timer === undefined) begin();
    if (flow.last < 0 && ++begun === sockets.length) console.log("ready");
    if (flow.seen.has(number)) sums.repeated += 1;
    else if (number < flow.last) sums.reordered += 1;
    flow.seen.add(number);
    flow.last = Math.max(flow.last, number);
    const now = performance.now();
    if (flow.at !== undefined) sums.silenceMs = Math.max(sums.silenceMs, Math.round(now - flow.at));
    flow.at = now;
    answeredAt = now;
  });
  socket.bind(20000 + i);
  sockets.push(flow);
}
const message = (number) => { const bytes = Buffer.alloc(64); bytes.writeUInt32LE(number, 0); return bytes; };
const send = (flow, i) => { flow.socket.send(message(flow.next++), ${FIRST_PORT} + (i % ${PORTS}), address); sums.sent += 1; };
const step = () => sockets.forEach(send);
const begin = () => { step(); timer = setInterval(step, Number(everyMs)); };
send(sockets[0], 0);
process.stdin.on("data", (line) => {
  clearInterval(timer);
  const every = Number(line);
  if (every > 0) return void (timer = setInterval(step, every));
  answeredAt = performance.now();
  // What waits in somebody's queue comes late on a busy machine, but not after a pause.
  const look = setInterval(() => {
    if (performance.now() - answeredAt < (sums.answered < sums.sent ? 2 : 1) * QUIET_MS) return;
    clearInterval(look);
    for (const flow of sockets) sums.lost += flow.next - flow.seen.size;
    console.log(JSON.stringify(sums));
    process.exit(0);
  }, 100);
});`;

export interface Numbers {
  sent: number;
  answered: number;
  /** Not answered, though there was room for them in the kernels at the ends. */
  lost: number;
  /** For these there was none, so they are no business of the host. */
  overflowed: number;
  reordered: number;
  repeated: number;
  /** Longest time in which a flow had no answer. */
  silenceMs: number;
}

export class NumberedFlows {
  readonly #lab: NetworkLab;
  readonly #client: ChildProcess;
  readonly #server: ChildProcess;
  readonly #overflowedBefore: number;
  #output = "";

  private constructor(lab: NetworkLab, client: ChildProcess, server: ChildProcess, overflowedBefore: number) {
    this.#lab = lab;
    this.#server = server;
    this.#overflowedBefore = overflowedBefore;
    this.#client = client;
    client.stdout!.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  /** From the client's ports 20000 and up to the server's ports 9 to 23. Resolves when every flow has had an answer. */
  static async start(lab: NetworkLab, { flows, everyMs }: { flows: number; everyMs: number }): Promise<NumberedFlows> {
    const server = lab.spawn("server", process.execPath, ["-e", SERVER]);
    await once(server.stdout!, "data");
    const args = ["-e", CLIENT, lab.serverAddress, String(flows), String(everyMs)];
    const overflowed = await overflowedIn(lab);
    const client = lab.spawn("client", process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const started = new NumberedFlows(lab, client, server, overflowed);
    await once(client.stdout!, "data");
    await new Promise((done) => setTimeout(done, 500));
    return started;
  }

  /** From now on each flow sends so often. */
  setPace(everyMs: number): void {
    this.#client.stdin!.write(`${everyMs}\n`);
  }

  /** Stops sending and counts. */
  async end(): Promise<Numbers> {
    const ended = once(this.#client, "close");
    this.#client.stdin!.write("end\n");
    await ended;
    this.#server.kill("SIGKILL");
    const numbers = JSON.parse(this.#output.trim().split("\n").at(-1)!) as Omit<Numbers, "overflowed">;
    const overflowed = (await overflowedIn(this.#lab)) - this.#overflowedBefore;
    return { ...numbers, lost: numbers.lost - overflowed, overflowed };
  }
}
