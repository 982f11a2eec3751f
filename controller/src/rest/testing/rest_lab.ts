/** A REST server on loopback before a cluster in memory, with a token for each scope, and a client that hides nothing. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { ManualClock } from "@nfactor/host/manual_clock";
import { artifactOf, chunked } from "../../artifacts/testing/artifacts.ts";
import { openTestRegistry } from "../../artifacts/testing/registry.ts";
import type { Store } from "../../store/index.ts";
import { type RestServerOptions, createRestServer, ApiTokens, type Scope } from "../index.ts";
import { answersOf } from "../accepted.ts";
import type { Route } from "../route.ts";
import { ROUTES } from "../routes/index.ts";
import { routeName } from "../route.ts";
import { MemoryCluster } from "./memory_cluster.ts";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of JSON. */
  readonly body: Record<string, unknown>;
  /** The code of its error. */
  readonly code: string | undefined;
}

export interface Sent {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is no text or bytes goes as JSON. */
  readonly body?: unknown;
}

export interface RestLab {
  readonly url: string;
  readonly store: Store;
  readonly cluster: MemoryCluster;
  readonly tokens: ApiTokens;
  readonly clock: ManualClock;
  readonly folder: string;
  readonly log: string[];
  /** Of all tenants; and of tenant blue. */
  readonly token: Readonly<Record<Scope, string>>;
  readonly blue: Readonly<Record<Scope, string>>;
  send(method: string, path: string, sent?: Sent): Promise<Reply>;
  /** What the store has, but for the audit log: a digest. */
  fingerprint(): Promise<string>;
  close(): Promise<void>;
}

export async function openRestLab(options: Partial<RestServerOptions> = {}): Promise<RestLab> {
  // Of its own: one lab may serve several tests.
  const above = mkdtempSync(join(tmpdir(), "nf-rest-lab-"));
  const folder = join(above, "blobs");
  const { registry, store } = await openTestRegistry({ folder });
  const cluster = new MemoryCluster(store, registry);
  await cluster.fill();
  const component = await artifactOf();
  for (const tenant of ["blue", "green"])
    await registry.upload({ tenant, uploader: "the test", component: chunked(component), sourceMap: chunked(Buffer.from("{}")) });
  const tokens = new ApiTokens(store);
  const make = async (tenant?: string): Promise<Record<Scope, string>> => {
    const made = {} as Record<Scope, string>;
    for (const scope of ["read", "deploy", "operate", "admin"] as const)
      made[scope] = (await tokens.make({ label: `${scope} ${tenant ?? "all"}`, scope, tenant })).token;
    return made;
  };
  const [token, blue] = [await make(), await make("blue")];
  const clock = new ManualClock();
  const log: string[] = [];
  const server = await createRestServer({ cluster, store, tokens, clock, log: (line) => log.push(line), onJson: requireSchema, ...options });
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  return {
    ...{ url, store, cluster, tokens, clock, folder, log, token, blue },
    send: (method, path, sent) => send(url, method, path, sent),
    fingerprint: () => fingerprintOf(store),
    close: async () => {
      await server.close();
      await store.close();
      rmSync(above, { recursive: true, force: true });
    },
  };
}

/** An answer that the reference does not describe is a fault. */
export function requireSchema(route: Route, status: number, body: unknown): void {
  const answer = answersOf(route).find((each) => (each.status ?? 200) === status);
  if (!answer) throw new Error(`${routeName(route)} answers ${status}, which it does not say`);
  const parsed = answer.content["application/json"]?.safeParse(body);
  if (parsed?.success === false) throw new Error(`${routeName(route)}: ${JSON.stringify(parsed.error.issues)}`);
}

export function optionsOf(
  method: string,
  { token, headers = {}, body }: Sent,
): { readonly options: RequestOptions; readonly bytes: Uint8Array | string | undefined } {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const bytes = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  const type = body === undefined || isRaw ? {} : { "content-type": "application/json" };
  const length = bytes === undefined || "transfer-encoding" in headers ? {} : { "content-length": String(Buffer.byteLength(bytes)) };
  return {
    options: { method, headers: { ...type, ...length, ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers }, agent: false },
    bytes,
  };
}

export function send(url: string, method: string, path: string, sent: Sent = {}): Promise<Reply> {
  const { options, bytes } = optionsOf(method, sent);
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const req = request({ ...options, host: hostname, port, path }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", fail);
      res.on("end", () => done(replyOf(res.statusCode!, res.headers, Buffer.concat(chunks).toString())));
    });
    req.on("error", fail);
    req.end(bytes);
  });
}

export function replyOf(status: number, headers: IncomingHttpHeaders, text: string): Reply {
  const isJson = (headers["content-type"] ?? "").startsWith("application/json");
  const body = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
  return { status, headers, text, body, code: (body.error as { readonly code?: string } | undefined)?.code };
}

async function fingerprintOf(store: Store): Promise<string> {
  const hash = createHash("sha256");
  let after: string | undefined;
  do {
    const page = await store.range({ prefix: "", after });
    for (const { key, value, modRevision } of page.entries) if (!key.startsWith("audit/")) hash.update(`${key} ${modRevision} `).update(value);
    after = page.next;
  } while (after !== undefined);
  return hash.digest("hex");
}

/** Every refusal has the one form, and says nothing of our insides. */
export function expectRefusal(reply: Reply, status: number, ...codes: string[]): void {
  expect([reply.status, codes.includes(reply.code ?? "") ? codes[0] : reply.code], reply.text).toEqual([status, codes[0]]);
  expect(Object.keys(reply.body)).toEqual(["error"]);
  for (const text of Object.values(reply.body.error as Record<string, string>)) expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(reply.text).not.toMatch(/node_modules|\.ts:\d|at Object|\\n {4}at /);
}

export { ROUTES };
