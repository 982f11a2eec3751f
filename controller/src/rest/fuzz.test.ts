/**
 * Random requests by a seed (NF_REST_SEED, NF_REST_ROUNDS): never an answer of 500, always the one form of an error, and a store that refused requests have
 * not changed.
 */
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Random } from "@nfactor/sdk/random";
import { artifactOf } from "../artifacts/testing/artifacts.ts";
import { PARAM_EXAMPLES, pathOf } from "./examples.ts";
import { type RestLab, ROUTES, expectRefusal, openRestLab, replyOf } from "./testing/rest_lab.ts";

const SEED = Number(process.env.NF_REST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env.NF_REST_ROUNDS ?? 400);

const PIECES = [
  "..",
  ".",
  "%2f",
  "%00",
  "%zz",
  "%1b[2J",
  "//",
  "é",
  "?",
  "#",
  "a".repeat(120),
  "a".repeat(400),
  "-1",
  "99999999999999999999",
  "constructor",
  "__proto__",
  "*",
  "{tenant}",
  "firewall@sha256:00",
];
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  0.5,
  "",
  "\u0000",
  "\u001b[2J",
  "\ud800",
  "x".repeat(5000),
  [],
  {},
  [[]],
  { a: { b: [] } },
  "nfactor/v1",
  2 ** 53,
];

/** The value, with something in it changed. */
function mutated(random: Random, value: unknown): unknown {
  if (random.below(3) === 0 || typeof value !== "object" || value === null) return random.pick(VALUES);
  if (Array.isArray(value)) return random.below(2) === 0 ? [...(value as unknown[]), random.pick(VALUES)] : value.map((each: unknown) => mutated(random, each));
  const entries = Object.entries(value);
  if (entries.length === 0 || random.below(5) === 0) return { ...value, [String(random.pick(VALUES)).slice(0, 20)]: random.pick(VALUES) };
  const [name, inner] = random.pick(entries);
  return random.below(4) === 0 ? Object.fromEntries(entries.filter(([each]) => each !== name)) : { ...value, [name]: mutated(random, inner) };
}

function damaged(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = random.below(4); i >= 0 && copy.length > 0; i--) copy[random.below(copy.length)] = random.below(256);
  return random.below(3) === 0 ? copy.subarray(0, random.below(copy.length + 1)) : copy;
}

interface Made {
  readonly text: string;
  readonly bytes: Buffer;
  readonly cut: boolean;
}

async function requestOf(random: Random, lab: RestLab): Promise<Made> {
  const route = random.pick(ROUTES);
  const names = Object.fromEntries(Object.keys(PARAM_EXAMPLES).flatMap((name) => (random.below(4) === 0 ? [[name, random.pick(PIECES)]] : [])));
  let path = pathOf(route, names);
  if (random.below(6) === 0) path = path.replace("/", `/${random.pick(PIECES)}/`);
  if (random.below(6) === 0) path = path.slice(0, 1 + random.below(path.length)) + random.pick(PIECES);
  const query =
    random.below(3) === 0
      ? `?${random.pick(["limit", "after", "before", "match", "dry_run", "about", "x", "nf", "replace"])}=${random.pick(PIECES)}`
      : (route.example.query ?? "");
  const body: Buffer = route.upload
    ? damaged(random, Buffer.from(await artifactOf({ version: "3.0.0" })))
    : random.below(6) === 0
      ? damaged(random, Buffer.from(JSON.stringify(route.example.body ?? {})))
      : Buffer.from(JSON.stringify(mutated(random, route.example.body ?? {})) ?? "");
  const type = random.pick([
    "application/json",
    "application/json",
    "application/json",
    route.upload ? "application/wasm" : "application/json",
    "multipart/form-data; boundary=x",
    "text/plain",
  ]);
  const token = random.pick([lab.token.admin, lab.token.admin, lab.token.read, lab.blue.admin, "nfa_wrong"]);
  const more =
    random.below(5) === 0
      ? `${random.pick(["If-Match", "If-None-Match", "Last-Event-ID", "Accept", "Expect", "Prefer", "X"])}: ${random.pick(["*", '"1"', "1", "text/html", "100-continue", "respond-async", "\x01"])}\r\n`
      : "";
  const hasBody = route.method !== "GET" || random.below(8) === 0;
  const head = `${random.below(20) === 0 ? "PATCH" : route.method} ${(path + query).replace(/[ \r\n]/g, "")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n${more}`;
  const about = hasBody ? `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n` : "";
  return { text: `${head}${about}\r\n`, bytes: hasBody ? body : Buffer.alloc(0), cut: random.below(15) === 0 };
}

/** The answer; undefined when the connection ended without one. */
function exchange(url: string, { text, bytes, cut }: Made): Promise<{ readonly status: number; readonly type: string; readonly body: string } | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((done) => {
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => {
      const final = answer.replace(/^HTTP\/1\.1 100[^]*?\r\n\r\n/, "");
      const [head = "", ...rest] = final.split("\r\n\r\n");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
      const type = /content-type: ([^\r]*)/i.exec(head)?.[1] ?? "";
      done(status === undefined ? undefined : { status: Number(status), type, body: Buffer.from(rest.join("\r\n\r\n"), "latin1").toString() });
    });
    socket.write(text);
    if (cut) socket.end(bytes.subarray(0, bytes.length >> 1), () => socket.destroy());
    else socket.write(bytes);
  });
}

test(`random requests (NF_REST_SEED=${SEED})`, async () => {
  const random = new Random(SEED);
  const lab = await openRestLab({ limits: { failures: 1_000_000 } });
  try {
    const statuses = new Map<number, number>();
    for (let round = 0; round < ROUNDS; round++) {
      // What a round has removed is there again.
      if (round % 100 === 0 && round > 0) await lab.cluster.refill();
      const made = await requestOf(random, lab);
      const before = await lab.fingerprint();
      const reply = await exchange(lab.url, made);
      const shown = `round ${round}: ${made.text}${made.bytes.toString("latin1").slice(0, 300)} → ${JSON.stringify(reply)}`;
      if (reply) statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
      if (!made.cut && !reply) throw new Error(`no answer: ${shown}`);
      if (!reply) continue;
      expect(reply.status, shown).not.toBe(500);
      if (reply.status < 400) continue;
      try {
        expectRefusal(
          replyOf(reply.status, { "content-type": reply.type }, reply.body),
          reply.status,
          (JSON.parse(reply.body) as { error: { code: string } }).error.code,
        );
      } catch (error) {
        throw new Error(shown, { cause: error });
      }
      expect(await lab.fingerprint(), shown).toBe(before);
      expect(readdirSync(join(lab.folder, "uploads")), shown).toEqual([]);
    }
    expect(lab.log).toEqual([]);
    // It has come behind the first check.
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 403, 404]));
  } finally {
    await lab.close();
  }
});
