/**
 * The routes of the table on Fastify: who asks is known before anything of a body is read, and what is asked for is checked before anything is done. Every
 * error has the one form, whoever found it: the cluster, this code, or Fastify.
 *
 * A change is in the audit log before its answer is sent; one that was refused too, when its token was good.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { NfError } from "@nfactor/sdk/errors";
import { acceptedOf, prefersAsync } from "./accepted.ts";
import { asNfError, errorAnswer, retryAfterOf, statusOf } from "./error_answer.ts";
import { Failures } from "./failures.ts";
import { readJson } from "./json_body.ts";
import { progressOf } from "./progress.ts";
import { fieldsOf, formOf, lastEventOf, requireAllowed, requireBody, requireTenant, versionOf } from "./request.ts";
import { type Answer, type Call, type Form, type Route, type Services, routeName } from "./route.ts";
import { type StreamSlots, sendChunks, sendItems } from "./streams.ts";
import type { Caller } from "./tokens.ts";

/** What is known of a request besides what Fastify knows. */
interface Known {
  readonly route: Route | undefined;
  readonly from: string;
  readonly signal: AbortSignal;
  caller?: Caller;
  isAudited?: boolean;
}

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;
/** An artifact, its source map, and what a form has around them. */
const UPLOAD_MAX = 11 * 1024 * 1024;

export interface AppParts {
  readonly services: Services;
  readonly slots: StreamSlots;
  readonly routes: readonly Route[];
  /** Called with each answer's body in JSON; the tests hold it against the route's schemas. */
  readonly onJson?: ((route: Route, status: number, body: unknown) => void) | undefined;
}

export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const app = new App(parts);
  // Nothing is listened on here: see http_server.ts.
  const fastify = Fastify({
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 300 },
    frameworkErrors: (error, request, reply) => app.refuseUnrouted(error, request.raw as IncomingMessage, reply.raw as ServerResponse),
  });
  app.install(fastify);
  await fastify.ready();
  return fastify;
}

class App {
  readonly #services: Services;
  readonly #slots: StreamSlots;
  readonly #routes: readonly Route[];
  readonly #onJson: AppParts["onJson"];
  readonly #failures: Failures;
  readonly #known = new WeakMap<FastifyRequest, Known>();

  constructor({ services, slots, routes, onJson }: AppParts) {
    this.#services = services;
    this.#slots = slots;
    this.#routes = routes;
    this.#onJson = onJson;
    this.#failures = new Failures(services.limits, services.clock);
  }

  install(fastify: FastifyInstance): void {
    const { limits, clock } = this.#services;
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser("application/json", (_: FastifyRequest, payload: IncomingMessage) => readJson(payload, limits, clock));
    fastify.addContentTypeParser(["application/wasm", "multipart/form-data"], async (request: FastifyRequest, bytes: IncomingMessage) => ({
      type: request.headers["content-type"],
      bytes,
    }));
    fastify.addHook("onRequest", async (request, reply) => {
      // Before its body is read.
      if (!request.is404) return;
      this.#begin(request, reply, undefined);
      throw this.#noRoute(request);
    });
    fastify.setErrorHandler((thrown, request, reply) => this.#refuse(thrown, request, reply));
    for (const route of this.#routes) {
      fastify.route({
        method: route.method,
        url: route.path.replace(/\{(\w+)\}/g, ":$1"),
        onRequest: (request, reply) => this.#letIn(request, reply, route),
        handler: (request, reply) => this.#handle(request, reply, route),
      });
    }
  }

  /** A path that is none. */
  refuseUnrouted(error: Error, { method }: IncomingMessage, res: ServerResponse): void {
    this.#services.metrics.observeHttp("unknown", 400, 0);
    const why = "code" in error && error.code === "FST_ERR_MAX_PARAM_LENGTH" ? "has a part that is too long" : "is not encoded as it has to be";
    sendError(res, new NfError("rest.path", `the path of this ${method ?? "request"} ${why}`, { fix: "Encode each name in it as RFC 3986 has it." }));
  }

  #begin(request: FastifyRequest, reply: FastifyReply, route: Route | undefined): Known {
    const { clock, metrics, limits } = this.#services;
    const beganMs = clock.nowMs();
    const gone = new AbortController();
    reply.raw.once("close", () => {
      metrics.observeHttp(route ? routeName(route) : "unknown", reply.raw.statusCode, (clock.nowMs() - beganMs) / 1000);
      if (!reply.raw.writableFinished) gone.abort(new NfError("rest.aborted", "who asked is gone", { fix: "Ask again." }));
    });
    reply.raw.once("finish", () => {
      if (request.raw.complete) return;
      // What a refused request still sends is read away, so that its answer is not lost; but not for long.
      request.raw.removeAllListeners("readable").resume();
      clock.after(limits.lingerMs, () => {
        if (!request.raw.complete) request.raw.destroy();
      });
    });
    const known = { route, from: request.raw.socket.remoteAddress ?? "local", signal: gone.signal };
    this.#known.set(request, known);
    return known;
  }

  async #letIn(request: FastifyRequest, reply: FastifyReply, route: Route): Promise<void> {
    const { closing, limits } = this.#services;
    const known = this.#begin(request, reply, route);
    if (closing.aborted && route.scope !== "none") throw new NfError("rest.closing", "the controller is about to end", { fix: "Try again when it is back." });
    const { authorization } = request.headers;
    if (route.scope !== "none" || authorization !== undefined) known.caller = await this.#authenticate(authorization, known.from, reply);
    if (known.caller) requireAllowed(route, known.caller, request.params as Readonly<Record<string, string>>);
    requireBody(route, request.headers, route.upload ? UPLOAD_MAX : limits.bodyBytes);
    if (request.headers.expect?.toLowerCase() === "100-continue") reply.raw.writeContinue();
  }

  async #authenticate(header: string | undefined, from: string, reply: FastifyReply): Promise<Caller> {
    const { tokens, metrics } = this.#services;
    try {
      return await tokens.check(header);
    } catch (error) {
      if (!(error instanceof NfError) || error.code !== "rest.unauthorized") throw error;
      const isOneTooMany = !this.#failures.note(from);
      metrics.countRefused(isOneTooMany ? "rate" : "token");
      if (!isOneTooMany) throw error;
      reply.header("connection", "close");
      throw new NfError("rest.rate", "too many requests without a good token came from this address", { fix: "Wait, and give a token that is good." });
    }
  }

  async #handle(request: FastifyRequest, reply: FastifyReply, route: Route): Promise<FastifyReply> {
    const services = this.#services;
    const known = this.#known.get(request)!;
    const { caller, signal } = known;
    const { params, query, body, dryRun } = fieldsOf(route, request);
    const version = versionOf(route, request.headers);
    const lastEvent = lastEventOf(request.headers["last-event-id"]);
    await requireTenant(services, route, params);
    const form = formOf(request.headers.accept);
    const write = { by: caller?.label ?? "nobody", dryRun, version };
    const call: Call<unknown, unknown, unknown> = { params, query, body, services, caller, bound: caller?.tenant, write, form, lastEvent, signal };
    const act = (): Promise<Answer> => this.#audited(request, known, dryRun, () => route.handle(call));
    const about = route.progressAbout?.(params);
    if (about === undefined || (form === "once" && (dryRun || !prefersAsync(request.headers.prefer)))) return this.#send(await act(), known, form, reply);
    if (form !== "once") return this.#send({ kind: "items", items: progressOf(services.cluster, about, act) }, known, form, reply);
    const wish = { route, url: request.url, about, onEnd: this.#slots.take(caller!) };
    const begin = (onAccepted: () => void): Promise<Answer> =>
      this.#audited(request, known, false, () => route.handle({ ...call, write: { ...write, onAccepted } }));
    const answer = await acceptedOf(services.cluster, wish, begin);
    await this.#audit(request, known, "accepted", 202);
    return this.#send(answer, known, form, reply);
  }

  async #audited(request: FastifyRequest, known: Known, dryRun: boolean, operate: () => Promise<Answer>): Promise<Answer> {
    if (dryRun) known.isAudited = true;
    try {
      const answer = await operate();
      await this.#audit(request, known, "ok", answer.kind === "json" ? answer.status : 200);
      return answer;
    } catch (thrown) {
      const error = asNfError(thrown, this.#services.log);
      await this.#audit(request, known, error.code, statusOf(error.code));
      throw error;
    }
  }

  /** Once for each request. Who may not write the log is told by the metrics: what was done is done. */
  async #audit(request: FastifyRequest, known: Known, outcome: string, status: number): Promise<void> {
    const { route, caller, from } = known;
    const isDryRun = !["false", undefined].includes((request.query as Record<string, string | undefined>).dry_run);
    if (!caller || known.isAudited || isDryRun || !(route?.changes || route?.audited)) return;
    known.isAudited = true;
    try {
      await this.#services.audit.add({ who: caller.label, from, method: request.method, path: request.url, outcome, status });
    } catch (error) {
      this.#services.metrics.countAuditFailure();
      this.#services.log(`a change is not in the audit log: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #send(answer: Answer, { route, caller }: Known, form: Form, reply: FastifyReply): Promise<FastifyReply> {
    if (answer.kind === "items" || answer.kind === "chunks") return this.#stream(answer, caller!, form, reply);
    reply.headers(HEADERS);
    if (answer.kind === "bytes") {
      const { bytes } = answer;
      const body = typeof bytes === "string" ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return reply
        .headers({ ...answer.headers })
        .type(answer.type)
        .send(body);
    }
    const text = JSON.stringify(answer.body);
    this.#onJson?.(route!, answer.status, JSON.parse(text));
    if (answer.version !== undefined) reply.header("etag", `"${answer.version}"`);
    if (answer.headers) reply.headers(answer.headers);
    return reply.code(answer.status).type("application/json; charset=utf-8").send(text);
  }

  async #stream(answer: Extract<Answer, { kind: "items" | "chunks" }>, caller: Caller, form: Form, reply: FastifyReply): Promise<FastifyReply> {
    const free = this.#slots.take(caller);
    reply.hijack();
    const options = { res: reply.raw, services: this.#services, headers: HEADERS };
    try {
      if (answer.kind === "items") await sendItems(answer.items, form === "sse" ? "sse" : "ndjson", options);
      else await sendChunks(answer.chunks, answer.type, options);
    } catch (thrown) {
      sendError(reply.raw, asNfError(thrown, this.#services.log));
    } finally {
      free();
    }
    return reply;
  }

  async #refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const error = asNfError(ofFastify(thrown), this.#services.log);
    const known = this.#known.get(request);
    if (known) await this.#audit(request, known, error.code, statusOf(error.code));
    const { status, headers, text } = rawAnswer(error);
    return reply.code(status).headers(headers).send(text);
  }

  #noRoute({ method, url }: FastifyRequest): NfError {
    const path = url.split("?")[0]!;
    const others = this.#routes.filter((route) => patternOf(route.path).test(path)).map((route) => route.method);
    if (others.length === 0) return new NfError("rest.not_found", "there is nothing under this path", { fix: "See docs/rest.md, or GET /openapi.json." });
    return new NfError("rest.method", `${method} is not for this path`, { given: method, allowed: others.join(", "), fix: "Use one of those." });
  }
}

const patternOf = (path: string): RegExp => new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);

/** Fastify's own errors say what is wrong with a request in codes of theirs. */
function ofFastify(thrown: unknown): unknown {
  if (thrown instanceof NfError || !(thrown instanceof Error)) return thrown;
  const { code = "", statusCode = 500 } = thrown as Error & { readonly code?: string; readonly statusCode?: number };
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return new NfError("rest.media_type", "the body's type is not understood", { fix: "Say it in Content-Type." });
  if (code.startsWith("FST_ERR") && statusCode >= 400 && statusCode < 500) return new NfError("rest.body", thrown.message, { fix: "Mend the request." });
  return thrown;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export function rawAnswer(error: NfError): RawAnswer {
  const status = statusOf(error.code);
  const retry = retryAfterOf(error.code);
  const text = JSON.stringify(errorAnswer(error));
  return {
    status,
    headers: {
      ...HEADERS,
      "content-type": "application/json; charset=utf-8",
      "content-length": String(Buffer.byteLength(text)),
      ...(status === 401 && { "www-authenticate": 'Bearer realm="nfactor"' }),
      ...(retry !== undefined && { "retry-after": String(retry) }),
      ...(error.code === "rest.method" && { allow: error.allowed ?? "" }),
    },
    text,
  };
}

/** Where Fastify is not in between. */
function sendError(res: ServerResponse, error: NfError): void {
  if (res.headersSent || res.destroyed) return;
  const { status, headers, text } = rawAnswer(error);
  res.writeHead(status, headers).end(text);
}
