/** The OpenAPI 3.1 document, from the table of routes and the schemas that check requests. It is served, and committed as docs/openapi.json. */
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { z } from "zod";
import { errorAnswerSchema, statusOf } from "./error_answer.ts";
import { queryFlag } from "./fields.ts";
import { answersOf } from "./accepted.ts";
import { PARAM_EXAMPLES } from "./examples.ts";
import type { AnswerSpec, Route } from "./route.ts";
import { NDJSON, SSE } from "./streams.ts";

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

export const DESCRIPTION = `The controller of an NFActor cluster. Everything that \`nfactor\` does with a cluster goes through it.

**Who.** \`Authorization: Bearer nfa_…\`. A token has a scope, read < deploy < operate < admin, each with those before it, and may be of one tenant: then what is other tenants'
is not there (404), and what belongs to none is refused (403). The first admin token is in \`admin.token\` in the controller's folder.

**Changes.** Everything that changes something takes \`?dry_run=true\`: all checks, no change. Objects have a version, which is their ETag; with \`If-Match\` a change is made only when it
still has it, and is \`store.stale\` (412) otherwise. Each change is in the audit log before its answer.

**What lasts.** Who sends \`Prefer: respond-async\` gets 202 as soon as all is checked and stored, with where to look: the object, and the events about it. Who accepts \`text/event-stream\` or \`application/x-ndjson\` is told meanwhile: events \`progress\`, at the end one \`result\`, or \`error\`. Refusals before it begins are answers of
their own. Who goes away ends nothing that is under way.

**Streams.** Server-sent events, or lines \`{"event": …, "id": …, "data": …}\`; empty lines and comments say that the connection lives. The last one is \`end\` (with a reason) or \`error\`: a stream
without it was cut off. Who takes nothing for 30 s is given up.

**Errors.** Always \`{"error": {"code", "message", "given"?, "allowed"?, "fix"?}}\`. Codes are stable.`;

export function openapi(routes: readonly Route[]): JsonObject {
  const paths: { [path: string]: JsonObject } = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: { title: "NFActor controller", version: "1", description: DESCRIPTION, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "nfa_…" } },
      schemas: { Error: schemaOf(errorAnswerSchema, "output") },
    },
    "x-error-codes": Object.fromEntries(errorCodes().map(({ code, status, doc }) => [code, { status, description: doc }])),
  };
}

export const errorCodes = (): { readonly code: ErrorCode; readonly status: number; readonly doc: string }[] =>
  (Object.entries(ERROR_CODES) as [ErrorCode, string][]).map(([code, doc]) => ({ code, doc, status: statusOf(code) }));

/** What may be given besides what its schemas say. */
export function statusesOf({ scope, reach, params, changes, versioned, body, upload, path }: Route): number[] {
  const all = [400, 408, 431, 500, 503];
  if (scope !== "none") all.push(401, 403, 429);
  if (params) all.push(404);
  if (changes && reach !== "own") all.push(409, 422);
  if (versioned) all.push(412);
  if (body || upload) all.push(413, 415);
  if (upload) all.push(507);
  if (path.includes("{deployment}") || path.includes("{host}")) all.push(502, 504);
  return all.sort((a, b) => a - b);
}

const TITLES: Readonly<Record<number, string>> = {
  400: "The request is malformed.",
  401: "No token, or one that is not good.",
  403: "The token may not do this.",
  404: "There is no such thing, or not for this token.",
  408: "The request did not come in time.",
  409: "Things are not as this needs them.",
  412: "It was changed meanwhile.",
  413: "The body is too large.",
  415: "The body is of another type.",
  422: "It is understood, and not accepted.",
  429: "Too many requests without a good token.",
  431: "The headers are too long.",
  500: "A fault of NFActor's own, or of its disk.",
  502: "A host answered what is not understood, or may have done it.",
  503: "Not now: something is not there, or has too much to do.",
  504: "A host did not answer in time.",
  507: "There is no room.",
};

function operation(route: Route): JsonObject {
  const { method, path, tag, summary, detail, scope, reach, changes, body, upload, progressAbout } = route;
  const id = `${method.toLowerCase()}${path.replace(/\W+/g, "_").replace(/_$/, "")}`;
  const refusals = statusesOf(route).map((status) => [
    String(status),
    { description: TITLES[status]!, content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
  ]);
  return {
    operationId: id.replace(/\W+/g, "_"),
    tags: [tag],
    summary,
    ...(detail !== undefined && { description: detail }),
    ...(scope === "none" ? { security: [] } : { "x-scope": scope }),
    ...(scope !== "none" && { "x-for": reach === "cluster" ? "tokens of all tenants" : "tokens of all tenants, and of the tenant" }),
    ...(progressAbout && { "x-progress": true }),
    ...parameters(route),
    ...(upload && { requestBody: uploadBody() }),
    ...(body && {
      requestBody: {
        required: !body.safeParse(undefined).success,
        content: { "application/json": { schema: schemaOf(body, "input"), ...(route.example.body !== undefined && { example: route.example.body as Json }) } },
      },
    }),
    responses: Object.fromEntries([
      ...answersOf(route).map((answer) => [String(answer.status ?? 200), response(answer, progressAbout !== undefined && answer.status === undefined)]),
      ...refusals,
    ]) as JsonObject,
    ...(changes && { "x-changes": true }),
  };
}

function response({ description, content }: AnswerSpec, hasProgress: boolean): JsonObject {
  const types = Object.entries(content).map(([type, schema]) => [type, schema ? { schema: schemaOf(schema, "output") } : {}] as const);
  const streams = hasProgress ? [SSE, NDJSON].map((type) => [type, {}] as const) : [];
  return { description, content: Object.fromEntries([...types, ...streams]) as JsonObject };
}

const uploadBody = (): JsonObject => {
  const file = { type: "string", contentMediaType: "application/octet-stream" };
  return {
    required: true,
    content: {
      "application/wasm": {},
      "multipart/form-data": { schema: { type: "object", properties: { component: file, source_map: file }, required: ["component", "source_map"] } },
    },
  };
};

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: JsonObject;
  readonly description: string;
}

export function parametersOf({ params, query, changes, versioned, path, answers, progressAbout }: Route): Parameter[] {
  const isEvents = path === "/v1/events" && answers.some(({ content }) => SSE in content);
  return [
    ...fieldsOf("path", params),
    ...fieldsOf("query", query),
    ...(changes ? [parameter("query", "dry_run", queryFlag.optional().describe("Check all, and change nothing."))] : []),
    ...(versioned
      ? [header("If-Match", "Version of the object that was read: its ETag."), header("If-None-Match", "`*`: only when it is not there yet.")]
      : []),
    ...(progressAbout ? [header("Prefer", "`respond-async`: answer 202 as soon as it is accepted.")] : []),
    ...(isEvents ? [header("Last-Event-ID", "Of a stream: number of the last event that came.")] : []),
  ];
}

const header = (name: string, description: string): Parameter => ({ name, in: "header", required: false, schema: { type: "string" }, description });

function fieldsOf(place: "path" | "query", schema: z.ZodType | undefined): Parameter[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => parameter(place, name, field));
}

function parameter(place: "path" | "query", name: string, field: z.ZodType): Parameter {
  const { description, ...schema } = schemaOf(field, "output");
  // What it is by default is a value of ours, not what is written in a query.
  delete schema.default;
  return { name, in: place, required: !field.safeParse(undefined).success, schema, description: typeof description === "string" ? description : "" };
}

function parameters(route: Route): JsonObject {
  const found = parametersOf(route).map(({ name, required, schema, description, ...rest }) => ({
    name,
    in: rest.in,
    required,
    ...(description !== "" && { description }),
    schema,
    ...(rest.in === "path" && PARAM_EXAMPLES[name] !== undefined && { example: route.example.params?.[name] ?? PARAM_EXAMPLES[name]! }),
  }));
  return found.length === 0 ? {} : { parameters: found };
}

/** As OpenAPI has it: what refers to itself, which only "any JSON" does, is any. */
export function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonObject {
  const whole = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonObject;
  return withoutDefinitions(whole) as JsonObject;
}

function withoutDefinitions(json: Json): Json {
  if (Array.isArray(json)) return json.map(withoutDefinitions);
  if (typeof json !== "object" || json === null) return json;
  if (typeof json.$ref === "string") return {};
  const rest = Object.entries(json).filter(([name]) => name !== "$defs" && name !== "$schema" && name !== "~standard");
  return Object.fromEntries(rest.map(([name, value]) => [name, withoutDefinitions(value)]));
}
