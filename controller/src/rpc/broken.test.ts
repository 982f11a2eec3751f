/** Connections that break, peers that do not keep to the protocol, and bytes that mean nothing. NF_RPC_SEED gives a failing case back. */
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { FrameReader, frameOf } from "@nfactor/host/frame";
import { ManualClock } from "@nfactor/host/manual_clock";
import { CREDIT_MAX, FRAME, type Handlers, Link, Outcomes, type Session, accept, change, dial, read, serve, stream } from "@nfactor/host/session";
import { Random } from "@nfactor/sdk/random";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Transport, errorOf, tlsTransport, unixTransport, until } from "./testing.ts";

const SEED = Number(process.env.NF_RPC_SEED ?? 1);
const METHODS = {
  add: change(z.strictObject({ n: z.int() }), z.strictObject({ sum: z.int() })),
  wait: read(z.strictObject({}), z.strictObject({})),
  count: stream(z.strictObject({ to: z.int().max(1000) }), z.int(), z.strictObject({})),
};
const NEVER = { everyMs: 1e12, silenceMs: 2e12 };

let executions = 0;
let waiting = 0;
const handlers: Handlers<typeof METHODS> = {
  add: async ({ n }) => {
    executions += 1;
    await new Promise((done) => setImmediate(done));
    return { sum: n };
  },
  wait: (_, { signal }) => {
    waiting += 1;
    return new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason as Error)));
  },
  count: async ({ to }, sink) => {
    for (let n = 0; n < to; n++) await sink.send(n);
    return {};
  },
};
beforeEach(() => {
  executions = 0;
  waiting = 0;
});

/** Ends after so many bytes, in one direction. What it still says to its own side is the end. */
class Cut extends Duplex {
  readonly #inner: Socket;
  readonly left: { out: number; in: number };

  constructor(inner: Socket, left: { out: number; in: number }) {
    super({ allowHalfOpen: false });
    this.#inner = inner;
    this.left = left;
    inner.on("data", (chunk) => {
      this.push(chunk.subarray(0, this.left.in));
      this.left.in -= chunk.length;
      if (this.left.in <= 0) this.destroy();
    });
    inner.on("close", () => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.#inner.write(chunk.subarray(0, Math.max(0, this.left.out)));
    this.left.out -= chunk.length;
    if (this.left.out <= 0) this.destroy();
    done();
  }

  override _destroy(_: Error | null, done: (error: null) => void): void {
    this.#inner.end();
    done(null);
  }
}

describe.each([
  ["over a Unix socket", unixTransport],
  ["over mutual TLS", tlsTransport],
])("%s", (_, open) => {
  let transport: Transport;
  beforeAll(async () => (transport = await open()));
  afterAll(() => transport.close());

  /** One request under a key over a link whose first connection ends after so many bytes. Bytes that it took in each direction. */
  async function once(
    left: { out: number; in: number },
    lives: readonly string[] = ["one"],
  ): Promise<{ sum: number; out: number; in: number; connections: number }> {
    const clock = new ManualClock();
    const outcomes = new Outcomes(clock);
    let connections = 0;
    let cut: Cut | undefined;
    const listeners: Session[] = [];
    const link = new Link({
      clock,
      // The clock stands unless the link waits for its next attempt.
      onTrouble: (_why, retryMs) => setImmediate(() => clock.advance(retryMs)),
      connect: async () => {
        const { dialer, listener } = await transport.pair();
        const life = lives[Math.min(connections, lives.length - 1)]!;
        connections += 1;
        const accepted = accept(listener, async ({ name }) => ({ name, serves: serve(METHODS, handlers) }), {
          ...{ calls: {}, name: "c", clock, outcomes, life, pulse: NEVER },
        });
        accepted.then(
          (session) => listeners.push(session),
          () => undefined,
        );
        if (connections === 1) cut = new Cut(dialer, { ...left });
        return dial(connections === 1 ? cut! : dialer, serve({}, {}), { calls: METHODS, name: "h1", clock, pulse: NEVER });
      },
    });
    link.start();
    let isOver = false;
    const call = link.call("add", { n: 7 }, { key: "k", deadlineMs: 1e9 }).finally(() => (isOver = true));
    call.catch(() => undefined);
    await until(() => isOver);
    await link.stop();
    for (const session of listeners) session.close();
    const { sum } = await call;
    return { sum, out: left.out - cut!.left.out, in: left.in - cut!.left.in, connections };
  }

  test("a connection that breaks at any byte of a request or its answer: one execution, one answer", async () => {
    const whole = await once({ out: 1e9, in: 1e9 });
    expect(whole).toMatchObject({ sum: 7, connections: 1 });
    expect(executions).toBe(1);
    // `bye` is the last that goes out.
    for (const [direction, bytes] of [
      ["out", whole.out - 12],
      ["in", whole.in],
    ] as const)
      for (let at = 0; at < bytes; at++) {
        executions = 0;
        const { sum, connections } = await once({ out: 1e9, in: 1e9, [direction]: at });
        expect([direction, at, sum, executions, connections]).toEqual([direction, at, 7, 1, 2]);
      }
  });

  test("when the other process was started anew in between, it is not asked again", async () => {
    const whole = await once({ out: 1e9, in: 1e9 });
    executions = 0;
    expect(await errorOf(once({ out: 1e9, in: whole.in - 1 }, ["one", "two"]))).toMatchObject({ code: "rpc.outcome" });
    expect(executions).toBe(1);
    // Nothing was asked on the first connection: that one does not count.
    expect(await once({ out: 10, in: 1e9 }, ["one", "two"])).toMatchObject({ sum: 7 });
  });

  const HELLO = { t: "hello", versions: { min: 1, max: 1 }, name: "h1", software: "x", life: "x", requests: 2 };

  /** Somebody who says what it likes. All it was told is in `heard`. */
  async function stranger(requests = 2): Promise<{
    say(...messages: unknown[]): void;
    raw: Socket;
    heard: Record<string, unknown>[];
    ended: Promise<unknown>;
    session: Promise<Session<typeof METHODS>>;
  }> {
    const { dialer, listener } = await transport.pair();
    const clock = new ManualClock();
    const session = accept(listener, async ({ name }) => ({ name, serves: serve(METHODS, handlers) }), {
      calls: METHODS,
      name: "c",
      clock,
      requests,
      pulse: NEVER,
    });
    session.catch(() => undefined);
    const heard: Record<string, unknown>[] = [];
    const reader = new FrameReader(FRAME);
    dialer.on("data", (chunk) => heard.push(...(reader.push(chunk) as Record<string, unknown>[])));
    const ended = new Promise((done) => dialer.on("close", () => done(heard.at(-1))));
    return { say: (...messages) => dialer.write(Buffer.concat(messages.map((message) => frameOf(message, FRAME)))), raw: dialer, heard, ended, session };
  }

  const request = (id: number, method: string, params: unknown, more = {}): unknown => ({ t: "request", id, method, params, deadline_ms: 1000, ...more });

  test.each([
    ["no hello", [{ t: "ping", n: 1 }]],
    ["a hello of nobody", [{ t: "hello" }]],
    ["requests before the welcome", [HELLO, request(1, "wait", {})]],
  ])("%s ends it", async (_name, messages) => {
    const { say, ended } = await stranger();
    say(...messages);
    expect(await ended).toMatchObject({ t: "bye", error: { code: "rpc.protocol" } });
  });

  test.each<[string, readonly unknown[]]>([
    ["a second hello", [HELLO]],
    ["a message that is none", [{ t: "ping", n: -1 }]],
    ["a message with more in it", [{ t: "ping", n: 1, more: 1 }]],
    ["a number of a request that was used", [request(5, "wait", {}), request(5, "wait", {})]],
    ["a number that goes back", [request(5, "wait", {}), request(4, "wait", {})]],
    ["an answer to nothing", [{ t: "result", id: 1, result: {} }]],
    ["an error to nothing", [{ t: "error", id: 1, error: { code: "internal", message: "x" } }]],
    ["an item of nothing", [{ t: "item", id: 1, item: 1 }]],
    ["a gap in nothing", [{ t: "gap", id: 1, lost: 1 }]],
    ["more credit than there is", [request(1, "count", { to: 0 }, { credit: CREDIT_MAX }), { t: "credit", id: 1, items: 1 }]],
    ["a text for a message", ["x"]],
  ])("%s ends it, and says why", async (_name, messages) => {
    const { say, heard, ended } = await stranger();
    say(HELLO);
    await until(() => heard.length === 1);
    say(...messages);
    expect(await ended).toMatchObject({ t: "bye", error: { code: "rpc.protocol" } });
  });

  test("a request too many is refused, and not begun; what is called off twice, or was never asked, is no matter", async () => {
    const { say, heard, session } = await stranger(2);
    say(HELLO);
    await until(() => heard.length === 1);
    say(request(1, "wait", {}), request(2, "wait", {}), request(3, "add", { n: 1 }, { key: "k" }), { t: "cancel", id: 77 }, { t: "credit", id: 78, items: 1 });
    await until(() => heard.length === 2);
    expect(heard[1]).toMatchObject({ t: "error", id: 3, error: { code: "rpc.busy" } });
    expect([executions, waiting]).toEqual([0, 2]);
    say({ t: "cancel", id: 1 }, { t: "cancel", id: 1 });
    await until(() => heard.length === 3);
    say(request(4, "add", { n: 1 }, { key: "k" }));
    await until(() => heard.length === 4);
    expect(heard[3]).toEqual({ t: "result", id: 4, result: { sum: 1 } });
    (await session).close();
  });

  test("items beyond the credit end the connection: nothing of a peer's is kept without bound", async () => {
    const { say, heard, ended, session } = await stranger();
    say(HELLO);
    const inlet = (await session).open("count", { to: 5 }, { credit: 3 });
    await until(() => heard.length === 2);
    say(...[1, 2, 3, 4].map((item) => ({ t: "item", id: 1, item })));
    expect(await ended).toMatchObject({ t: "bye", error: { code: "rpc.protocol" } });
    expect(await errorOf(inlet.result)).toMatchObject({ code: "rpc.protocol" });
  });

  test("who asks and never reads is cut off before it costs memory", async () => {
    const { raw, session } = await stranger(1000);
    raw.pause();
    raw.write(frameOf(HELLO, FRAME));
    const served = await session;
    const pings = Buffer.concat(Array.from({ length: 20_000 }, (_n, n) => frameOf({ t: "ping", n: 1e9 + n }, FRAME)));
    let isOver = false;
    void served.closed.then(() => (isOver = true));
    const more = (): void => {
      while (!isOver && raw.writable && raw.write(pings));
    };
    raw.on("drain", more);
    raw.on("error", () => undefined);
    more();
    expect(await served.closed).toMatchObject({ code: "rpc.slow" });
    raw.destroy();
  });

  test(`random messages and bytes never do more than end the connection (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const values = [
      0,
      1,
      2,
      -1,
      1.5,
      2 ** 53,
      "",
      "x",
      "add",
      "count",
      "wait",
      null,
      true,
      [],
      {},
      { n: 1 },
      { to: 3 },
      { code: "x", message: "y" },
      Buffer.alloc(3),
    ];
    const kinds = ["request", "request", "cancel", "credit", "item", "gap", "result", "error", "ping", "pong", "bye", "hello", "welcome", "x"];
    const fields = ["id", "method", "params", "deadline_ms", "key", "credit", "items", "item", "lost", "result", "error", "n", "version"];
    const rounds = 20;
    let [lived, ended] = [0, 0];
    for (let round = 0; round < rounds; round++) {
      const { say, raw, heard, session } = await stranger(4);
      say(HELLO);
      await until(() => heard.length === 1);
      const served = await session;
      for (let i = 0; i < 12 && served.isOpen; i++) {
        const message: Record<string, unknown> = { t: random.pick(kinds) };
        if (random.below(3) > 0 && message.t === "request")
          Object.assign(message, { id: i + 1, method: random.pick(["add", "count", "wait"]), params: random.pick(values), deadline_ms: 100, key: "k" });
        else for (let f = 0; f < 1 + random.below(5); f++) message[random.pick(fields)] = random.pick(values);
        const frame = frameOf(message, FRAME);
        if (random.below(8) === 0) frame[random.below(frame.length)]! ^= 1 << random.below(8);
        raw.write(frame);
        await new Promise((done) => setImmediate(done));
      }
      if (served.isOpen) lived += 1;
      served.close();
      expect((await served.closed).code).toMatch(/^(rpc|internal)/);
      // What was being carried out when the connection ended is told so, and takes its turns to end.
      await until(() => served.load.served === 0);
      expect(served.load).toEqual({ served: 0, asked: 0, queued: 0 });
      ended += 1;
      raw.destroy();
    }
    expect(ended).toBe(rounds);
    expect(lived).toBeLessThan(rounds);
    // And the next one is served as ever.
    const { sum } = await once({ out: 1e9, in: 1e9 });
    expect(sum).toBe(7);
  });
});
