/** The other end of a host's control socket: `nfactor swap` and `nfactor flows`. */
import { type Socket, connect } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import type { z } from "zod";
import { FrameReader, packFrame } from "./frame.ts";
import { errorOfPeer } from "./peer_error.ts";
import { answers } from "./private_socket.ts";
import { METHODS, type Method, PROTOCOL_VERSION, type Params, type Result, responseSchema } from "./protocol.ts";
import { checkName, existingSockets } from "./socket_path.ts";
import { tolerant } from "./tolerant.ts";

/** A swap admits and compiles, which may take this long on a busy machine. */
const DEADLINE_MS = 120_000;

/** Path of the socket of the host called `name` (or a path of a socket), or of the only one that runs. Throws NfError (host.not_running, usage). */
export async function findHost(name: string | undefined): Promise<string> {
  if (name?.includes("/")) return name;
  if (name !== undefined) checkName(name);
  const sockets = existingSockets();
  const running: string[] = [];
  for (const [host, path] of sockets) if ((name === undefined || host === name) && (await answers(path))) running.push(host);
  if (running.length === 1) return sockets.get(running[0]!)!;
  if (running.length > 1) throw new NfError("usage", "several hosts run", { allowed: running.join(", "), fix: "Choose one with --host." });
  const others = name === undefined ? [] : [...sockets.keys()].filter((host) => host !== name);
  throw new NfError("host.not_running", name === undefined ? "no running host was found" : `no host called '${name}' runs`, {
    ...(others.length > 0 ? { allowed: others.join(", ") } : {}),
    fix: "Start one with 'nfactor run --client-iface … --server-iface …', as the same user.",
  });
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #id = 0;
  #waiting: { done(message: unknown): void; fail(error: Error): void } | undefined;
  /** What came before anything was asked: why the host will not serve us. */
  #early: unknown;
  /** Why there will be no answer any more. */
  #end: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      try {
        for (const message of this.#reader.push(chunk)) {
          if (this.#waiting) this.#waiting.done(message);
          else this.#early ??= message;
        }
      } catch (error) {
        this.#over(error as Error);
      }
    });
    socket.on("error", (cause) => this.#over(new NfError("host.socket", `the control socket failed: ${cause.message}`, { cause })));
    socket.on("close", () => this.#over(new NfError("host.not_running", "the host ended before it answered")));
  }

  #over(why: Error): void {
    this.#end ??= why;
    this.#waiting?.fail(this.#end);
  }

  static connect(path: string): Promise<ControlClient> {
    return new Promise((done, fail) => {
      const socket = connect(path);
      socket.once("connect", () => done(new ControlClient(socket)));
      socket.once("error", (cause) => fail(new NfError("host.not_running", `nobody answers on ${path}: ${cause.message}`, { cause })));
    });
  }

  /** One request at a time. Throws what the host threw, or NfError host.socket / host.not_running. */
  async call<M extends Method>(method: M, params: Params<M>, deadlineMs = DEADLINE_MS): Promise<Result<M>> {
    if (this.#waiting) throw new Error("a request is under way");
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    try {
      const message = await new Promise<unknown>((done, fail) => {
        if (this.#early !== undefined) return done(this.#early);
        // A socket that is closed takes what is written without a word.
        if (this.#end) return fail(this.#end);
        this.#waiting = { done, fail };
        timer = setTimeout(() => {
          this.#socket.destroy();
          fail(new NfError("host.socket", `the host has not answered '${method}' for ${deadlineMs / 1000} s`));
        }, deadlineMs);
        this.#socket.write(packFrame({ v: PROTOCOL_VERSION, id, method, params }));
      });
      const response = responseSchema.safeParse(message);
      if (!response.success || (response.data.id !== id && response.data.id !== 0)) throw new NfError("host.socket", "the host's answer is malformed");
      if ("error" in response.data) throw errorOfPeer(response.data.error);
      const result = tolerant(METHODS[method].result as z.ZodType).safeParse(response.data.result);
      if (!result.success)
        throw new NfError(
          "host.socket",
          `the host's answer to '${method}' is malformed: ${result.error.issues[0]?.path.join(".")} ${result.error.issues[0]?.message}`,
        );
      return result.data as Result<M>;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A connection to the host behind `path` for as long as `use` takes. */
export async function withClient<T>(path: string, use: (client: ControlClient) => Promise<T>): Promise<T> {
  const client = await ControlClient.connect(path);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
