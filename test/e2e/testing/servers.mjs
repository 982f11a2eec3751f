// Backends, in a namespace of their own: for each address a TCP and a UDP service. They answer every line or datagram with who was asked, and by whom;
// to a datagram that is a number with the number as well.
//   node servers.mjs '{"addresses":["10.77.0.11"],"tcp":8080,"udp":5353}'
// Says "listening" when all are there; runs until it is ended.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

const { addresses, tcp, udp } = JSON.parse(process.argv[2] ?? "{}");
const answer = (backend, peer, question) => `${JSON.stringify({ backend, peer, question })}\n`;

for (const address of addresses) {
  const server = createServer((socket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      for (const byte of chunk) if (byte === 10) socket.write(answer(`${address}:${tcp}`, peer));
    });
  });
  server.listen({ host: address, port: tcp, backlog: 4096 });
  const datagrams = createSocket("udp4");
  datagrams.on("message", (bytes, { address: from, port }) => {
    const question = /^\d+$/.exec(bytes.toString())?.[0];
    datagrams.send(answer(`${address}:${udp}`, `${from}:${port}`, question), port, from);
  });
  datagrams.bind(udp, address);
  await Promise.all([once(server, "listening"), once(datagrams, "listening")]);
}
console.log("listening");
