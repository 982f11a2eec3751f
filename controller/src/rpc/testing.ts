/** For tests: pairs of real sockets, over both transports, and what takes their place in time. */
import { mkdtempSync, rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { type TLSSocket, createServer as createTlsServer } from "node:tls";
import { connectController, connectUnix, makePrivateKey, makeRequest } from "@nfactor/host/identity";
import { openMemoryStore } from "../store/index.ts";
import { Authority } from "./authority.ts";

export interface Transport {
  readonly name: string;
  /** A connection: who has connected, and whom it has connected to. */
  pair(): Promise<{ readonly dialer: Socket; readonly listener: Socket }>;
  close(): void;
}

export async function unixTransport(): Promise<Transport> {
  const folder = mkdtempSync(joinPath(tmpdir(), "nfa-rpc-"));
  const path = joinPath(folder, "s");
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer((socket) => waiting.shift()!(socket));
  await new Promise<void>((done) => server.listen(path, done));
  return {
    name: "Unix socket",
    async pair() {
      const listener = new Promise<Socket>((done) => waiting.push(done));
      return { dialer: await connectUnix(path), listener: await listener };
    },
    close() {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function tlsTransport(): Promise<Transport> {
  const authority = await Authority.open(openMemoryStore());
  const { key, cert, ca } = await authority.serverCredentials();
  const private_key = makePrivateKey();
  const { issued } = await authority.issue("h1", await makeRequest(private_key, "h1"));
  const waiting: ((socket: TLSSocket) => void)[] = [];
  const server: Server = createTlsServer(
    { key, cert, ca: [...ca], minVersion: "TLSv1.3", noDelay: true, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      socket.on("error", () => undefined);
      waiting.shift()!(socket);
    },
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    name: "mutual TLS",
    async pair() {
      const listener = new Promise<Socket>((done) => waiting.push(done));
      const dialer = await connectController({ host: "127.0.0.1", port }, { authorities: ca, own: { private_key, certificate: issued.certificate } });
      return { dialer, listener: await listener };
    },
    close: () => void server.close(),
  };
}

/** Turns of the event loop until it is so: sockets are real, and take as many as they take. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setImmediate(done));
}

/** What a promise is rejected with; fails when it is not. */
export async function errorOf(
  promise: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string; readonly fix?: string; readonly allowed?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as never;
  }
  throw new Error("nothing was wrong");
}
