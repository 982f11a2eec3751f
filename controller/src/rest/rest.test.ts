/** The API as its users have it: tokens, artifacts, the audit log, bounds on connections, TLS, and the end. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { artifactOf, sha256 } from "../artifacts/testing/artifacts.ts";
import { openMemoryStore } from "../store/index.ts";
import { Authority } from "../rpc/index.ts";
import { AuditLog } from "./audit_log.ts";
import { Failures, networkOf } from "./failures.ts";
import { DEFAULT_REST_LIMITS } from "./limits.ts";
import { ApiTokens, ensureAdminToken, readTlsFiles, createRestServer } from "./index.ts";
import { type RestLab, expectRefusal, openRestLab } from "./testing/rest_lab.ts";
import { ManualClock } from "@nfactor/host/manual_clock";

let lab: RestLab;
let folder: string | undefined;
const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
  if (folder) rmSync(folder, { recursive: true, force: true });
  folder = undefined;
});

async function open(...options: Parameters<typeof openRestLab>): Promise<RestLab> {
  lab = await openRestLab(...options);
  cleanUp.push(lab.close);
  return lab;
}

const freshFolder = (): string => (folder = mkdtempSync(join(tmpdir(), "nf-rest-")));
const WASM = { "content-type": "application/wasm" };
const ARTIFACTS = "/v1/tenants/blue/artifacts";

describe("tokens", () => {
  test("one that was made is good until it is revoked, and its text is nowhere", async () => {
    await open();
    const made = await lab.send("POST", "/v1/tokens", { token: lab.token.admin, body: { label: "ci\x1b[31m", scope: "deploy", tenant: "blue" } });
    const { token, id, label } = made.body as Record<string, string>;
    expect([made.status, label]).toEqual([201, "ci\\u{1b}[31m"]);
    expect(token).toMatch(/^nfa_[A-Za-z0-9_-]{43}$/);
    expect((await lab.send("GET", "/v1/whoami", { token })).body).toMatchObject({ id, scope: "deploy", tenant: "blue" });
    const list = await lab.send("GET", "/v1/tokens", { token: lab.token.admin });
    expect(list.text).toContain(id);
    const { entries } = await lab.store.range({ prefix: "" });
    for (const { key, value } of entries) expect(key + Buffer.from(value).toString()).not.toContain(token!.slice(4));
    expect((await lab.send("DELETE", `/v1/tokens/${id!}`, { token: lab.token.admin })).status).toBe(200);
    expectRefusal(await lab.send("GET", "/v1/whoami", { token }), 401, "rest.unauthorized");
  });

  test("who is bound to a tenant makes, sees and revokes tokens of that tenant alone", async () => {
    await open();
    const { token: foreign } = await lab.tokens.make({ label: "of green", scope: "read", tenant: "green" });
    const body = { label: "x", scope: "read" };
    expect((await lab.send("POST", "/v1/tokens", { token: lab.blue.admin, body })).body).toMatchObject({ tenant: "blue" });
    expectRefusal(await lab.send("POST", "/v1/tokens", { token: lab.blue.admin, body: { ...body, tenant: "green" } }), 404, "store.not_found");
    const { tokens } = (await lab.send("GET", "/v1/tokens", { token: lab.blue.admin })).body as { tokens: { tenant?: string }[] };
    expect(new Set(tokens.map(({ tenant }) => tenant))).toEqual(new Set(["blue"]));
    const { id } = await lab.tokens.check(`Bearer ${foreign}`);
    expectRefusal(await lab.send("DELETE", `/v1/tokens/${id}`, { token: lab.blue.admin }), 404, "store.not_found");
  });

  test("those of a tenant go with it", async () => {
    await open();
    await lab.send("DELETE", "/v1/tenants/blue", { token: lab.token.admin });
    // As when the controller dies right after the deletion.
    const { token: left } = await lab.tokens.make({ label: "left", scope: "admin", tenant: "blue" });
    await lab.send("PUT", "/v1/tenants/blue", { token: lab.token.admin, body: {} });
    for (const token of [lab.blue.admin, left]) expectRefusal(await lab.send("GET", "/v1/whoami", { token }), 401, "rest.unauthorized");
    expect((await lab.send("GET", "/v1/whoami", { token: lab.token.read })).status).toBe(200);
  });

  test("they expire, and what has expired makes room", async () => {
    const date = { nowMs: 1_000 };
    const tokens = new ApiTokens(openMemoryStore(), { dateMs: () => date.nowMs, max: 2 });
    const { token } = await tokens.make({ label: "a", scope: "read", validMs: 60_000 });
    await tokens.make({ label: "b", scope: "read" });
    await expect(tokens.make({ label: "c", scope: "read" })).rejects.toMatchObject({ code: "store.limit" });
    expect(await tokens.check(`bearer ${token}`)).toMatchObject({ label: "a" });
    date.nowMs += 60_000;
    await expect(tokens.check(`Bearer ${token}`)).rejects.toMatchObject({ code: "rest.unauthorized" });
    // Both find it, and one of them is faster.
    const made = await Promise.allSettled(["c", "d"].map((label) => tokens.make({ label, scope: "read" })));
    expect(made.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []))).toEqual([]);
  });

  test("the first admin's is written for this user alone, once", async () => {
    const tokens = new ApiTokens(openMemoryStore());
    const path = (await ensureAdminToken(tokens, freshFolder()))!;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const first = readFileSync(path, "utf8").trim();
    expect(await tokens.check(`Bearer ${first}`)).toMatchObject({ scope: "admin" });
    expect(await ensureAdminToken(tokens, folder!)).toBeUndefined();
    expect(readFileSync(path, "utf8").trim()).toBe(first);
    await ensureAdminToken(tokens, folder!, { renew: true });
    expect(readFileSync(path, "utf8").trim()).not.toBe(first);
  });

  test("who fails too often from one address is put off; a good token is let in from there nevertheless", async () => {
    await open({ limits: { failures: 3, failureEveryMs: 1000 } });
    const attempt = async (): Promise<string | undefined> => (await lab.send("GET", "/v1/hosts", { token: "nfa_wrong" })).code;
    expect([await attempt(), await attempt(), await attempt(), await attempt()]).toEqual([...Array<string>(3).fill("rest.unauthorized"), "rest.rate"]);
    expect((await lab.send("GET", "/v1/hosts", { token: lab.token.read })).status).toBe(200);
    lab.clock.advance(1000);
    expect([await attempt(), await attempt()]).toEqual(["rest.unauthorized", "rest.rate"]);
  });

  test("addresses whose failures are counted are bounded, and one of IPv6 is its network", () => {
    const failures = new Failures({ ...DEFAULT_REST_LIMITS, failures: 1, failureAddresses: 2 }, new ManualClock());
    expect([failures.note("::ffff:10.0.0.1"), failures.note("10.0.0.1")]).toEqual([true, false]);
    failures.note("2001:db8::1");
    failures.note("2001:db8:0:1::1");
    expect(failures.note("10.0.0.1")).toBe(true);
    expect(networkOf("2001:db8::5:1")).toBe(networkOf("2001:db8:0:0:9::"));
    expect(networkOf("::1")).toBe("0:0:0:0");
  });
});

describe("artifacts", () => {
  const form = (parts: readonly (readonly [name: string, bytes: Uint8Array | string])[], boundary = "a1b2"): Buffer =>
    Buffer.concat([
      ...parts.flatMap(([name, bytes]) => [
        Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="x"\r\nContent-Type: application/octet-stream\r\n\r\n`),
        Buffer.from(bytes),
        Buffer.from("\r\n"),
      ]),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
  const FORM = { "content-type": "multipart/form-data; boundary=a1b2" };

  test("an artifact and its source map come in together, and out as they were", async () => {
    await open();
    const component = await artifactOf({ version: "2.0.0" });
    // Bytes that look like the beginning of a boundary.
    const map = Buffer.from(`{"version":3}\r\n--a1b${"\r\n--a1b2".slice(0, 7)}\r\n-\r\n`);
    const pushed = await lab.send("POST", `${ARTIFACTS}?nf=firewall&digest=${sha256(component)}`, {
      token: lab.token.deploy,
      headers: FORM,
      body: form([
        ["component", component],
        ["source_map", map],
      ]),
    });
    expect(pushed.status, pushed.text).toBe(201);
    expect(pushed.body).toMatchObject({
      nf: "firewall",
      version: "2.0.0",
      created: true,
      artifact: { digest: sha256(component) },
      source_map: { digest: sha256(map) },
    });
    const bytes = await lab.send("GET", `${ARTIFACTS}/firewall@2.0.0/bytes`, { token: lab.token.read });
    expect([bytes.headers.etag, bytes.headers["content-type"]]).toEqual([`"sha256:${sha256(component)}"`, "application/wasm"]);
    expect((await lab.send("GET", `${ARTIFACTS}/firewall@2.0.0/source_map`, { token: lab.token.read })).text).toBe(map.toString());
    const again = await lab.send("POST", ARTIFACTS, { token: lab.token.deploy, headers: WASM, body: component });
    expect([again.status, again.body.created]).toEqual([200, false]);
  });

  test("forms that are not understood leave nothing", async () => {
    await open();
    const component = await artifactOf({ version: "2.0.0" });
    const whole = form([
      ["component", component],
      ["source_map", "{}"],
    ]);
    const before = await lab.fingerprint();
    const blobs = readdirSync(join(lab.folder, "sha256"));
    const refused: readonly (readonly [Buffer, Record<string, string>])[] = [
      [form([["component", component]]), FORM],
      [
        form([
          ["source_map", "{}"],
          ["component", component],
        ]),
        FORM,
      ],
      [
        form([
          ["component", component],
          ["source_map", "{}"],
          ["third", "x"],
        ]),
        FORM,
      ],
      [whole.subarray(0, whole.length - 8), FORM],
      [whole.subarray(3), FORM],
      [Buffer.concat([whole, Buffer.alloc(100, 65)]), FORM],
      [whole, { "content-type": "multipart/form-data" }],
      [whole, { "content-type": "multipart/form-data; boundary=other" }],
      [Buffer.from(whole.toString("latin1").replace("form-data", "attachment"), "latin1"), FORM],
      [Buffer.from(`--a1b2\r\n${"X: y\r\n".repeat(2000)}`), FORM],
      [Buffer.alloc(0), FORM],
    ];
    for (const [body, headers] of refused) expectRefusal(await lab.send("POST", ARTIFACTS, { token: lab.token.deploy, headers, body }), 400, "rest.body");
    expect(await lab.fingerprint()).toBe(before);
    expect(readdirSync(join(lab.folder, "uploads"))).toEqual([]);
    expect(readdirSync(join(lab.folder, "sha256"))).toEqual(blobs);
  });

  test("a part may be cut anywhere on its way", async () => {
    const { Multipart } = await import("./multipart.ts");
    const whole = form([
      ["component", Buffer.from("\r\n--a1b\r\n--a1b2x".slice(0, 9))],
      ["source_map", ""],
    ]);
    for (let size = 1; size < whole.length; size++) {
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
      };
      const multipart = new Multipart(source(), "a1b2");
      const found: [string, string][] = [];
      for (let part = await multipart.next(); part; part = await multipart.next()) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of part.bytes) chunks.push(chunk);
        found.push([part.name, Buffer.concat(chunks).toString()]);
      }
      expect(found).toEqual([
        ["component", "\r\n--a1b\r\n"],
        ["source_map", ""],
      ]);
    }
  });

  test("what is not what it was said to be, or no artifact, is refused as the registry refuses it", async () => {
    await open();
    const component = await artifactOf({ version: "2.0.0" });
    const push = (query: string, body: Uint8Array = component) => lab.send("POST", ARTIFACTS + query, { token: lab.token.deploy, headers: WASM, body });
    expectRefusal(await push("?nf=nat44"), 422, "artifact.mismatch");
    expectRefusal(await push(`?digest=${"0".repeat(64)}`), 422, "artifact.mismatch");
    expectRefusal(await push("", Buffer.from("no artifact")), 422, "admission.refused", "nf.artifact");
    expectRefusal(await push("", await artifactOf({ version: "1.0.0", build: 1 })), 409, "artifact.version_taken");
    expectRefusal(await push("?dry_run=true", await artifactOf({ version: "1.0.0", build: 1 })), 409, "artifact.version_taken");
  });

  test("who stops in the middle of an upload leaves nothing", async () => {
    await open();
    const component = await artifactOf({ version: "2.0.0" });
    const before = await lab.fingerprint();
    const { hostname, port } = new URL(lab.url);
    const req = request({
      host: hostname,
      port,
      method: "POST",
      path: ARTIFACTS,
      headers: { ...WASM, authorization: `Bearer ${lab.token.deploy}`, "transfer-encoding": "chunked" },
    });
    req.on("error", () => undefined);
    req.write(component.subarray(0, component.length / 2));
    await vi.waitFor(() => expect(readdirSync(join(lab.folder, "uploads"))).toHaveLength(1));
    req.destroy();
    await vi.waitFor(() => expect(readdirSync(join(lab.folder, "uploads"))).toEqual([]));
    expect(await lab.fingerprint()).toBe(before);
  });
});

describe("changes", () => {
  test("are made with the version that was read, and only then", async () => {
    await open();
    const path = "/v1/tenants/blue";
    const { headers } = await lab.send("GET", path, { token: lab.token.read });
    const put = (version: string) => lab.send("PUT", path, { token: lab.token.admin, body: { runtimes_max: 5 }, headers: { "if-match": version } });
    const changed = await put(headers.etag!);
    expect([changed.status, changed.headers.etag === headers.etag]).toEqual([200, false]);
    expectRefusal(await put(headers.etag!), 412, "store.stale");
    const make = () => lab.send("PUT", "/v1/tenants/red", { token: lab.token.admin, body: {}, headers: { "if-none-match": "*" } });
    expect((await make()).status).toBe(200);
    expectRefusal(await make(), 412, "store.stale");
  });

  test("of a deployment answer with its new version, so that the next one needs no look", async () => {
    await open();
    const path = "/v1/tenants/blue/deployments/web";
    const scale = (version: string) =>
      lab.send("POST", `${path}/scale`, { token: lab.token.deploy, body: { min: 2, max: 3 }, headers: { "if-match": version } });
    const first = await scale((await lab.send("GET", path, { token: lab.token.read })).headers.etag!);
    expect(first.headers.etag).toBe(`"${String(first.body.version)}"`);
    expect((await lab.send("GET", path, { token: lab.token.read })).headers.etag).toBe(first.headers.etag);
    const second = await scale(first.headers.etag!);
    expect([second.status, second.headers.etag === first.headers.etag]).toEqual([200, false]);
    expectRefusal(await scale(first.headers.etag!), 412, "store.stale");
    const gone = await lab.send("DELETE", path, { token: lab.token.deploy });
    expect([gone.body.version, gone.headers.etag]).toEqual([0, undefined]);
  });

  test("`runtimes` fixes their number", async () => {
    await open();
    const path = "/v1/tenants/blue/deployments/web/runtimes";
    await lab.send("PUT", path, { token: lab.token.deploy, body: { count: 4 } });
    expect(lab.cluster.calls).toEqual(["scale blue/web 4 4"]);
    // Nobody makes one more by posting to the list.
    expectRefusal(await lab.send("POST", path, { token: lab.token.deploy, body: { count: 4 } }), 405, "rest.method");
  });

  test("are in the audit log, with what a stranger named made harmless, refused ones too", async () => {
    await open();
    await lab.send("PUT", "/v1/tenants/red?dry_run=false", { token: lab.token.admin, body: {} });
    await lab.send("PUT", "/v1/tenants/pink?x=%1b[31m", { token: lab.token.operate, body: {} });
    await lab.send("PUT", "/v1/tenants/grey", { token: "nfa_wrong", body: {} });
    const { records } = (await lab.send("GET", "/v1/audit", { token: lab.token.admin })).body as { records: object[] };
    expect(records).toMatchObject([
      { who: "operate all", method: "PUT", path: "/v1/tenants/pink?x=%1b[31m", outcome: "rest.forbidden", status: 403 },
      { who: "admin all", method: "PUT", path: "/v1/tenants/red?dry_run=false", outcome: "ok", status: 200 },
    ]);
  });

  test("go on, and are told by log and metrics, when the audit log cannot be written", async () => {
    await open();
    const txn = lab.store.txn.bind(lab.store);
    vi.spyOn(lab.store, "txn").mockImplementation((asked) =>
      asked.then?.some((op) => op.op === "put" && op.key.startsWith("audit/")) ? Promise.reject(new NfError("store.full", "no room")) : txn(asked),
    );
    expect((await lab.send("PUT", "/v1/tenants/red", { token: lab.token.admin, body: {} })).status).toBe(200);
    expect(lab.log.join()).toContain("no room");
    expect((await lab.send("GET", "/metrics", { token: lab.token.read })).text).toContain("nfactor_audit_failures_total 1");
  });

  test("the audit log is bounded, and its pages are in order", async () => {
    const store = openMemoryStore();
    const log = await AuditLog.open(store, { kept: 50, dateMs: () => 5 });
    for (let i = 0; i < 400; i++) await log.add({ who: `w${i}`, from: "x", method: "PUT", path: "/\x1b", outcome: "ok", status: 200 });
    const again = await AuditLog.open(store, { kept: 50 });
    for (const each of [log, again]) {
      const first = await each.list({ limit: 3 });
      expect(first.map(({ who, path }) => [who, path])).toEqual([399, 398, 397].map((i) => [`w${i}`, "/\\u{1b}"]));
      expect((await each.list({ limit: 1, before: first.at(-1)!.number }))[0]!.who).toBe("w396");
      expect((await each.list({ limit: 1000 })).length).toBeLessThan(50 + 100);
    }
    // What a full store refuses takes nobody's place.
    const before = await log.list({ limit: 1000 });
    const full = vi.spyOn(store, "txn").mockRejectedValue(new NfError("store.full", "no room"));
    for (let i = 0; i < 200; i++) await log.add({ who: "lost", from: "x", method: "PUT", path: "/", outcome: "ok", status: 200 }).catch(() => undefined);
    full.mockRestore();
    expect(await log.list({ limit: 1000 })).toEqual(before);
  });
});

describe("faults of our own", () => {
  test("are told without their insides, and logged with them", async () => {
    await open();
    vi.spyOn(lab.cluster, "hosts").mockRejectedValue(new TypeError("x is not a \x1bfunction"));
    const reply = await lab.send("GET", "/v1/hosts", { token: lab.token.read });
    expectRefusal(reply, 500, "internal");
    expect(reply.text).not.toContain("function");
    expect(lab.log.join()).toContain("x is not a \\u{1b}function");
    expect(lab.log.join()).toContain(/under (\w+)/.exec(reply.text)![1]);
  });
});

describe("connections", () => {
  const raw = (text: string, after?: string): Promise<string> =>
    new Promise((done, fail) => {
      const { hostname, port } = new URL(lab.url);
      const socket = connect(Number(port), hostname, () => {
        socket.write(text);
        if (after !== undefined) socket.write(after);
      });
      let answer = "";
      socket.on("data", (chunk) => (answer += chunk.toString()));
      socket.on("close", () => done(answer));
      socket.on("error", fail);
    });

  test("what is no HTTP, or too much of it, gets the one form of an error", async () => {
    await open();
    const codeOf = (answer: string): unknown => [
      /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1],
      (JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as { error: { code: string } }).error.code,
    ];
    expect(codeOf(await raw("nonsense\r\n\r\n"))).toEqual(["400", "rest.body"]);
    expect(codeOf(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`))).toEqual(["431", "rest.header"]);
    expect(codeOf(await raw("GET /v1/tenants/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))).toEqual(["400", "rest.path"]);
    expect(codeOf(await raw(`GET /v1/hosts/${"x".repeat(500)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`))).toEqual(["400", "rest.path"]);
  });

  test("who sends headers, or a body, drop by drop is ended", async () => {
    await open({ limits: { headersMs: 100, bodyMs: 1000 } });
    expect(await raw("GET / HTTP/1.1\r\nHost: x\r\nX: ")).toContain('"rest.timeout"');
    const answer = raw(
      `PUT /v1/tenants/red HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: Bearer ${lab.token.admin}\r\n\r\n{`,
    );
    const ticking = setInterval(() => lab.clock.advance(500), 5);
    expect(await answer.finally(() => clearInterval(ticking))).toContain('"rest.timeout"');
  });

  test("they are bounded", async () => {
    await open({ limits: { connections: 2 } });
    const { hostname, port } = new URL(lab.url);
    const held = [1, 2].map(() => connect(Number(port), hostname));
    await Promise.all(held.map((socket) => new Promise((done) => socket.once("connect", done))));
    await expect(vi.waitFor(async () => expect((await lab.send("GET", "/v1/ready")).status).toBe(0), { timeout: 50 })).rejects.toThrow();
    for (const socket of held) socket.destroy();
    await vi.waitFor(async () => expect((await lab.send("GET", "/v1/ready")).status).toBe(200));
  });

  test("a socket of the machine is its user's alone, and needs a token too", async () => {
    await open();
    const path = join(freshFolder(), "api.sock");
    const server = await createRestServer({ cluster: lab.cluster, store: lab.store });
    cleanUp.push(() => server.close());
    await server.listen({ path });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const ask = (token?: string): Promise<number> =>
      new Promise((done, fail) =>
        request({ socketPath: path, path: "/v1/hosts", headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }, (res) =>
          done(res.resume().statusCode!),
        )
          .on("error", fail)
          .end(),
      );
    expect([await ask(), await ask(lab.token.read)]).toEqual([401, 200]);
  });

  test("other addresses than loopback are listened on with a certificate only", async () => {
    await open();
    const server = await createRestServer({ cluster: lab.cluster, store: lab.store });
    cleanUp.push(() => server.close());
    await expect(server.listen({ host: "0.0.0.0", port: 0 })).rejects.toMatchObject({
      code: "rest.listen",
      fix: expect.stringContaining("--api-cert") as string,
    });
    await expect(server.listen({ host: "127.0.0.1", port: Number(new URL(lab.url).port) })).rejects.toMatchObject({ code: "rest.listen" });
  });

  test("with a certificate it is HTTPS", async () => {
    await open();
    const { cert, key, ca } = await (await Authority.open(openMemoryStore())).serverCredentials();
    const [certPath, keyPath] = ["cert.pem", "key.pem"].map((name) => join(freshOr(), name));
    writeFileSync(certPath!, cert);
    writeFileSync(keyPath!, key);
    expect(() => readTlsFiles(certPath!, certPath!)).toThrow(expect.objectContaining({ code: "rest.tls" }));
    expect(() => readTlsFiles("/nonexistent", keyPath!)).toThrow(expect.objectContaining({ code: "rest.tls" }));
    const server = await createRestServer({ cluster: lab.cluster, store: lab.store, tls: readTlsFiles(certPath!, keyPath!) });
    cleanUp.push(() => server.close());
    const url = await server.listen({ host: "127.0.0.1", port: 0 });
    const status = await new Promise((done, fail) =>
      tlsRequest(`${url}/v1/health`, { ca: [...ca], checkServerIdentity: () => undefined, agent: false }, (res) => done(res.resume().statusCode))
        .on("error", fail)
        .end(),
    );
    expect([url.startsWith("https://"), status]).toEqual([true, 200]);
  });

  const freshOr = (): string => folder ?? freshFolder();
});

describe("the end", () => {
  test("what is under way is answered, nothing new is begun, and connections that wait for nothing are not waited for", async () => {
    await open();
    const { hostname, port } = new URL(lab.url);
    // It has nothing to ask for, and stays.
    const silent = connect(Number(port), hostname);
    await new Promise((done) => silent.once("connect", done));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = (method: string, path: string, body?: object): Promise<number> =>
      new Promise((done, fail) => {
        const headers = { authorization: `Bearer ${lab.token.deploy}`, "content-type": "application/json" };
        request({ host: hostname, port, agent, method, path, headers }, (res) => res.resume().on("end", () => done(res.statusCode!)))
          .on("error", fail)
          .end(body && JSON.stringify(body));
      });
    expect(await kept("GET", "/v1/whoami")).toBe(200);
    const gate = lab.cluster.hold();
    const scaling = kept("POST", "/v1/tenants/blue/deployments/web/scale", { min: 2, max: 3 });
    await gate.entered;
    // No time passes: nothing is cut off.
    const closed = lab.close();
    cleanUp.pop();
    await expect(lab.send("GET", "/v1/ready")).rejects.toThrow();
    gate.open();
    expect(await scaling).toBe(200);
    await closed;
    agent.destroy();
  });

  test("what lasts too long is cut off", async () => {
    await open({ limits: { closeMs: 100 } });
    const gate = lab.cluster.hold();
    const cut = expect(lab.send("POST", "/v1/tenants/blue/deployments/web/scale", { token: lab.token.deploy, body: { min: 2, max: 3 } })).rejects.toThrow();
    await gate.entered;
    const closed = lab.close();
    cleanUp.pop();
    lab.clock.advance(100);
    await cut;
    gate.open();
    await closed;
  });
});
