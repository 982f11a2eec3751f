/**
 * The control socket of a running host. A connection's requests are answered in order; those of different connections do not wait for each other,
 * since moving all flows of a runtime may take long and somebody wants to watch. Only what changes the chain or the set of runtimes is done one after
 * the other (`alone` in protocol.ts). Runs on Node's main thread; never waited for by an lcore.
 */
import { rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import { FrameReader, packFrame } from "./frame.ts";
import { listenPrivately } from "./private_socket.ts";
import { METHODS, type Method, PROTOCOL_VERSION, type Params, type Result, errorJson, requestSchema } from "./protocol.ts";

export type Handlers = { [M in Method]: (params: Params<M>) => Promise<Result<M>> };

const CONNECTIONS_MAX = 16;
/** A request must be complete this soon after its first byte, a response taken this soon, and an idle connection ends. */
const DEADLINE_MS = 10_000;
/** One too many gets so long to read that it is. */
const REFUSED_MS = 1000;

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #handlers: Handlers;
  readonly #connections = new Set<Socket>();
  /** End of the last request that is served alone. */
  #alone: Promise<unknown> = Promise.resolve();

  private constructor(path: string, handlers: Handlers) {
    this.path = path;
    this.#handlers = handlers;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = 2 * CONNECTIONS_MAX;
  }

  /** Listens at `path`. A socket that nobody listens on any more is replaced; throws NfError (host.socket) when another host is there. */
  static async listen(path: string, handlers: Handlers): Promise<ControlServer> {
    const server = new ControlServer(path, handlers);
    await listenPrivately(server.#server, path, { code: "host.socket", who: "host", fix: "Give this one another name with --name." });
    server.#server.unref();
    return server;
  }

  /** Ends all connections and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    for (const socket of this.#connections) socket.destroy();
    await closed;
    rmSync(this.path, { force: true });
  }

  #serve(socket: Socket): void {
    if (this.#connections.size >= CONNECTIONS_MAX) return refuse(socket);
    this.#connections.add(socket);
    const reader = new FrameReader();
    let busy = 0;
    let last: Promise<unknown> = Promise.resolve();
    socket.setTimeout(DEADLINE_MS, () => {
      if (busy === 0) socket.destroy();
    });
    let begun: NodeJS.Timeout | undefined;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(begun);
      this.#connections.delete(socket);
    });
    socket.on("data", (chunk) => {
      let requests: unknown[];
      try {
        requests = reader.push(chunk);
      } catch (error) {
        socket.end(packFrame({ v: PROTOCOL_VERSION, id: 0, error: errorJson(error) }));
        return;
      }
      clearTimeout(begun);
      begun = reader.pending > 0 ? setTimeout(() => socket.destroy(), DEADLINE_MS) : undefined;
      for (const request of requests) {
        busy += 1;
        if (busy > CONNECTIONS_MAX) socket.pause();
        last = last
          .then(() => this.#answer(request))
          .then(async (response) => {
            // Whoever does not read is not answered any further.
            if (socket.writable && !socket.write(response)) await isTaken(socket);
            busy -= 1;
            if (socket.isPaused()) socket.resume();
          });
      }
    });
  }

  async #answer(message: unknown): Promise<Buffer> {
    const request = requestSchema.safeParse(message);
    const id = request.success ? request.data.id : 0;
    try {
      if (!request.success) throw new NfError("host.socket", "a request on the control socket is malformed");
      const { v, method, params } = request.data;
      if (v !== PROTOCOL_VERSION)
        throw new NfError("host.socket", `the client speaks version ${v} of the control protocol, this host ${PROTOCOL_VERSION}`, {
          fix: "Use the nfactor command that belongs to the running host.",
        });
      return packFrame({ v: PROTOCOL_VERSION, id, result: await this.#call(method, params) });
    } catch (error) {
      return packFrame({ v: PROTOCOL_VERSION, id, error: errorJson(error) });
    }
  }

  async #call(method: string, params: unknown): Promise<unknown> {
    if (!Object.hasOwn(METHODS, method)) throw new NfError("host.socket", `the host knows no '${method}'`, { allowed: Object.keys(METHODS).join(", ") });
    const name = method as Method;
    const checked = METHODS[name].params.safeParse(params);
    if (!checked.success)
      throw new NfError(
        "host.socket",
        `${method}: ${checked.error.issues[0]?.path.join(".") ?? ""} ${checked.error.issues[0]?.message ?? "malformed parameters"}`,
      );
    const handle = (): Promise<unknown> => (this.#handlers[name] as (params: unknown) => Promise<unknown>)(checked.data);
    if (!METHODS[name].alone) return handle();
    const done = this.#alone.then(handle);
    this.#alone = done.catch(() => undefined);
    return done;
  }
}

/** Resolves when what was written has gone to the other side, or its connection has ended. */
function isTaken(socket: Socket): Promise<void> {
  return new Promise((done) => {
    const late = setTimeout(() => socket.destroy(), DEADLINE_MS);
    const end = (): void => {
      clearTimeout(late);
      socket.off("drain", end).off("close", end);
      done();
    };
    socket.once("drain", end).once("close", end);
  });
}

/** Says why, and takes what was sent: a socket that is closed with bytes unread is reset, and the other end reads nothing. */
function refuse(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.setTimeout(REFUSED_MS, () => socket.destroy());
  socket.resume();
  const error = new NfError("host.socket", `${CONNECTIONS_MAX} commands are connected to the host, which is all that it serves at once`, {
    fix: "Try again when one of them has ended.",
  });
  socket.end(packFrame({ v: PROTOCOL_VERSION, id: 0, error: errorJson(error) }));
}
