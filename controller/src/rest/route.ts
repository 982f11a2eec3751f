/**
 * What a route is: one entry of the table that the server, the checks of who may do what, the OpenAPI document, docs/rest.md and the tests are made of.
 */
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ClusterApi, NumberedEvent, WriteOptions } from "../cluster/cluster_api.ts";
import type { Clock, Store } from "../store/index.ts";
import type { AuditLog } from "./audit_log.ts";
import type { nothing } from "./fields.ts";
import type { RestLimits } from "./limits.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { Caller, ApiTokens, Scope } from "./tokens.ts";

/** What the server's parts share. */
export interface Services {
  readonly cluster: ClusterApi;
  readonly store: Store;
  readonly tokens: ApiTokens;
  readonly audit: AuditLog;
  readonly metrics: ControllerMetrics;
  readonly scrape: { readonly type: string; text(): Promise<string> };
  readonly limits: RestLimits;
  readonly clock: Clock;
  readonly dateMs: () => number;
  /** One line, of which nothing is obeyed by a terminal. */
  readonly log: (line: string) => void;
  /** The server is about to end: streams end, and nothing new begins. */
  readonly closing: AbortSignal;
}

/** One item of a stream: a server-sent event, or a line of JSON. */
export interface StreamItem {
  readonly event: string;
  readonly id?: number;
  readonly data: unknown;
}

export type Answer =
  | {
      readonly kind: "json";
      readonly status: number;
      readonly body: unknown;
      readonly version?: number | undefined;
      readonly headers?: Readonly<Record<string, string>> | undefined;
    }
  | { readonly kind: "bytes"; readonly type: string; readonly bytes: Uint8Array | string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "items"; readonly items: AsyncIterable<StreamItem> }
  | { readonly kind: "chunks"; readonly type: string; readonly chunks: AsyncIterable<Uint8Array> };

/** `version` becomes the ETag. */
export const json = (
  body: unknown,
  {
    status = 200,
    version,
    headers,
  }: { readonly status?: number; readonly version?: number | undefined; readonly headers?: Readonly<Record<string, string>> } = {},
): Answer => ({ kind: "json", status, body, version, headers });

/** What a client wants to have it as. `once`: one answer. */
export type Form = "once" | "sse" | "ndjson";

export interface Upload {
  /** `application/wasm`, or `multipart/form-data` with its boundary. */
  readonly type: string;
  readonly bytes: Readable;
}

export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly services: Services;
  /** Of a route that needs no token: undefined when none was given. */
  readonly caller: Caller | undefined;
  /** The caller's tenant; undefined: all of them. */
  readonly bound: string | undefined;
  /** Who asks, `dry_run`, and the version of If-Match. */
  readonly write: WriteOptions & { readonly dryRun: boolean };
  readonly form: Form;
  /** Of Last-Event-ID. */
  readonly lastEvent: number | undefined;
  /** Aborted when the client is gone, or the server has waited long enough for this at its end. */
  readonly signal: AbortSignal;
}

export interface AnswerSpec {
  readonly status?: number;
  readonly description: string;
  /** By media type. What is not JSON has no schema. */
  readonly content: Readonly<Record<string, z.ZodType | undefined>>;
}

export interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** As OpenAPI writes them: /v1/tenants/{tenant}. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly detail?: string;
  /** `none`: no token is needed. */
  readonly scope: Scope | "none";
  /**
   * What a tenant's token gets: `tenant`: what is its own tenant's by the path, everything else is not there; `own`: its own part; `cluster`: nothing, that
   * is for tokens of all tenants.
   */
  readonly reach: "tenant" | "own" | "cluster";
  /** It changes something: it takes `dry_run`, and is in the audit log. */
  readonly changes?: boolean;
  /** It changes nothing, and is in the audit log for what it shows. */
  readonly audited?: boolean;
  /** What the last name of its path stands for need not be there. */
  readonly makes?: boolean;
  /** It looks at If-Match. */
  readonly versioned?: boolean;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Its body is the artifact. */
  readonly upload?: boolean;
  /**
   * It may last: who accepts a stream is told what happens meanwhile, and who prefers `respond-async` does not wait for its end. Names what the events are about.
   */
  progressAbout?(params: z.output<P>): string;
  readonly answers: readonly AnswerSpec[];
  /** One that is good when tenant blue has deployment web, a host h1 and NF firewall 1.0.0: for the reference, and for the tests of every route. */
  readonly example: { readonly params?: Readonly<Record<string, string>>; readonly query?: string; readonly body?: unknown };
  handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer>;
}

export type Route = RouteSpec<z.ZodType, z.ZodType, z.ZodType>;

type Nothing = typeof nothing;

/** A route, checked where it is written; the table forgets its types. */
export function route<P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing, B extends z.ZodType = Nothing>(spec: RouteSpec<P, Q, B>): Route {
  return spec as unknown as Route;
}

export const answers = (description: string, schema: z.ZodType, status?: number): AnswerSpec => ({
  description,
  content: { "application/json": schema },
  ...(status !== undefined && { status }),
});

/** Names in a path, in order. */
export const placeholders = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);

/** `GET /v1/tenants/{tenant}`: how a route is called in metrics and messages. */
export const routeName = ({ method, path }: Pick<Route, "method" | "path">): string => `${method} ${path}`;

/** Events that somebody of this tenant may see: what is about the tenant or its deployments. Hosts may have the names of tenants. */
export const isOfTenant = ({ about, kind }: Pick<NumberedEvent, "about" | "kind">, tenant: string): boolean =>
  kind !== "host" && kind !== "controller" && (about === tenant || about.startsWith(`${tenant}/`));
