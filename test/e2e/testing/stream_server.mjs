// Backends of the streams, in a namespace of their own. Every request says whose stream it carries; the answer, which begins at once, carries as many bytes
// of the other direction at the same pace, and who was asked by whom.
//   node stream_server.mjs '{"addresses":["10.77.0.11"],"port":8080,"seed":1,"everyMs":200,"chunk":100}'
// Says "listening" when all are there; runs until it is ended.
import { once } from "node:events";
import { createServer } from "node:net";
import { MessageReader, Stream, field, paced } from "./stream_wire.mjs";

const { addresses, port, seed, everyMs, chunk } = JSON.parse(process.argv[2] ?? "{}");
const open = new Set();

function serve(socket, address) {
  const peer = `${socket.remoteAddress}:${socket.remotePort}`;
  const connection = { socket, toSend: 0, up: undefined, down: undefined, isWrong: false };
  const reader = new MessageReader({
    head: (lines) => {
      const number = Number(lines[0].split("/")[1]?.split(" ")[0]);
      const length = Number(field(lines, "content-length"));
      connection.up ??= new Stream(seed, number, 0);
      connection.down ??= new Stream(seed, number, 1);
      const said = JSON.stringify({ backend: `${address}:${port}`, peer, received: connection.up.position, isWrong: connection.isWrong });
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nX-Seen: ${said}\r\n\r\n`);
      connection.toSend += length;
    },
    body: (bytes) => {
      if (!connection.up.takes(bytes)) connection.isWrong = true;
    },
    end: () => undefined,
  });
  open.add(connection);
  socket.setNoDelay(true);
  socket.on("data", (bytes) => reader.take(bytes));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => open.delete(connection));
}

paced(
  () => [...open],
  everyMs,
  (connection) => {
    const bytes = Math.min(chunk, connection.toSend);
    if (bytes === 0) return;
    connection.toSend -= bytes;
    connection.socket.write(connection.down.next(bytes));
  },
);
for (const address of addresses) {
  const server = createServer((socket) => serve(socket, address));
  server.listen({ host: address, port, backlog: 4096 });
  await once(server, "listening");
}
console.log("listening");
