// Many TCP connections to a service, in a namespace of their own: each sends its own stream of bytes, in HTTP requests one after the other, and gets another
// one back; both are compared byte by byte.
//   node stream_client.mjs '{"service":"198.51.100.1","port":80,"clients":["10.77.0.1"],"connections":1000,"seed":1,"everyMs":200,"chunk":100,"chunks":20}'
// Says {"opened":n} when each has been answered. On stdin: `mark` begins to measure silence, `gaps` prints it, `end` lets every connection finish its request
// and close, and prints what has become of each. Every answer is a line of JSON.
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { MessageReader, Stream, field, paced } from "./stream_wire.mjs";

const { service, port, clients, connections, seed, everyMs, chunk, chunks } = JSON.parse(process.argv[2] ?? "{}");
const AT_ONCE = 50;
const SILENT_MS = 60_000;

const all = [];
let isEnding = false;

class Connection {
  client = "";
  peer = "";
  backend = "";
  /** How often a later answer named another peer or backend than the first. */
  changed = 0;
  requests = 0;
  error;
  toSend = 0;
  silenceMs = 0;
  #isAnswering = false;
  #isLast = false;
  #isOver = false;
  #socket;
  #up;
  #down;
  #at = performance.now();

  constructor(number) {
    this.number = number;
    this.#up = new Stream(seed, number, 0);
    this.#down = new Stream(seed, number, 1);
    this.answered = new Promise((done) => (this.hasAnswered = done));
    this.over = new Promise((done) => (this.isDone = done));
    const reader = new MessageReader({
      head: (lines) => this.#head(lines),
      body: (bytes) => this.#down.takes(bytes) || this.#finish(`other bytes than were sent, around byte ${this.#down.position}`),
      end: () => {
        this.#isAnswering = false;
        this.#goOn();
      },
    });
    const socket = connect({ host: service, port, localAddress: clients[number % clients.length] });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(SILENT_MS, () => this.#finish(`no byte in ${SILENT_MS / 1000} s`));
    socket.on("error", (error) => this.#finish(error.message));
    socket.on("close", () => this.#finish("closed by the other end"));
    socket.on("connect", () => {
      this.client = `${socket.localAddress}:${socket.localPort}`;
      this.#request(chunk * chunks);
    });
    socket.on("data", (bytes) => {
      const now = performance.now();
      this.silenceMs = Math.max(this.silenceMs, now - this.#at);
      this.#at = now;
      reader.take(bytes);
    });
  }

  #request(length) {
    this.requests += 1;
    this.toSend = length;
    this.#isAnswering = true;
    this.#socket.write(`POST /${this.number} HTTP/1.1\r\nHost: streams\r\nContent-Length: ${length}\r\n\r\n`);
  }

  #head(lines) {
    const { backend, peer, received, isWrong } = JSON.parse(field(lines, "x-seen"));
    if (this.peer !== "" && (this.peer !== peer || this.backend !== backend)) this.changed += 1;
    else [this.peer, this.backend] = [peer, backend];
    if (isWrong) this.#finish("the server got other bytes than were sent");
    if (this.#isLast && received !== this.#up.position) this.#finish(`the server got ${received} bytes of ${this.#up.position}`);
    this.hasAnswered();
  }

  /** A request is over when all of it was sent and all of the answer is there. The last one has no body: the server says what it has got. */
  #goOn() {
    if (this.toSend > 0 || this.#isAnswering || this.#isOver) return;
    if (this.#isLast) return this.#finish(undefined);
    this.#isLast = isEnding;
    this.#request(isEnding ? 0 : chunk * chunks);
  }

  #finish(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.toSend = 0;
    this.error = error;
    if (error === undefined) this.#socket.end();
    else this.#socket.destroy();
    this.hasAnswered();
    this.isDone();
  }

  send() {
    if (this.toSend === 0) return;
    const bytes = Math.min(chunk, this.toSend);
    this.toSend -= bytes;
    this.#socket.write(this.#up.next(bytes));
    this.#goOn();
  }

  /** Up to now, also when it is silent still. */
  get silence() {
    return this.#isOver ? undefined : Math.round(Math.max(this.silenceMs, performance.now() - this.#at));
  }

  get bytes() {
    return this.#up.position + this.#down.position;
  }
}

const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => new Promise((done) => process.stdout.write(`${JSON.stringify(what)}\n`, done));

paced(
  () => all,
  everyMs,
  (one) => one.send(),
);
const openSome = async () => {
  while (all.length < connections) {
    const one = new Connection(all.length);
    all.push(one);
    await one.answered;
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, openSome));
void say({ opened: all.filter(({ error, peer }) => error === undefined && peer !== "").length, errors: all.flatMap(({ error }) => error ?? []).slice(0, 5) });

for await (const order of { [Symbol.asyncIterator]: () => orders }) {
  if (order === "mark") for (const one of all) one.silenceMs = 0;
  if (order === "gaps") void say(all.flatMap((one) => one.silence ?? []));
  if (order === "end") break;
}
isEnding = true;
await Promise.all(all.map(({ over }) => over));
await say(all.map(({ client, peer, backend, changed, requests, error, bytes }) => ({ client, peer, backend, changed, requests, error, bytes })));
process.exit(0);
