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
 * Sends until it is told to end on stdin, where it is also told of other paces, then waits for what is still on its way. One packet goes ahead: while the
 * server's link-layer address is asked for, the kernel keeps 256 packets for it and loses the others.
 */
const CLIENT = `
const [address, flows, everyMs] = process.argv.slice(1);
const QUIET_MS = 1000;
const sums = { sent: 0, answered: 0, lost: 0, reordered: 0, repeated: 0, silenceMs: 0 };
const sockets = [];
/** Of all flows, or of every second one each. */
let timers = [];
let [begun, answeredAt] = [0, 0];
for (let i = 0; i < Number(flows); i++) {
  const socket = require("node:dgram").createSocket("udp4");
  const flow = { socket, next: 0, last: -1, seen: new Set() };
  socket.on("message", (message) => {
    const number = message.readUInt32LE(0);
    sums.answered += 1;
    if (timers.length === 0) begin();
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
const begin = () => { step(); timers = [setInterval(step, Number(everyMs))]; };
/** Evenly over the time: flows that are sent at once all keep their runtimes busy at once. */
const setPaces = (paces) => {
  timers.forEach(clearInterval);
  timers = paces.map((ms, half) => {
    const own = sockets.flatMap((flow, i) => (i % 2 === half ? [[flow, i]] : []));
    let [next, at] = [0, performance.now()];
    return setInterval(() => {
      const now = performance.now();
      // What a busy machine has missed is not made up for.
      for (at = Math.max(at, now - ms); at <= now; at += ms / own.length) send(...own[next++ % own.length]);
    }, 1);
  });
};
const setPace = (ms) => { timers.forEach(clearInterval); timers = [setInterval(step, ms)]; };
send(sockets[0], 0);
process.stdin.on("data", (line) => {
  const paces = line.toString().trim().split("\\n").at(-1).split(" ").map(Number);
  if (paces.length === 2) return setPaces(paces);
  if (paces[0] > 0) return setPace(paces[0]);
  timers.forEach(clearInterval);
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

  /** From now on all flows send so often, at once. */
  setPace(everyMs: number): void {
    this.#client.stdin!.write(`${everyMs}\n`);
  }

  /** From now on each flow sends so often: the first, the third and so on, and the others; evenly over the time. */
  setPaces(oddMs: number, evenMs: number): void {
    this.#client.stdin!.write(`${oddMs} ${evenMs}\n`);
  }

  /** Stops sending and counts; the server ends. */
  async end(): Promise<Numbers> {
    const ended = once(this.#client, "close");
    this.#client.stdin!.write("end\n");
    await ended;
    const numbers = JSON.parse(this.#output.trim().split("\n").at(-1)!) as Omit<Numbers, "overflowed">;
    const overflowed = (await overflowedIn(this.#lab)) - this.#overflowedBefore;
    // Others may come, on the same ports.
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      const gone = once(this.#server, "exit");
      this.#server.kill("SIGKILL");
      await gone;
    }
    return { ...numbers, lost: numbers.lost - overflowed, overflowed };
  }
}
