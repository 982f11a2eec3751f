/** Every route of the table against everything that can be wrong with a request. The cases are made from the table: a new route has them all. */
import { readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { artifactOf } from "../artifacts/testing/artifacts.ts";
import { SCOPES } from "../cluster/kinds.ts";
import { pathOf } from "./examples.ts";
import { type Route, placeholders, routeName } from "./route.ts";
import { type Reply, type RestLab, ROUTES, type Sent, expectRefusal, openRestLab, optionsOf, send } from "./testing/rest_lab.ts";

const NO_FAILURES = { failures: 1_000_000 };
const NOT_FOUND = ["store.not_found", "artifact.not_found"];
const cases = ROUTES.map((route) => [routeName(route), route] as const);
const only = (choose: (route: Route) => boolean) => cases.filter(([, route]) => choose(route));

async function sentFor(route: Route, token: string | undefined): Promise<Sent> {
  if (route.upload) return { token, body: await artifactOf({ version: "1.1.0" }), headers: { "content-type": "application/wasm" } };
  return { token, ...(route.example.body !== undefined && { body: route.example.body }) };
}

async function pathFor(lab: RestLab, route: Route, more: Readonly<Record<string, string>> = {}, query = ""): Promise<string> {
  const id = route.path.includes("{id}")
    ? { id: (await lab.tokens.list("green"))[0]?.id ?? (await lab.tokens.make({ label: "x", scope: "read", tenant: "green" })).caller.id }
    : {};
  const all = [route.example.query, query].filter((each) => each !== undefined && each !== "").join("&");
  return pathOf(route, { ...id, ...more }) + (all === "" ? "" : `?${all}`);
}

const ask = async (lab: RestLab, route: Route, token: string | undefined, more: Readonly<Record<string, string>> = {}, query = ""): Promise<Reply> =>
  lab.send(route.method, await pathFor(lab, route, more, query), await sentFor(route, token));

describe("as the reference says", () => {
  let lab: RestLab;
  beforeAll(async () => void (lab = await openRestLab()));
  afterAll(() => lab.close());

  test.each(only(({ changes }) => changes === true))("%s: a dry run checks, and changes nothing", async (_, route) => {
    await pathFor(lab, route);
    const before = await lab.fingerprint();
    const reply = await ask(lab, route, lab.token.admin, {}, "dry_run=true");
    expect(reply.status, reply.text).toBe(200);
    expect(await lab.fingerprint()).toBe(before);
    expect((await lab.send("GET", "/v1/audit", { token: lab.token.admin })).body.records).toEqual([]);
  });

  test.each(cases)("%s: its example works, and is in the audit log when it changes something", async (_, route) => {
    const own = await openRestLab();
    try {
      const reply = await ask(own, route, own.token.admin);
      expect(reply.status, reply.text).toBe(route.answers[0]!.status ?? 200);
      const { records } = (await own.send("GET", "/v1/audit", { token: own.token.admin })).body as {
        records: { outcome: string; who: string; path: string }[];
      };
      const wanted = route.changes || route.audited ? [{ outcome: "ok", who: "admin all", method: route.method, from: "127.0.0.1", status: reply.status }] : [];
      expect(records).toMatchObject(wanted);
    } finally {
      await own.close();
    }
  });
});

describe("refused, with nothing changed", () => {
  let lab: RestLab;
  let before: string;
  beforeAll(async () => {
    lab = await openRestLab({ limits: NO_FAILURES });
    await lab.tokens.make({ label: "of green", scope: "read", tenant: "green" });
    before = await lab.fingerprint();
  });
  afterAll(async () => {
    await lab.close();
  });
  const unchanged = async (): Promise<void> => {
    expect(await lab.fingerprint()).toBe(before);
    expect(lab.log).toEqual([]);
  };

  test.each(only(({ scope }) => scope !== "none"))("%s: no token, or none that is good", async (_, route) => {
    const path = await pathFor(lab, route);
    for (const token of [undefined, `nfa_${"A".repeat(43)}`, "nfa_short", "two words", ""]) {
      const reply = await lab.send(route.method, path, {
        ...(await sentFor(route, undefined)),
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      });
      expectRefusal(reply, 401, "rest.unauthorized");
      expect(reply.headers["www-authenticate"]).toContain("Bearer");
    }
    await unchanged();
  });

  test.each(only(({ scope }) => scope !== "none" && scope !== "read"))("%s: a scope that is too low", async (_, route) => {
    for (const scope of SCOPES.slice(0, SCOPES.indexOf(route.scope as "read"))) expectRefusal(await ask(lab, route, lab.token[scope]), 403, "rest.forbidden");
    await unchanged();
  });

  test.each(only(({ scope }) => scope !== "none"))("%s: a tenant's token has nothing of others", async (_, route) => {
    if (placeholders(route.path).includes("tenant")) {
      const foreign = await ask(lab, route, lab.blue.admin, { tenant: "green" });
      const missing = await ask(lab, route, lab.blue.admin, { tenant: "nosuch" });
      expectRefusal(foreign, 404, "store.not_found");
      // Not to be told from one that is not there.
      expect(foreign.text.replaceAll("green", "nosuch")).toBe(missing.text);
    }
    if (route.reach === "cluster" && !placeholders(route.path).includes("tenant")) expectRefusal(await ask(lab, route, lab.blue.admin), 403, "rest.forbidden");
    if (route.reach === "own" && route.method === "GET") {
      const reply = await ask(lab, route, lab.blue.admin);
      expect(reply.status).toBe(200);
      expect(reply.text).not.toContain("green");
    }
    if (route.path.includes("{id}")) expectRefusal(await ask(lab, route, lab.blue.admin), 404, "store.not_found");
    await unchanged();
  });

  test.each(only(({ path }) => path.includes("{")))("%s: names that nobody has, and such as nobody can have", async (_, route) => {
    const names = placeholders(route.path);
    for (const name of names) {
      const unknown = { [name]: { id: "0123456789abcdef", reference: "firewall@9.9.9" }[name] ?? "nosuch" };
      if (!(route.makes && name === names.at(-1))) expectRefusal(await ask(lab, route, lab.token.admin, unknown), 404, ...NOT_FOUND);
      for (const bad of ["\x1b[31mred", "a b", "..", "é", "%2e%2e", "a/b", "-".repeat(200)]) {
        const reply = await ask(lab, route, lab.token.admin, { [name]: bad });
        // What is too long, or a dot segment that a client takes for one, is no route.
        expect([400, 404, 405], reply.text).toContain(reply.status);
        expectRefusal(reply, reply.status, "rest.field", "rest.path", "rest.not_found", "rest.method", ...NOT_FOUND, "artifact.name");
      }
    }
    await unchanged();
  });

  test.each(only(({ versioned }) => versioned === true))("%s: a version that is not the one it has, or is none", async (_, route) => {
    const path = await pathFor(lab, route);
    const sent = await sentFor(route, lab.token.admin);
    expectRefusal(await lab.send(route.method, path, { ...sent, headers: { ...sent.headers, "if-match": '"999999"' } }), 412, "store.stale");
    expectRefusal(await lab.send(route.method, path, { ...sent, headers: { ...sent.headers, "if-none-match": "*" } }), 412, "store.stale");
    for (const version of ['W/"1"', "x", '"1", "2"', "", '"-1"'])
      expectRefusal(await lab.send(route.method, path, { ...sent, headers: { ...sent.headers, "if-match": version } }), 400, "rest.field");
    await unchanged();
  });

  test.each(only(({ changes, versioned }) => changes === true && !versioned))("%s: a version where none is compared", async (_, route) => {
    const sent = await sentFor(route, lab.token.admin);
    expectRefusal(await lab.send(route.method, await pathFor(lab, route), { ...sent, headers: { ...sent.headers, "if-match": '"1"' } }), 400, "rest.field");
    await unchanged();
  });

  test.each(only(({ method }) => method !== "GET"))("%s: a body that is too large, announced or not", async (_, route) => {
    const path = await pathFor(lab, route);
    const headers = { ...(route.upload && { "content-type": "application/wasm" }) };
    const announced = await lab.send(route.method, path, { token: lab.token.admin, body: {}, headers: { ...headers, "content-length": String(50 << 20) } });
    expectRefusal(announced, 413, "rest.too_large");
    const large = route.upload ? Buffer.alloc((2 << 20) + 1) : JSON.stringify({ x: "x".repeat(1 << 20) });
    const chunked = await sendChunked(lab, route, path, large);
    expectRefusal(chunked, 413, "rest.too_large", "artifact.too_large");
    await unchanged();
  });

  test.each(only(({ method, upload }) => method !== "GET" && !upload))("%s: a body that is no JSON, or not what is taken", async (_, route) => {
    const path = await pathFor(lab, route);
    const token = lab.token.admin;
    const headers = { "content-type": "application/json" };
    const deep = `${'{"a":'.repeat(100)}1${"}".repeat(100)}`;
    for (const body of ["{", "nonsense", Buffer.from([0x22, 0xff, 0x22]), deep, `[${"0,".repeat(300_000)}0]`, '{"__proto__":{"x":1}}'])
      expectRefusal(await lab.send(route.method, path, { token, headers, body }), 400, "rest.body");
    for (const body of ["[]", "7", '"text"', "null", '{"no_such_field":1}', '{"\\u001b[31m":1}'])
      expectRefusal(await lab.send(route.method, path, { token, headers, body }), 400, "rest.field");
    for (const type of ["text/plain", "application/wasm", "multipart/form-data; boundary=x", "nonsense", "application/jsonx"])
      expectRefusal(await lab.send(route.method, path, { token, headers: { "content-type": type }, body: "{}" }), 415, "rest.media_type");
    await unchanged();
  });

  test.each(only(({ body }) => body !== undefined))("%s: each field of its body with what it cannot be", async (_, route) => {
    const path = await pathFor(lab, route);
    const example = (route.example.body ?? {}) as Record<string, unknown>;
    for (const field of Object.keys(example)) {
      // A configuration may be anything: the NF's own schema decides.
      for (const value of [{ x: { y: 1 } }, [[[]]], -1.5]) {
        const reply = await lab.send(route.method, path, { token: lab.token.admin, body: { ...example, [field]: value } });
        expectRefusal(reply, 400, "rest.field");
        expect(reply.text).toContain(`body.${field}`);
      }
    }
    await unchanged();
  });

  test.each(cases)("%s: a query that it does not have", async (_, route) => {
    const token = route.scope === "none" ? undefined : lab.token.admin;
    expectRefusal(await ask(lab, route, token, {}, "no_such_field=1"), 400, "rest.field");
    expectRefusal(await ask(lab, route, token, {}, "dry_run=maybe"), 400, "rest.field");
    if (!route.changes) expectRefusal(await ask(lab, route, token, {}, "dry_run=true"), 400, "rest.field");
    await unchanged();
  });

  test.each(only(({ method }) => method !== "GET"))("%s: who goes away half way", async (_, route) => {
    const path = await pathFor(lab, route);
    const { options, bytes } = optionsOf(route.method, await sentFor(route, lab.token.admin));
    const body = bytes ?? '{"a":1}';
    const { hostname, port } = new URL(lab.url);
    const known = await lastAudit(lab);
    const req = request({
      ...options,
      headers: { "content-type": "application/json", ...(options.headers as Record<string, string>), "content-length": String(Buffer.byteLength(body)) },
      host: hostname,
      port,
      path,
    });
    req.on("error", () => undefined);
    await new Promise<void>((done) => req.write(body.slice(0, body.length >> 1), () => done()));
    req.destroy();
    // The end of a connection reaches the server when it does; that it has is in the log.
    if (route.changes || route.audited) await vi.waitFor(async () => expect((await lastAudit(lab)).number).toBeGreaterThan(known.number));
    if (route.changes || route.audited) expect((await lastAudit(lab)).outcome).toMatch(/^(rest|artifact)\.aborted$/);
    if (route.upload) expect(readdirSync(join(lab.folder, "uploads"))).toEqual([]);
    await unchanged();
  });

  test.each(cases)("%s: methods that its path does not have", async (_, route) => {
    const methods = ROUTES.filter(({ path }) => path === route.path).map(({ method }) => method as string);
    for (const method of ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"].filter((each) => !methods.includes(each))) {
      const reply = await lab.send(method, pathOf(route), { token: lab.token.admin });
      expectRefusal(reply, 405, "rest.method");
      expect(reply.headers.allow!.split(", ").sort()).toEqual([...new Set(reply.headers.allow!.split(", "))].sort());
      for (const each of methods) expect(reply.headers.allow).toContain(each);
    }
    await unchanged();
  });
});

async function lastAudit(lab: RestLab): Promise<{ readonly number: number; readonly outcome: string }> {
  const { records } = (await lab.send("GET", "/v1/audit?limit=1", { token: lab.token.admin })).body as { records: { number: number; outcome: string }[] };
  return records[0] ?? { number: 0, outcome: "" };
}

function sendChunked(lab: RestLab, route: Route, path: string, body: Uint8Array | string): Promise<Reply> {
  const type = route.upload ? "application/wasm" : "application/json";
  return send(lab.url, route.method, path, { token: lab.token.admin, body, headers: { "content-type": type, "transfer-encoding": "chunked" } });
}
