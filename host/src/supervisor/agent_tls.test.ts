import { connect } from "node:net";
import { expect, test } from "vitest";
import { listenTls } from "./agent_tls.ts";

test("a connection that is no TLS ends, and is told of", async () => {
  const refused: string[] = [];
  const server = await listenTls(
    { host: "127.0.0.1", port: 0 },
    Buffer.alloc(32),
    () => undefined,
    (_from, why) => refused.push(why),
  );
  const { port } = server.address() as { port: number };
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\n\r\n"));
  socket.on("error", () => undefined);
  await new Promise((done) => socket.on("close", done));
  expect(refused).toHaveLength(1);
  await new Promise((done) => server.close(done));
});
