// Clients of a service, in a namespace of their own. Opens connections, asks twice on each, says "opened"; after a line on stdin it asks again on all of
// them (`rounds` times), opens as many new ones, then `brief` TCP connections that are closed after two questions, and prints what it has learnt of each as
// one line of JSON. Ends with stdin; until then all others stay open.
//   node clients.mjs '{"service":"198.51.100.1","tcp":80,"udp":53,"clients":["10.77.0.1"],"count":100}'
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const { service, tcp, udp, clients, count, rounds = 1, brief = 0 } = JSON.parse(process.argv[2] ?? "{}");
const AT_ONCE = 40;
const ANSWER_MS = 1000;
const TRIES = 10;

/** Each: { protocol, set, client, answers: [{ backend, peer, from }], resends, ask() }. */
const all = [];

async function overTcp(localAddress) {
  const socket = connect({ host: service, port: tcp, localAddress });
  socket.setTimeout(30_000, () => socket.destroy(new Error("no answer in 30 s")));
  await once(socket, "connect");
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const connection = { protocol: "tcp", client: `${socket.localAddress}:${socket.localPort}`, answers: [], resends: 0 };
  connection.ask = async () => {
    socket.write("?\n");
    const { value, done } = await lines.next();
    if (done) throw new Error(`${connection.client}: the connection was closed`);
    connection.answers.push({ ...JSON.parse(value), from: `${socket.remoteAddress}:${socket.remotePort}` });
  };
  connection.close = () => {
    socket.end();
    return once(socket, "close");
  };
  return connection;
}

async function overUdp(localAddress) {
  const socket = createSocket("udp4");
  socket.bind(0, localAddress);
  await once(socket, "listening");
  const connection = { protocol: "udp", client: `${localAddress}:${socket.address().port}`, answers: [], resends: 0 };
  connection.ask = async () => {
    const answered = once(socket, "message");
    for (let i = 0; i < TRIES; i++) {
      if (i > 0) connection.resends++;
      socket.send("?\n", udp, service);
      const got = await Promise.race([answered, new Promise((done) => setTimeout(done, ANSWER_MS))]);
      if (got === undefined) continue;
      const [bytes, { address, port }] = got;
      connection.answers.push({ ...JSON.parse(bytes.toString()), from: `${address}:${port}` });
      return;
    }
    throw new Error(`${connection.client}: no answer to ${TRIES} datagrams`);
  };
  return connection;
}

/** Runs all of it, so many at once. */
async function each(list, work) {
  const queue = [...list.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function openSet(set) {
  await each(Array.from({ length: 2 * count }), async (_, i) => {
    const connection = await (i % 2 === 0 ? overTcp : overUdp)(clients[(i >> 1) % clients.length]);
    all.push(Object.assign(connection, { set }));
    await connection.ask();
    await connection.ask();
  });
}

async function openBrief() {
  await each(Array.from({ length: brief }), async (_, i) => {
    const connection = await overTcp(clients[i % clients.length]);
    all.push(Object.assign(connection, { set: "brief" }));
    await connection.ask();
    await connection.ask();
    await connection.close();
  });
}

const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await openSet("before");
console.log("opened");
await orders.next();
for (let i = 0; i < rounds; i++) await each(all, (connection) => connection.ask());
await openSet("after");
await openBrief();
console.log(JSON.stringify(all.map(({ protocol, set, client, answers, resends }) => ({ protocol, set, client, answers, resends }))));
await orders.next();
process.exit(0);
