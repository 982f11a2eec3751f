/** Who is let in: certificates, tokens, sockets, and how many. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import {
  CONTROLLER_NAME,
  ControllerLink,
  type ControllerSession,
  type Identity,
  connectController,
  connectUnix,
  digestOfAuthorities,
  findAuthority,
  join,
  makePrivateKey,
  parseToken,
  readIdentity,
  renew,
  tokenText,
  writeIdentity,
} from "@nfactor/host/identity";
import { ManualClock } from "@nfactor/host/manual_clock";
import { CHUNK_BYTES_MAX, CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS, type Handlers, dial, fetchArtifact, serve } from "@nfactor/host/session";
import type { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Store, openMemoryStore, openSqliteStore } from "../store/index.ts";
import { Authority } from "./authority.ts";
import { CERTIFICATE_MS } from "./certificates.ts";
import { Enrolment } from "./enrolment.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import { errorOf, until } from "./testing.ts";

const DAY_MS = 86_400_000;
/** Heartbeats are no matter here, where hours pass in a moment. */
const NEVER = { everyMs: 1e12, silenceMs: 2e12 };
const ARTIFACT = Buffer.alloc(3 * CHUNK_BYTES_MAX + 1234, "nf");
const DIGEST = createHash("sha256").update(ARTIFACT).digest("hex");

let folder: string;
let clock: ManualClock;
/** Of day, as the controller has it. */
let nowMs: number;
let store: Store;
let authority: Authority;
let enrolment: Enrolment;
let listener: Listener;
let endpoint: { host: string; port: number };
let refusals: NfError[];

beforeEach(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), "nfa-rpc-"));
  clock = new ManualClock();
  nowMs = Date.now();
  store = openMemoryStore();
  await start();
});
afterEach(async () => {
  await listener.close();
  rmSync(folder, { recursive: true });
});

async function start(options: Partial<ListenerOptions> = {}): Promise<void> {
  authority = await Authority.open(store, () => nowMs);
  enrolment = new Enrolment({ store, authority, nowMs: () => nowMs, onRevoked: (host, serials) => listener.end(host, serials) });
  refusals = [];
  listener = new Listener({
    ...{ enrolment, clock, nowMs: () => nowMs, onRefused: (_from, why) => refusals.push(why) },
    session: { pulse: NEVER },
    handlers: {
      keep_alive: async () => ({ ttl_seconds: 30, authorities: authority.digest }),
      artifact: async ({ offset, length }) => ({ total: ARTIFACT.length, bytes: ARTIFACT.subarray(offset, offset + length) }),
    },
    ...options,
  });
  endpoint = { host: "127.0.0.1", port: await listener.listenTls({ host: "127.0.0.1", port: 0 }) };
}

const INFO = { name: "h", version: "0", pid: 1, cpus: 2, memory_mb: 1024, room: 8, interfaces: ["c0", "s0"] };
/** What a host of these tests can do. */
const handlers = { info: async () => INFO } as Partial<Handlers<typeof HOST_METHODS>> as Handlers<typeof HOST_METHODS>;

async function joined(host = "h1"): Promise<Identity> {
  return join(endpoint, await enrolment.makeToken(host));
}

async function session(identity: Identity, name = identity.host): Promise<ControllerSession> {
  const socket = await connectController(endpoint, { authorities: identity.authorities, own: identity });
  return dial(socket, serve(HOST_METHODS, handlers), { calls: CONTROLLER_METHODS, name });
}

const OPTIONS = { calls: CONTROLLER_METHODS, name: "h1" };

describe("joining", () => {
  test("with a token, a host gets a certificate, and with that a session in which both ask", async () => {
    const identity = await joined("h1");
    const path = joinPath(folder, "identity.json");
    writeIdentity(path, identity);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const one = await session(readIdentity(path)!);
    expect(await one.call("keep_alive", {})).toEqual({ ttl_seconds: 30, authorities: digestOfAuthorities(identity.authorities) });
    await until(() => listener.sessionOf("h1") !== undefined);
    expect(await listener.sessionOf("h1")!.call("info", {})).toEqual(INFO);
    expect(listener.sessionOf("h1")!.peer).toMatchObject({ name: "h1", serial: (await enrolment.certificatesOf("h1"))[0]!.serial });
    one.close();
  });

  test("a token is good for one key: asked again with that, the answer is the same; with another, it is refused", async () => {
    const token = await enrolment.makeToken("h1");
    const key = makePrivateKey();
    const [first, again] = await Promise.all([join(endpoint, token, key), join(endpoint, token, key)]);
    expect(again.certificate).toBe(first.certificate);
    expect((await join(endpoint, token, key)).certificate).toBe(first.certificate);
    expect(await errorOf(join(endpoint, token))).toMatchObject({ code: "rpc.join", message: "the join token was used" });
    expect(await enrolment.certificatesOf("h1")).toHaveLength(1);
  });

  test("of many who come with one token at once, one gets a certificate", async () => {
    const token = await enrolment.makeToken("h1");
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => join(endpoint, token)));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const one of all) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "rpc.join" });
    expect(await enrolment.certificatesOf("h1")).toHaveLength(1);
  });

  test("a token that has expired, is of nobody, or is none, is refused", async () => {
    const token = await enrolment.makeToken("h1", { validMs: 60_000 });
    const parts = parseToken(token);
    for (const [bad, code] of [
      [tokenText({ ...parts, secret: "A".repeat(43) }), "rpc.join"],
      [tokenText({ ...parts, id: "0".repeat(16) }), "rpc.join"],
      [tokenText({ ...parts, fingerprint: "A".repeat(43) }), "rpc.untrusted"],
      [token.slice(0, -1), "rpc.join"],
      ["", "rpc.join"],
    ] as const)
      expect(await errorOf(join(endpoint, bad)), bad).toMatchObject({ code });
    nowMs += 60_000;
    expect(await errorOf(join(endpoint, token))).toMatchObject({ code: "rpc.join", message: expect.stringContaining("expired") as string });
    expect(await enrolment.certificatesOf("h1")).toEqual([]);
  });

  test("the secret is told to nobody but the controller that the token is of", async () => {
    const other = await Authority.open(openMemoryStore());
    const { key, cert } = await other.serverCredentials();
    let heard = 0;
    const impostor = createTlsServer({ key, cert }, (socket) => {
      socket.on("data", ({ length }) => (heard += length));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((done) => impostor.listen(0, "127.0.0.1", done));
    const { port } = impostor.address() as { port: number };
    expect(await errorOf(join({ host: "127.0.0.1", port }, await enrolment.makeToken("h1")))).toMatchObject({ code: "rpc.untrusted" });
    // One who shows the real authority's certificate, but has no certificate of it.
    impostor.setSecureContext({ key, cert: `${cert}\n${authority.trusted[0]!}` });
    expect(await errorOf(join({ host: "127.0.0.1", port }, await enrolment.makeToken("h1")))).toMatchObject({ code: "rpc.untrusted" });
    // A host's certificate is good for no server, although the authority has signed it.
    const { private_key, certificate, authorities } = await joined("h2");
    impostor.setSecureContext({ key: private_key, cert: `${certificate}\n${authorities[0]!}` });
    expect(await errorOf(join({ host: "127.0.0.1", port }, await enrolment.makeToken("h1")))).toMatchObject({ code: "rpc.untrusted" });
    expect(heard).toBe(0);
    await new Promise<void>((done) => impostor.close(() => done()));
  });

  test("the store has no secret of a token", async () => {
    const { secret } = parseToken(await enrolment.makeToken("h1"));
    const { entries } = await store.range({ prefix: "" });
    expect(entries.length).toBeGreaterThan(1);
    for (const { value } of entries) expect(Buffer.from(value).includes(secret)).toBe(false);
  });

  test("a machine that is replaced loses its certificate and its connection", async () => {
    const old = await session(await joined("h1"));
    await until(() => listener.sessionOf("h1") !== undefined);
    const identity = await joined("h1");
    expect(await old.closed).toMatchObject({ code: "rpc.certificate" });
    expect(await enrolment.certificatesOf("h1")).toHaveLength(1);
    (await session(identity)).close();
  });

  test("names and times that cannot be are refused; there are so many tokens at the most", async () => {
    for (const name of ["", "a b", "../x", "-x", "x".repeat(64), "x\n", "é"])
      expect(await errorOf(enrolment.makeToken(name)), name).toMatchObject({ code: "usage" });
    for (const validMs of [0, NaN, 1e12]) expect(await errorOf(enrolment.makeToken("h", { validMs }))).toMatchObject({ code: "usage" });
    for (let i = 0; i < 1000; i++) await enrolment.makeToken(`h${i}`);
    expect(await errorOf(enrolment.makeToken("h"))).toMatchObject({ code: "store.limit" });
    nowMs += DAY_MS;
    await enrolment.makeToken("h");
  });
});

describe("who is refused", () => {
  test("somebody without a certificate may join, and nothing else, for a short time", async () => {
    const authorities = authority.trusted;
    const guest = await dial(await connectController(endpoint, { authorities }), serve({}, {}), {
      calls: { ...CONTROLLER_METHODS, ...GUEST_METHODS },
      name: "h1",
    });
    for (const [name, params] of [
      ["keep_alive", {}],
      ["artifact", { digest: DIGEST, offset: 0, length: 1 }],
      ["renew", { request: "x" }],
    ] as const)
      expect(await errorOf(guest.call(name, params as never, { key: "k" }))).toMatchObject({ code: "rpc.method", allowed: "join" });
    expect(await errorOf(guest.call("join", { token: "x.y", request: "x" }))).toMatchObject({ code: "rpc.join" });
    expect(listener.sessionOf("h1")).toBeUndefined();
    clock.advance(30_000);
    expect(await guest.closed).toMatchObject({ code: "rpc.busy" });
    await until(() => listener.counts.others === 0);
  });

  test("a guest cannot say much", async () => {
    const guest = await dial(await connectController(endpoint, { authorities: authority.trusted }), serve({}, {}), { calls: GUEST_METHODS, name: "" });
    const call = guest.call("join", { token: "x", request: "x".repeat(20_000) });
    expect(await errorOf(call)).toMatchObject({ code: "rpc.frame" });
  });

  test("a certificate of another controller", async () => {
    const foreign = new Enrolment({ store: openMemoryStore(), authority: await Authority.open(openMemoryStore()) });
    const key = makePrivateKey();
    const { makeRequest } = await import("@nfactor/host/identity");
    const { issued } = await foreign.authority.issue("h1", await makeRequest(key, "h1"));
    const socket = await connectController(endpoint, { authorities: authority.trusted, own: { private_key: key, certificate: issued.certificate } });
    const error = await errorOf(dial(socket, serve(HOST_METHODS, handlers), OPTIONS));
    expect(error).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("not issued by this controller") as string });
  });

  test("one that has expired, or is of tomorrow, by the controller's clock", async () => {
    const identity = await joined("h1");
    nowMs += CERTIFICATE_MS + 1000;
    expect(await errorOf(session(identity))).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("has expired") as string });
    nowMs -= CERTIFICATE_MS + DAY_MS;
    expect(await errorOf(session(identity))).toMatchObject({ code: "rpc.certificate", fix: expect.stringContaining("clocks") as string });
  });

  test("one that was revoked, by its number or with all of the host's; a connection with it ends", async () => {
    const identity = await joined("h1");
    const one = await session(identity);
    await until(() => listener.sessionOf("h1") !== undefined);
    const next = await renew(one, identity);
    const [a, b] = await enrolment.certificatesOf("h1");
    expect(a!.serial).not.toBe(b!.serial);
    const used = listener.sessionOf("h1")!.peer.serial!;
    await enrolment.revoke("h1", used);
    expect(await one.closed).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("revoked") as string });
    expect(await errorOf(session(identity))).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("revoked") as string });
    (await session(next)).close();
    await enrolment.revoke("h1");
    expect(await errorOf(session(next))).toMatchObject({ code: "rpc.certificate" });
    expect(await errorOf(enrolment.revoke("h1"))).toMatchObject({ code: "store.not_found" });
  });

  test("one that the store does not know, and one that is shown under another name", async () => {
    const identity = await joined("h1");
    expect(await errorOf(session(identity, "h2"))).toMatchObject({ code: "rpc.certificate", given: "h2", allowed: "h1" });
    const { serial } = (await enrolment.certificatesOf("h1"))[0]!;
    await store.txn({ then: [{ op: "delete", key: `pki/certificates/h1/${serial}` }] });
    expect(await errorOf(session(identity))).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("not known") as string });
  });

  test("plain TCP, older TLS and garbage: the connection ends, others go on", async () => {
    await listener.close();
    await start({ limits: { handshakeMs: 500 } });
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "x".repeat(1000)]) {
      const socket = connect(endpoint.port, endpoint.host, () => socket.write(bytes));
      socket.on("error", () => undefined);
      await new Promise((done) => socket.on("close", done));
    }
    expect(refusals).toHaveLength(3);
    const old = tlsConnect({ ...endpoint, maxVersion: "TLSv1.2", rejectUnauthorized: false });
    expect(await new Promise<Error>((done) => old.on("error", done))).toMatchObject({ code: expect.stringMatching(/VERSION|HANDSHAKE/) as string });
    (await session(await joined("h1"))).close();
  });

  test("who connects and does not even begin a handshake is given up", async () => {
    await listener.close();
    await start({ limits: { handshakeMs: 50 } });
    const socket = connect(endpoint.port, endpoint.host);
    socket.on("error", () => undefined);
    await new Promise((done) => socket.on("close", done));
    await until(() => listener.counts.others === 0);
    expect(refusals).toMatchObject([{ code: "rpc.protocol" }]);
  });

  test("connections that are nobody's are bounded, and hosts are", async () => {
    await listener.close();
    await start({ limits: { others: 3, sessions: 2 } });
    const silent = [0, 1, 2].map(() => connect(endpoint.port, endpoint.host));
    for (const socket of silent) socket.on("error", () => undefined);
    await until(() => listener.counts.others === 3);
    expect(await errorOf(findAuthority(endpoint, ""))).toMatchObject({ code: "rpc.unreachable" });
    for (const socket of silent) socket.destroy();
    await until(() => listener.counts.others === 0);
    const sessions = [await session(await joined("h1")), await session(await joined("h2"))];
    await until(() => listener.counts.sessions === 2);
    const third = await joined("h3");
    expect(await errorOf(session(third))).toMatchObject({ code: "rpc.busy" });
    sessions[0]!.close();
    await until(() => listener.counts.sessions === 1);
    sessions.push(await session(third));
    for (const one of sessions) one.close();
  });
});

describe("hosts", () => {
  test("a host that comes back before its old connection is known to be dead takes its place", async () => {
    const identity = await joined("h1");
    const old = await session(identity);
    const next = await session(identity);
    expect(await old.closed).toMatchObject({ code: "rpc.replaced" });
    await until(() => listener.sessionOf("h1") !== undefined);
    expect(await listener.sessionOf("h1")!.call("info", {})).toEqual(INFO);
    next.close();
  });

  test("over the socket of the machine: this user alone, by name, without certificates", async () => {
    const path = joinPath(folder, "controller.sock");
    await listener.listenUnix(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const other = new Listener({ enrolment, clock, handlers: {} as never });
    expect(await errorOf(other.listenUnix(path))).toMatchObject({ code: "rpc.listen" });
    await other.close();
    const link = new ControllerLink({ way: { path, name: "here" }, handlers });
    link.start();
    const one = await link.session(new AbortController().signal);
    expect(await one.call("keep_alive", {})).toMatchObject({ ttl_seconds: 30 });
    expect(await errorOf(one.call("renew", { request: "x" }, { key: "k" }))).toMatchObject({ code: "rpc.method" });
    await until(() => listener.sessionOf("here") !== undefined);
    expect(await listener.sessionOf("here")!.call("info", {})).toEqual(INFO);
    expect(await errorOf(dial(await connectUnix(path), serve({}, {}), { ...OPTIONS, name: "../x" }))).toMatchObject({ code: "rpc.protocol" });
    await link.stop();
    await listener.close();
    expect(existsSync(path)).toBe(false);
  });

  test("an artifact comes in parts, and is what its digest says", async () => {
    const one = await session(await joined("h1"));
    const sessions = { session: () => Promise.resolve(one) };
    expect((await fetchArtifact(sessions, DIGEST)).equals(ARTIFACT)).toBe(true);
    expect(await errorOf(fetchArtifact(sessions, "0".repeat(64)))).toMatchObject({ code: "rpc.result", allowed: "0".repeat(64) });
    expect(await errorOf(fetchArtifact(sessions, DIGEST, { bytesMax: 1000 }))).toMatchObject({ code: "rpc.result", allowed: "1000 bytes" });
    one.close();
  });

  test("the controller asks a host that is away as soon as it is back", async () => {
    const identity = await joined("h1");
    const { callAgain } = await import("@nfactor/host/session");
    const info = callAgain(listener.sessionsOf("h1"), clock, "info", {}, { deadlineMs: 60_000 });
    const one = await session(identity);
    expect(await info).toEqual(INFO);
    one.close();
    await until(() => listener.sessionOf("h1") === undefined);
    const late = callAgain(listener.sessionsOf("h1"), clock, "info", {}, { deadlineMs: 60_000 });
    clock.advance(60_000);
    expect(await errorOf(late)).toMatchObject({ code: "rpc.deadline" });
  });
});

// OpenSSL knows the machine's time only, so these begin in the past: what is issued then is still good now.
describe("renewal and rotation", () => {
  beforeEach(() => (nowMs -= 25 * DAY_MS));

  /** A host with its link, whose clocks are the controller's. */
  async function linked(): Promise<{ link: ControllerLink; path: string }> {
    const path = joinPath(folder, "identity.json");
    writeIdentity(path, await joined("h1"));
    const link = new ControllerLink({
      session: { pulse: NEVER },
      way: { endpoint, identity: path },
      handlers,
      clock,
      nowMs: () => nowMs,
      onTrouble: (_why, ms) => setImmediate(() => clock.advance(ms)),
    });
    link.start();
    await until(() => link.current !== undefined && listener.sessionOf("h1") !== undefined);
    return { link, path };
  }

  test("a host renews its certificate when two thirds of its time have passed, and comes back with it", async () => {
    const { link, path } = await linked();
    const before = listener.sessionOf("h1")!.peer.serial;
    expect(await link.renewIfDue()).toBe(false);
    nowMs += 25 * DAY_MS;
    clock.advance(3_600_000);
    await until(() => ![undefined, before].includes(listener.sessionOf("h1")?.peer.serial));
    expect(readIdentity(path)!.host).toBe("h1");
    await link.stop();
  });

  test("answers that get lost do not fill the store: so many certificates of a host are good at once", async () => {
    const identity = await joined("h1");
    const one = await session(identity);
    for (let i = 0; i < 20; i++) await renew(one, identity);
    expect(await enrolment.certificatesOf("h1")).toHaveLength(8);
    expect(one.isOpen).toBe(true);
    one.close();
    // Those of a machine that is no more, when their time has passed.
    const later = await joined("h1");
    expect((await store.range({ prefix: "pki/certificates/" })).entries).toHaveLength(9);
    nowMs += 25 * DAY_MS;
    const next = await session(later);
    const last = await session(await renew(next, later));
    nowMs += 6 * DAY_MS;
    await renew(last, later);
    expect((await store.range({ prefix: "pki/certificates/" })).entries).toHaveLength(2);
    last.close();
  });

  test("another authority takes over, step by step, and no host is cut off", async () => {
    const { link, path } = await linked();
    const first = authority.fingerprint;
    await authority.prepare();
    expect(await errorOf(authority.prepare())).toMatchObject({ code: "store.exists" });
    expect(await errorOf(authority.promote())).toMatchObject({ code: "rpc.certificate", message: expect.stringContaining("h1") as string });
    const { authorities } = await link.call("keep_alive", {}, { deadlineMs: 1e6 });
    expect(await link.renewIfDue(authorities)).toBe(true);
    // The old certificate stays good until the host has come with the new one.
    await until(() => link.current?.isOpen === true);
    expect(await enrolment.certificatesOf("h1")).toHaveLength(1);
    await authority.promote();
    await listener.refresh();
    expect(authority.fingerprint).not.toBe(first);
    link.renew();
    await until(() => link.current?.isOpen === true);
    expect(await link.call("keep_alive", {}, { deadlineMs: 1e6 })).toMatchObject({ ttl_seconds: 30 });
    // Its certificate is still the old authority's.
    expect(await errorOf(authority.retire())).toMatchObject({ code: "rpc.certificate" });
    nowMs += 25 * DAY_MS;
    expect(await link.renewIfDue()).toBe(true);
    await until(() => link.current?.isOpen === true);
    await authority.retire();
    await listener.refresh();
    expect(authority.states).toMatchObject([{ name: "2", state: "signing" }]);
    await until(() => link.current?.isOpen === true);
    const now = await link.call("keep_alive", {}, { deadlineMs: 1e6 });
    expect(await link.renewIfDue(now.authorities)).toBe(true);
    expect(readIdentity(path)!.authorities).toHaveLength(1);
    expect(await errorOf(findAuthority(endpoint, first))).toMatchObject({ code: "rpc.untrusted" });
    await link.stop();
  });

  test("all of it outlives the controller's process", async () => {
    await listener.close();
    const file = joinPath(folder, "store.db");
    store = openSqliteStore(file);
    await start();
    const identity = await joined("h1");
    const token = await enrolment.makeToken("h2");
    await listener.close();
    await store.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    store = openSqliteStore(file);
    await start();
    (await session(identity)).close();
    (await session(await join(endpoint, token))).close();
    await listener.close();
    await store.close();
  });

  test("a certificate that expires ends its connection", async () => {
    const one = await session(await joined("h1"));
    await until(() => listener.sessionOf("h1") !== undefined);
    nowMs += CERTIFICATE_MS + 1000;
    clock.advance(3_600_000);
    expect(await one.closed).toMatchObject({ code: "rpc.certificate" });
  });
});

test("an identity that others may read, or that is damaged, is refused", async () => {
  const { chmodSync, writeFileSync } = await import("node:fs");
  const path = joinPath(folder, "identity.json");
  expect(readIdentity(path)).toBeUndefined();
  const identity = await joined("h1");
  for (const bad of [{ ...identity, private_key: makePrivateKey() }, { ...identity, certificate: "x" }, { ...identity, authorities: [] }, {}]) {
    writeFileSync(path, JSON.stringify(bad), { mode: 0o600 });
    expect(() => readIdentity(path)).toThrow(/is damaged/);
  }
  writeIdentity(path, identity);
  chmodSync(path, 0o640);
  expect(() => readIdentity(path)).toThrow(/open to other users/);
  expect(CONTROLLER_NAME).toMatch(/^[a-z.]+$/);
});
