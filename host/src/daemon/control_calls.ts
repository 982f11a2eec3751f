/** Requests to the control socket of a deployment: so many at a time as it takes, with what an operator may want to ask it meanwhile. */
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import { ControlClient } from "../rpc/client.ts";
import { METHODS, type Method, type Params, type Result } from "../rpc/protocol.ts";
import { unlessAborted } from "./waiting.ts";

/** It serves 16 connections. What lasts (drains, swaps) does not hold up what is asked once in a second. */
const AT_ONCE = { brief: 4, long: 8 };
const WAITING_MAX = 64;
const DEADLINE_MS = { brief: 30_000, long: 660_000 };
const BRIEF: ReadonlySet<string> = new Set(["info", "runtimes"]);

export class ControlCalls {
  readonly #lines = { brief: new Line(AT_ONCE.brief), long: new Line(AT_ONCE.long) };

  /** Rejects with what the child says; NfError host.not_running, host.socket; the signal's reason, and then the child may go on with it. */
  async call<M extends Method>(socket: string, method: M, params: Params<M>, signal: AbortSignal): Promise<Result<M>> {
    const kind = BRIEF.has(method) ? "brief" : "long";
    return this.#connected(kind, socket, (client) => unlessAborted(client.call(method, params, DEADLINE_MS[kind]), signal), signal);
  }

  /** For what is more than one request. `signal` is of the wait for a place; `use` sees to it from then on. */
  connected<T>(socket: string, use: (client: ControlClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#connected("long", socket, use, signal);
  }

  async #connected<T>(kind: "brief" | "long", socket: string, use: (client: ControlClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    const leave = await this.#lines[kind].enter(signal);
    let client: ControlClient | undefined;
    try {
      client = await ControlClient.connect(socket);
      return await use(client);
    } finally {
      client?.close();
      leave();
    }
  }
}

/** Throws NfError (rpc.method) when what runs the deployments serves no such method, or not in this way. */
export function requireMethod(method: string, params: object): Method {
  const known = Object.hasOwn(METHODS, method) ? METHODS[method as Method] : undefined;
  if (known && (Object.keys(params).length === 0 || known.params.safeParse(params).success)) return method as Method;
  const what = known ? `'${method}' with ${Object.keys(params).join(", ")}` : `'${method}'`;
  throw new NfError("rpc.method", `what runs this host's deployments serves no ${what}`, { fix: "Use a newer NFActor on the host." });
}

/** The connection broke before there was an answer: whether it was done is not known. */
export function isUnanswered(error: unknown): boolean {
  const codes: readonly ErrorCode[] = ["host.not_running", "host.socket"];
  return error instanceof NfError && codes.includes(error.code);
}

/** So many at once, the others wait in order. */
class Line {
  readonly #max: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves with what is to be called when it is over. Rejects with NfError (rpc.busy), or the signal's reason. */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.#inside >= this.#max) {
      if (this.#waiting.length >= WAITING_MAX)
        throw new NfError("rpc.busy", `${WAITING_MAX} requests wait for the deployment`, { fix: "Try again when some of them are done." });
      let enter = (): void => undefined;
      const turn = new Promise<void>((done) => this.#waiting.push((enter = done)));
      try {
        // Whoever leaves hands its place over.
        await unlessAborted(turn, signal);
      } catch (error) {
        const at = this.#waiting.indexOf(enter);
        if (at >= 0) this.#waiting.splice(at, 1);
        else this.#leave();
        throw error;
      }
    } else this.#inside += 1;
    let isIn = true;
    return () => {
      if (isIn) this.#leave();
      isIn = false;
    };
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#inside -= 1;
  }
}
