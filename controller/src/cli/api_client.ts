/**
 * Requests to the controller's API, over TCP or a socket of this machine. Each has a deadline, an answer a bound; a read that breaks is repeated once.
 * Everything that goes wrong is an NfError: what the API said with its own code, or one of cli.unreachable, cli.timeout, cli.answer.
 */
import { once } from "node:events";
import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { type ApiAddress, parseAddress } from "./address.ts";
import { apiError } from "./api_error.ts";
import { type StreamItem, streamItems } from "./stream_items.ts";

/** Of one answer that is not a stream. */
const ANSWER_BYTES_MAX = 64 << 20;
const CONNECT_MS = 10_000;
const READ_MS = 30_000;
/** Of what changes something and is waited for. */
const CHANGE_MS = 600_000;

export interface ApiClientOptions {
  readonly api: string;
  readonly token?: string | undefined;
  /** Of each request, ms; half a minute for reads and ten for changes by default. */
  readonly timeoutMs?: number | undefined;
}

export interface ApiRequest {
  readonly method?: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Each of a list under the same name. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** JSON, unless it is bytes. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How many bytes of the body have been handed over. */
  readonly onSent?: (bytes: number) => void;
}

export interface ApiAnswer<T> {
  readonly body: T;
  readonly status: number;
  readonly etag?: string | undefined;
}

/** What broke on the way, so that asking again may help: only reads are. */
class Broken extends Error {}

export class ApiClient {
  readonly address: ApiAddress;
  readonly #token: string | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor({ api, token, timeoutMs }: ApiClientOptions) {
    this.address = parseAddress(api);
    this.#token = token;
    this.#timeoutMs = timeoutMs;
    this.#agent = this.address.kind === "https" ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  async get<T>(path: string, request: ApiRequest = {}): Promise<T> {
    return (await this.call<T>(path, request)).body;
  }

  async call<T>(path: string, request: ApiRequest = {}): Promise<ApiAnswer<T>> {
    const isRead = (request.method ?? "GET") === "GET";
    try {
      return await this.#once<T>(path, request);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      if (!isRead) throw this.#lost(error);
    }
    try {
      return await this.#once<T>(path, request);
    } catch (error) {
      throw error instanceof Broken ? this.#lost(error) : error;
    }
  }

  /** What comes, until the other end or `signal` ends it. What is refused before it begins is thrown by the first step. */
  async *stream(path: string, request: ApiRequest = {}): AsyncGenerator<StreamItem> {
    const headers = { accept: "application/x-ndjson", ...request.headers };
    const response = await this.#open(path, { ...request, headers }, new AbortController());
    yield* streamItems(this.#pieces(response, request.signal), () => this.#lost(new Error("it ended half way")));
  }

  /**
   * A change that may last: `onProgress` is told meanwhile, by the stream that the API makes of it. Undefined: it has begun, and nobody waits for its end.
   */
  async change<T>(path: string, request: ApiRequest & { readonly wait: boolean; readonly onProgress?: (data: unknown) => void }): Promise<T | undefined> {
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs ?? CHANGE_MS;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      const response = await this.#open(path, { ...request, headers: { accept: "application/x-ndjson", ...request.headers } }, late);
      if (!/^application\/x-ndjson/.test(response.headers["content-type"] ?? "")) return parsed(await textOf(response), path) as T;
      if (!request.wait) return void response.destroy();
      for await (const { event, data } of streamItems(this.#pieces(response, late.signal), () => this.#lost(new Error("it ended half way")))) {
        if (event === "result") return data as T;
        if (event === "progress") request.onProgress?.(data);
      }
      throw this.#lost(new Error("it ended without a result"));
    } catch (error) {
      if (late.signal.aborted) throw timedOut(request, timeoutMs);
      const reason = broken(error);
      throw reason instanceof Broken ? this.#lost(reason) : reason;
    } finally {
      clearTimeout(timer);
    }
  }

  /** An answer as it comes in, of any length. */
  async *bytes(path: string, request: ApiRequest = {}): AsyncGenerator<Uint8Array> {
    const response = await this.#open(path, request, new AbortController());
    yield* this.#pieces(response, request.signal);
  }

  close(): void {
    this.#agent.destroy();
  }

  async *#pieces(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of response) yield piece as Uint8Array;
    } catch (cause) {
      if (!signal?.aborted) throw this.#lost(cause as Error);
    }
  }

  async #once<T>(path: string, request: ApiRequest): Promise<ApiAnswer<T>> {
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs ?? READ_MS;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      const response = await this.#open(path, request, late);
      const text = await textOf(response);
      const { etag } = response.headers;
      return { body: (text === "" ? undefined : parsed(text, path)) as T, status: response.statusCode!, etag };
    } catch (error) {
      if (late.signal.aborted && !(error instanceof NfError)) throw timedOut(request, timeoutMs);
      throw broken(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with an answer whose status is good. */
  async #open(path: string, { method = "GET", query = {}, body, headers = {}, signal, onSent }: ApiRequest, late: AbortController): Promise<IncomingMessage> {
    const { address } = this;
    const search = searchOf(query);
    const isBytes = body instanceof Uint8Array;
    const bytes = body === undefined ? undefined : isBytes ? body : Buffer.from(JSON.stringify(body));
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      ...(address.kind === "unix" ? { socketPath: address.path, path: `${path}${search}` } : at(address, `${path}${search}`)),
      headers: {
        accept: "application/json",
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(bytes === undefined ? {} : { "content-type": isBytes ? "application/wasm" : "application/json", "content-length": bytes.length }),
        ...headers,
      },
      signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
    };
    const request = (address.kind === "https" ? httpsRequest : httpRequest)(options);
    const connecting = setTimeout(() => request.destroy(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" })), CONNECT_MS);
    request.once("socket", (socket) => {
      // One that is used again never says so: each request would leave a listener with it.
      if (socket.connecting) socket.once("connect", () => clearTimeout(connecting));
      else clearTimeout(connecting);
    });
    const answer = once(request, "response") as Promise<[IncomingMessage]>;
    if (bytes) sendIn(request, bytes, onSent);
    request.end();
    try {
      const [response] = await answer;
      if (response.statusCode! < 300) return response;
      throw apiError(response.statusCode!, await textOf(response), `${method} ${path}`, address.shown);
    } catch (error) {
      throw signal?.aborted ? error : this.#reached(error);
    } finally {
      clearTimeout(connecting);
    }
  }

  /** What there was no connection with. */
  #reached(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException;
    const { shown, kind } = this.address;
    if (code === "ECONNREFUSED" || (code === "ENOENT" && kind === "unix"))
      return new NfError("cli.unreachable", `nothing listens at ${shown}`, {
        cause: error,
        fix: "Start a controller with 'nfactor up', or see 'nfactor context'.",
      });
    if (code === "EACCES")
      return new NfError("cli.unreachable", `this user may not connect to ${shown}`, {
        cause: error,
        fix: "Be the user who runs 'nfactor up', or use its TCP address.",
      });
    if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT")
      return new NfError("cli.unreachable", `${shown} cannot be reached: ${(error as Error).message}`, {
        cause: error,
        fix: "See 'nfactor context' for the address.",
      });
    return error;
  }

  #lost(cause: Error): NfError {
    return new NfError("cli.unreachable", `the connection to ${this.address.shown} broke before the answer was there: ${cause.message}`, {
      cause,
      fix: "What was asked for may have been done: see 'nfactor status', and 'nfactor events'.",
    });
  }
}

function at({ host, port, prefix }: Extract<ApiAddress, { kind: "http" | "https" }>, path: string): RequestOptions {
  return { host, port, path: `${prefix}${path}` };
}

function searchOf(query: NonNullable<ApiRequest["query"]>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : (Array.isArray(value) ? (value as readonly string[]) : [value]).map((one): [string, string] => [name, String(one)]),
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/** In pieces, so that it can be told how far it is. */
function sendIn(request: ReturnType<typeof httpRequest>, bytes: Uint8Array, onSent: ((bytes: number) => void) | undefined): void {
  const PIECE = 64 * 1024;
  for (let from = 0; from < bytes.length; from += PIECE) {
    const to = Math.min(from + PIECE, bytes.length);
    request.write(bytes.subarray(from, to), () => onSent?.(to));
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response) {
    bytes += (piece as Buffer).length;
    if (bytes > ANSWER_BYTES_MAX) throw new NfError("cli.answer", `the answer is longer than ${ANSWER_BYTES_MAX} bytes`, { fix: "Ask for less with --limit." });
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NfError("cli.answer", `the answer to ${path} is no JSON: ${safeText(text, 80)}`, { cause, fix: "Is this address the API of a controller?" });
  }
}

function broken(error: unknown): unknown {
  const { code, name, message } = error as NodeJS.ErrnoException;
  const isBreak = code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED" || message === "socket hang up" || message === "aborted";
  return isBreak && name !== "AbortError" ? new Broken(message, { cause: error }) : error;
}

function timedOut({ method = "GET" }: ApiRequest, ms: number): NfError {
  return new NfError("cli.timeout", `there was no answer within ${ms / 1000} s`, {
    fix:
      method === "GET"
        ? "Try again, or allow more time with --timeout."
        : "The controller may go on with it: see 'nfactor status'. --timeout allows more time.",
  });
}
