/** Streams over real connections: events are resumed without loss, progress is told, and each end is one that can be told from the others. */
import { afterEach, expect, test } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { eventsAfter } from "./event_stream.ts";
import { DEFAULT_REST_LIMITS } from "./limits.ts";
import { EventReader } from "./testing/event_reader.ts";
import { type RestLab, openRestLab } from "./testing/rest_lab.ts";

let lab: RestLab;
const readers: EventReader[] = [];
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await lab.close();
});

async function read(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  more?: { method?: string; body?: string },
  token = lab.token.admin,
): Promise<EventReader> {
  const opened = EventReader.open(lab.url, path, { authorization: `Bearer ${token}`, ...headers }, more);
  // A stream in which nothing happens begins after its time.
  const ticking = setInterval(() => lab.clock.advance(600), 5);
  const reader = await opened.finally(() => clearInterval(ticking));
  readers.push(reader);
  return reader;
}

const numbers = (events: readonly { readonly data: Record<string, unknown> }[]): number[] => events.map(({ data }) => data.number as number);

test("events are followed, and resumed behind the last one that came, without loss or duplicates", async () => {
  lab = await openRestLab();
  for (let i = 0; i < 5; i++) await lab.cluster.tell();
  let last = 2;
  const seen: number[] = [];
  // Connections that break at any moment, while events come.
  for (let round = 0; round < 6; round++) {
    const reader = await read("/v1/events", { "last-event-id": String(last) });
    for (let i = 0; i < 3; i++) await lab.cluster.tell();
    for (const event of await reader.take(1 + (round % 4))) {
      expect(event).toMatchObject({ event: "event", id: String(event.data.number) });
      seen.push(Number(event.id));
      last = Number(event.id);
    }
    reader.close();
  }
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => 3 + i));
});

test("without a number it begins with what comes next; `after` does what Last-Event-ID does", async () => {
  lab = await openRestLab();
  await lab.cluster.tell();
  const fresh = await read("/v1/events");
  await lab.cluster.tell();
  expect(numbers(await fresh.take(1))).toEqual([2]);
  const older = await read("/v1/events?after=0");
  expect(numbers(await older.take(2))).toEqual([1, 2]);
});

test("what the log has no more is told as a gap, and the rest follows", async () => {
  lab = await openRestLab();
  for (let i = 0; i < 10; i++) await lab.cluster.tell();
  await lab.cluster.forgetBefore(7);
  const reader = await read("/v1/events", { "last-event-id": "2" });
  const [gap, ...rest] = await reader.take(5);
  expect(gap).toMatchObject({ event: "gap", data: { after: 2, before: 7 } });
  expect(numbers(rest)).toEqual([7, 8, 9, 10]);
});

test("a number that is still to come, as of a newer copy of the store, is told as a gap and hides nothing", async () => {
  lab = await openRestLab();
  for (let i = 0; i < 3; i++) await lab.cluster.tell();
  const reader = await read("/v1/events", { "last-event-id": "5000" });
  expect(await reader.next()).toMatchObject({ event: "gap", data: { after: 5000, before: 4 } });
  await lab.cluster.tell();
  expect(numbers(await reader.take(1))).toEqual([4]);
});

test("a tenant's token sees events of its tenant only, listed or followed", async () => {
  lab = await openRestLab();
  const about = ["green/mail", "blue/web", "h1", "blue", "blueish/web", "green", "blue/web"];
  for (const each of about) await lab.cluster.tell({ about: each, kind: each === "h1" ? "host" : "deployment" });
  await lab.cluster.tell({ about: "blue", kind: "host" });
  const list = await lab.send("GET", "/v1/events?limit=2", { token: lab.blue.read });
  expect((list.body.events as { number: number }[]).map(({ number }) => number)).toEqual([4, 7]);
  const reader = await read("/v1/events?after=0", {}, undefined, lab.blue.read);
  expect(numbers(await reader.take(3))).toEqual([2, 4, 7]);
});

test.each([
  [
    "PUT",
    "/v1/tenants/blue/deployments/web",
    { apiVersion: "nfactor/v1", ports: { client: { iface: "c0" }, server: { iface: "s0" } }, chain: [{ nf: "firewall" }] },
  ],
  ["POST", "/v1/tenants/blue/deployments/web/migrate", { from: 1, to: 2, flows: { all: true } }],
] as const)("%s %s tells its progress, then its result", async (method, path, body) => {
  lab = await openRestLab();
  const gate = lab.cluster.hold();
  const opening = read(path, { "content-type": "application/json" }, { method, body: JSON.stringify(body) });
  await gate.entered;
  await lab.cluster.tell({ text: "half way" });
  await lab.cluster.tell({ about: "green/mail", text: "of others" });
  const reader = await opening;
  expect(await reader.take(1)).toMatchObject([{ event: "progress", data: { text: "half way" } }]);
  gate.open();
  const [result, end] = await reader.take(2);
  expect(result).toMatchObject({ event: "result", data: { dry_run: false } });
  expect(end).toMatchObject({ event: "end", data: { reason: "done" } });
  const { records } = (await lab.send("GET", "/v1/audit", { token: lab.token.admin })).body as { records: unknown[] };
  expect(records).toMatchObject([{ outcome: "ok", path }]);
});

test("what is refused before it begins is an answer of its own, also for who wants a stream", async () => {
  lab = await openRestLab();
  const reply = await lab.send("POST", "/v1/tenants/blue/deployments/nosuch/scale", {
    token: lab.token.admin,
    headers: { accept: "text/event-stream" },
    body: { min: 2, max: 3 },
  });
  expect([reply.status, reply.code]).toEqual([404, "store.not_found"]);
});

test("a trace ends with what matched, was shown, and was lost", async () => {
  lab = await openRestLab();
  const packet = { packet: 1, at_us: 5, wire_length: 64, is_whole: true, hops: [] };
  lab.cluster.hops = (async function* () {
    yield packet;
    yield { lost: 3 };
    yield { lost: 4 };
    yield { totals: { packets: 8, matched: 20, missed: 12, lost_hops: 1 } };
  })();
  const trace = await lab.send("POST", "/v1/tenants/blue/deployments/web/trace", { token: lab.token.operate });
  const lines = trace.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; data: unknown });
  expect(lines).toEqual([
    { event: "packet", data: packet },
    { event: "lost", data: { lost: 3 } },
    { event: "lost", data: { lost: 4 } },
    { event: "totals", data: { packets: 8, matched: 20, missed: 12, lost_hops: 1, lost: 7 } },
    { event: "end", data: { reason: "done" } },
  ]);
});

test("what fails under way is the last item of a stream, and cuts off a file", async () => {
  lab = await openRestLab();
  const packet = { packet: 0, at_ns: 5, hop: "firewall", runtime: 1, frame: Buffer.of(1, 2, 3) };
  lab.cluster.hops = failing(packet);
  const trace = await lab.send("POST", "/v1/tenants/blue/deployments/web/trace", { token: lab.token.operate });
  const lines = trace.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; data: Record<string, unknown> });
  expect(lines).toMatchObject([
    { event: "packet", data: { hop: "firewall", frame: "AQID" } },
    { event: "error", data: { status: 503, error: { code: "rpc.lost" } } },
  ]);
  lab.cluster.hops = failing(Uint8Array.of(1, 2, 3));
  const cut = lab.send("POST", "/v1/tenants/blue/deployments/web/capture", { token: lab.token.operate, body: { point: "in" } });
  await expect(cut).rejects.toThrow();
});

async function* failing<T>(first: T): AsyncGenerator<T> {
  yield first;
  throw new NfError("rpc.lost", "the host is gone");
}

test("a reader that takes nothing is given up, and holds nothing back", async () => {
  lab = await openRestLab({ limits: { stallMs: 1000 } });
  let given = 0;
  let ended = false;
  lab.cluster.hops = (async function* () {
    try {
      for (;;) {
        given += 1;
        yield { packet: 0, at_ns: 0, hop: "x", runtime: 1, frame: new Uint8Array(60_000) };
      }
    } finally {
      ended = true;
    }
  })();
  const reader = await read("/v1/tenants/blue/deployments/web/trace", { "content-type": "application/json" }, { method: "POST", body: "{}" });
  // Until the sockets are full; then time passes, as nobody reads.
  let known = -1;
  while (known !== given) {
    known = given;
    await new Promise((done) => setTimeout(done, 50));
  }
  lab.clock.advance(2000);
  while (!ended) await new Promise(setImmediate);
  await expect(
    (async () => {
      while (await reader.next());
    })(),
  ).rejects.toThrow();
  expect(given).toBeLessThan(2000);
});

test("streams are bounded, in all and for each token; who closes one has room again", async () => {
  lab = await openRestLab({ limits: { streams: 3, streamsPerToken: 2 } });
  const [first] = [await read("/v1/events"), await read("/v1/events")];
  const refused = await lab.send("GET", "/v1/events", { token: lab.token.admin, headers: { accept: "text/event-stream" } });
  expect([refused.status, refused.code, refused.headers["retry-after"]]).toEqual([503, "rest.busy", "2"]);
  await read("/v1/events", {}, undefined, lab.token.read);
  expect((await lab.send("GET", "/v1/events", { token: lab.blue.read, headers: { accept: "text/event-stream" } })).code).toBe("rest.busy");
  first!.close();
  for (let status = 503; status === 503;) {
    const again = await read("/v1/events", {}, undefined, lab.token.deploy);
    status = again.status;
  }
});

test("streams show that they live, and end with a word when the server does", async () => {
  lab = await openRestLab();
  const [events, lines] = [await read("/v1/events"), await read("/v1/events", { accept: "application/x-ndjson" })];
  for (let i = 0; i < 3; i++) {
    lab.clock.advance(DEFAULT_REST_LIMITS.heartbeatMs);
    await new Promise(setImmediate);
  }
  const closed = lab.close();
  expect(await events.next()).toMatchObject({ event: "end", data: { reason: "closing" } });
  expect(await events.next()).toBeUndefined();
  expect(events.beats).toBeGreaterThan(0);
  expect(lines.status).toBe(200);
  await closed;
  lab = await openRestLab();
});

test("an event that comes twice is told once, and what is missing in between is told", async () => {
  lab = await openRestLab();
  const event = (number: number) => ({ number, at: 1, kind: "deployment", about: "blue/web", severity: "info", text: "x" }) as const;
  const watchEvents = async function* () {
    for (const number of [3, 4, 4, 3, 9, 10]) yield event(number);
  };
  const found: unknown[] = [];
  const events = async () => [event(10)];
  for await (const item of eventsAfter({ events, watchEvents }, { about: undefined, after: 2, bound: undefined }, new AbortController().signal))
    found.push(item.event === "gap" ? item.data : item.id);
  expect(found).toEqual([3, 4, { after: 4, before: 9 }, 9, 10]);
});
