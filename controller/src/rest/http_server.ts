/**
 * Where requests come in: HTTP on loopback and on Unix sockets, HTTPS on any address. Node's own servers, with bounds on all that a stranger can draw out;
 * requests go to Fastify's router.
 */
import { readFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerOptions, type ServerResponse, createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { BlockList, type Socket, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import type { FastifyInstance } from "fastify";
import { listenPrivately } from "@nfactor/host/private_socket";
import { NfError } from "@nfactor/sdk/errors";
import { rawAnswer } from "./app.ts";
import type { RestLimits } from "./limits.ts";

/** `path`: a Unix socket, of this user alone. Port 0 is one that is free. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface TlsFiles {
  /** PEM: the certificate, and those between it and its root. */
  readonly cert: string;
  readonly key: string;
}

/** Throws NfError (rest.tls). */
export function readTlsFiles(certPath: string, keyPath: string): TlsFiles {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw new NfError("rest.tls", `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        fix: "Name a PEM file that this user may read.",
      });
    }
  };
  const files = { cert: read(certPath), key: read(keyPath) };
  try {
    createSecureContext(files);
  } catch (cause) {
    throw new NfError("rest.tls", `${certPath} and ${keyPath} are no certificate and its key: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      allowed: "PEM, and the key without a passphrase",
      fix: "Give the key that the certificate was made for.",
    });
  }
  return files;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

const isLoopback = (host: string): boolean => host === "localhost" || (isIP(host) !== 0 && LOOPBACK.check(host, isIP(host) === 6 ? "ipv6" : "ipv4"));

export class HttpServers {
  readonly #app: FastifyInstance;
  readonly #limits: RestLimits;
  readonly #tls: TlsFiles | undefined;
  readonly #servers = new Set<Server>();
  /** As they came in; of HTTPS, below the encryption. */
  readonly #sockets = new Set<Socket>();
  /** Requests under way, of each connection that can have some. */
  readonly #requests = new Map<Socket, number>();
  #isClosing = false;

  constructor(app: FastifyInstance, limits: RestLimits, tls: TlsFiles | undefined) {
    this.#app = app;
    this.#limits = limits;
    this.#tls = tls;
  }

  /** Returns where, as a URL or a path. Throws NfError (rest.listen). */
  async listen(address: Address): Promise<string> {
    if ("path" in address) {
      const server = this.#create(false);
      await listenPrivately(server, address.path, { code: "rest.listen", who: "controller", fix: "End it, or name another socket." });
      this.#servers.add(server);
      return address.path;
    }
    const { host, port } = address;
    if (!this.#tls && !isLoopback(host))
      throw new NfError("rest.listen", `on ${host} tokens would go over the network in the clear`, {
        given: host,
        allowed: "127.0.0.1, ::1, localhost, or a Unix socket; any address with a certificate",
        fix: "Give a certificate and its key (--api-cert and --api-key), or an address of this machine alone.",
      });
    const server = this.#create(this.#tls !== undefined);
    try {
      await new Promise<void>((done, fail) => server.once("error", fail).listen({ host, port }, done));
    } catch (cause) {
      throw new NfError("rest.listen", `${host} port ${port}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        fix: "Name another address or port.",
      });
    }
    this.#servers.add(server);
    const bound = server.address() as { readonly port: number };
    return `${this.#tls ? "https" : "http"}://${isIP(host) === 6 ? `[${host}]` : host}:${bound.port}`;
  }

  /** Takes nothing new, and resolves when all is over; what is not by then is cut off. */
  async close(graceMs: number, after: (ms: number, call: () => void) => () => void): Promise<void> {
    this.#isClosing = true;
    const ended = [...this.#servers].map((server) => new Promise<void>((done) => server.close(() => done())));
    for (const [socket, requests] of this.#requests) if (requests === 0) socket.destroy();
    const cancel = after(graceMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await Promise.all(ended);
    cancel();
    this.#servers.clear();
  }

  #create(withTls: boolean): Server {
    const { headerBytes, headersMs, requestMs, keepAliveMs, connections } = this.#limits;
    const options: ServerOptions = {
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, headersMs),
      requireHostHeader: true,
    };
    const server: Server =
      withTls && this.#tls ? createTlsServer({ ...options, ...this.#tls, minVersion: "TLSv1.2", handshakeTimeout: headersMs }) : createServer(options);
    // Who waits for a 100 gets it when the request is one that its body is read of; other expectations are not known.
    for (const event of ["request", "checkContinue", "checkExpectation"] as const) server.on(event, (req, res) => this.#serve(req, res));
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => refuseConnection(error, socket));
    server.on("connection", (socket: Socket) => {
      // Over all addresses: no one of them can take the others' room, as one server's bound would let it.
      if (this.#sockets.size >= connections) return socket.destroy();
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on(withTls ? "secureConnection" : "connection", (socket: Socket) => {
      this.#requests.set(socket, 0);
      socket.once("close", () => this.#requests.delete(socket));
    });
    return server;
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    this.#requests.set(socket, (this.#requests.get(socket) ?? 0) + 1);
    res.once("close", () => {
      const left = (this.#requests.get(socket) ?? 1) - 1;
      if (!socket.destroyed) this.#requests.set(socket, left);
      // A connection that would be kept for the next request has none to wait for.
      if (this.#isClosing && left === 0) socket.destroySoon();
    });
    this.#app.routing(req, res);
  }
}

/** What is no HTTP, too much of it, or too slow. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const { status, headers, text } = rawAnswer(errorOf(error));
  const lines = Object.entries({ ...headers, connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("")}\r\n${text}`);
}

function errorOf({ code }: NodeJS.ErrnoException): NfError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new NfError("rest.header", "the headers are too long", { allowed: "16 KiB in all", fix: "Send fewer, or shorter ones." });
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new NfError("rest.timeout", "the request did not come in time", { fix: "Send it at once." });
  return new NfError("rest.body", "this is no HTTP request", { given: code, fix: "Speak HTTP/1.1; with a certificate, HTTPS." });
}
