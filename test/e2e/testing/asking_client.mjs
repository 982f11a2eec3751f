// Many quiet TCP connections and UDP flows to servers.mjs, in a namespace of their own, that ask only when they are told to.
//   node asking_client.mjs '{"service":"198.51.100.1","ports":{"tcp":80,"udp":53},"clients":["10.77.0.1"],"tcp":10000,"udp":2000}'
// Asks once on each of them, and again for each line on stdin. Says "midway" when half of them were asked, and in the end prints what each was told, or why
// it was not, as one line of JSON.
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const { service, ports, clients, tcp, udp } = JSON.parse(process.argv[2] ?? "{}");
const AT_ONCE = 100;
const RESEND_MS = 1000;
/** Much longer than a failover takes on a loaded machine. Once somebody got no answer, the others' is not waited for that long any more. */
const SILENT_MS = 60_000;
const SILENT_AGAIN_MS = 2000;
let silentMs = SILENT_MS;

/** Asks one question after the other. */
class Connection {
  client = "";
  #answer;
  #error;
  #end = () => undefined;

  /** The answer, or { error }: who has failed has failed for good. */
  async ask() {
    if (this.#error === undefined) {
      this.#answer = undefined;
      const over = new Promise((end) => (this.#end = end));
      const limit = setTimeout(() => {
        this.fails(`no answer in ${silentMs / 1000} s`);
        silentMs = SILENT_AGAIN_MS;
      }, silentMs);
      this.send();
      await over;
      clearTimeout(limit);
    }
    return this.#error === undefined ? this.#answer : { error: this.#error };
  }

  get isAsking() {
    return this.#answer === undefined && this.#error === undefined;
  }

  answers(answer) {
    this.#answer = answer;
    this.#end();
  }

  fails(error) {
    this.#error ??= error;
    this.#end();
  }
}

class TcpConnection extends Connection {
  protocol = "tcp";
  #socket;
  #text = "";

  constructor(localAddress) {
    super();
    this.#socket = connect({ host: service, port: ports.tcp, localAddress, noDelay: true });
    this.#socket.on("connect", () => (this.client = `${this.#socket.localAddress}:${this.#socket.localPort}`));
    this.#socket.on("error", (error) => this.fails(error.message));
    this.#socket.on("close", () => this.fails("closed by the other end"));
    this.#socket.on("data", (bytes) => {
      this.#text += bytes.toString();
      if (!this.#text.endsWith("\n")) return;
      this.answers(JSON.parse(this.#text));
      this.#text = "";
    });
  }

  send() {
    this.#socket.write("?\n");
  }
}

/** Numbers its questions: the answer to one that was sent twice may come when the next one is asked. */
class UdpFlow extends Connection {
  protocol = "udp";
  #socket = createSocket("udp4");
  #number = 0;

  constructor(localAddress) {
    super();
    this.#socket.on("error", (error) => this.fails(error.message));
    this.#socket.on("message", (bytes) => {
      const { question, ...answer } = JSON.parse(bytes.toString());
      if (question === String(this.#number)) this.answers(answer);
    });
    this.#socket.bind(0, localAddress, () => (this.client = `${localAddress}:${this.#socket.address().port}`));
  }

  send() {
    this.#number += 1;
    this.#sendAs(this.#number);
  }

  #sendAs(number) {
    if (!this.isAsking || number !== this.#number) return;
    this.#socket.send(String(number), ports.udp, service);
    setTimeout(() => this.#sendAs(number), RESEND_MS);
  }
}

const all = [];
const total = tcp + udp;

/** UDP flows are spread among the TCP connections. */
function open(i) {
  const isUdp = Math.floor(((i + 1) * udp) / total) > Math.floor((i * udp) / total);
  const connection = new (isUdp ? UdpFlow : TcpConnection)(clients[i % clients.length]);
  all[i] = connection;
  return connection;
}

async function askAll() {
  const told = [];
  let turn = 0;
  const worker = async () => {
    while (turn < total) {
      const i = turn++;
      if (i === total >> 1) console.log("midway");
      const connection = all[i] ?? open(i);
      const answer = await connection.ask();
      told[i] = { protocol: connection.protocol, client: connection.client, ...answer };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  console.log(JSON.stringify(told));
}

const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
do await askAll();
while (!(await orders.next()).done);
process.exit(0);
