/** A host daemon at its controller: how it joins, that it is heard of, and that it comes back. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { type DaemonEvent, type HostDaemon, startHostDaemon, wayTo } from "@nfactor/host/daemon";
import { join, makePrivateKey, parseToken, readIdentity, tokenText } from "@nfactor/host/identity";
import { ManualClock } from "@nfactor/host/manual_clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMemoryStore } from "../store/index.ts";
import { Authority } from "./authority.ts";
import { Enrolment } from "./enrolment.ts";
import { Listener } from "./listener.ts";
import { errorOf, until } from "./testing.ts";

const NEVER = { everyMs: 1e12, silenceMs: 2e12 };
const TTL_SECONDS = 30;

let folder: string;
let clock: ManualClock;
let authority: Authority;
let enrolment: Enrolment;
let listener: Listener;
let port: number;
let alive: number;
let events: DaemonEvent[];
let daemon: HostDaemon | undefined;

beforeEach(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), "nfa-daemon-"));
  clock = new ManualClock();
  const store = openMemoryStore();
  authority = await Authority.open(store);
  enrolment = new Enrolment({ store, authority });
  [alive, events, daemon] = [0, [], undefined];
  port = await listen(0);
});
afterEach(async () => {
  await daemon?.leave();
  await listener.close();
  rmSync(folder, { recursive: true });
});

function listen(at: number): Promise<number> {
  listener = new Listener({
    ...{ enrolment, clock },
    session: { pulse: NEVER },
    handlers: {
      keep_alive: async () => {
        alive += 1;
        return { ttl_seconds: TTL_SECONDS, authorities: authority.digest };
      },
      artifact: async () => ({ total: 0, bytes: new Uint8Array() }),
    },
  });
  return listener.listenTls({ host: "127.0.0.1", port: at });
}

const state = (): string => joinPath(folder, "state");
const wish = (more: object = {}) => ({ controller: `127.0.0.1:${port}`, state: state(), say: () => undefined, ...more });
const start = async (more: object = {}): Promise<void> => {
  const way = await wayTo(wish(more));
  daemon = await startHostDaemon({ ...{ state: state(), way, clock, room: 5 }, onEvent: (event) => events.push(event), link: { session: { pulse: NEVER } } });
};
const isThere = (): boolean => listener.sessionOf("h1") !== undefined;
/** Time goes on slowly, as answers take turns of the event loop and have deadlines. */
const passing = (isSo: () => boolean): Promise<void> =>
  until(() => {
    clock.advance(50);
    return isSo();
  });

test("a host joins once with a token, and is the same host from then on", async () => {
  expect(await errorOf(wayTo(wish()))).toMatchObject({ code: "usage", message: "this host has not joined a controller yet" });
  await start({ token: await enrolment.makeToken("h1") });
  await until(isThere);
  expect(await listener.sessionOf("h1")!.call("info", {})).toMatchObject({ name: "h1", pid: process.pid, room: 5 });
  await daemon!.leave();
  expect(statSync(joinPath(state(), "identity.json")).mode & 0o777).toBe(0o600);
  expect(existsSync(joinPath(state(), "join.key"))).toBe(false);
  await start({ token: "nfj1.of.no.use" });
  await until(isThere);
  await daemon!.leave();
  daemon = undefined;
  expect(await errorOf(wayTo(wish({ name: "h2" })))).toMatchObject({ code: "usage", message: expect.stringContaining("'h1', not 'h2'") as string });
  expect(await enrolment.certificatesOf("h1")).toHaveLength(1);
});

test("when the answer to a token got lost, the same token is of use again", async () => {
  const token = await enrolment.makeToken("h1");
  const key = makePrivateKey();
  const lost = await join({ host: "127.0.0.1", port }, token, key);
  mkdirSync(state());
  writeFileSync(joinPath(state(), "join.key"), key, { mode: 0o600 });
  await wayTo(wish({ token }));
  expect(readIdentity(joinPath(state(), "identity.json"))!.certificate).toBe(lost.certificate);
});

test("it says that it is there at a third of its time, and takes another certificate when other authorities are trusted", async () => {
  await start({ token: await enrolment.makeToken("h1") });
  await until(() => alive === 1);
  const begunMs = clock.nowMs();
  await passing(() => alive === 5);
  const everyMs = (clock.nowMs() - begunMs) / 4;
  expect(Math.abs(everyMs - (TTL_SECONDS * 1000) / 3)).toBeLessThan(2000);
  const serial = listener.sessionOf("h1")!.peer.serial;
  await authority.prepare();
  await passing(() => isThere() && listener.sessionOf("h1")!.peer.serial !== serial);
  expect(listener.sessionOf("h1")!.peer.name).toBe("h1");
});

test("a controller that was away finds the host again", async () => {
  await start({ token: await enrolment.makeToken("h1") });
  await until(isThere);
  await listener.close();
  await until(() => events.some(({ event }) => event === "lost"));
  await listen(port);
  await passing(() => events.length === 3);
  expect(events.map(({ event }) => event)).toEqual(["connected", "lost", "connected"]);
});

test("what is wrong with the way to the controller is said at once", async () => {
  const token = await enrolment.makeToken("h1");
  for (const [bad, code] of [
    [{ controller: "nowhere" }, "usage"],
    [{ controller: "./here.sock" }, "usage"],
    [{ controller: "./here.sock", name: "h1", token }, "usage"],
    [{ name: "no name" }, "usage"],
    [{ token: tokenText({ ...parseToken(token), secret: "A".repeat(43) }) }, "rpc.join"],
    [{ token: tokenText({ ...parseToken(token), fingerprint: "A".repeat(43) }) }, "rpc.untrusted"],
  ] as const)
    expect(await errorOf(wayTo(wish(bad))), JSON.stringify(bad)).toMatchObject({ code });
  expect(existsSync(joinPath(state(), "identity.json"))).toBe(false);
  expect(await wayTo(wish({ controller: "./here.sock", name: "h1" }))).toEqual({ path: "./here.sock", name: "h1" });
});
