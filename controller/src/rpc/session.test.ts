/** What holds on a connection between controller and host, over both transports. */
import { ManualClock } from "@nfactor/host/manual_clock";
import { type Handlers, Outcomes, type Session, type SessionOptions, accept, change, dial, read, serve, stream } from "@nfactor/host/session";
import { NfError } from "@nfactor/sdk/errors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Transport, errorOf, tlsTransport, unixTransport, until } from "./testing.ts";

const METHODS = {
  echo: read(z.strictObject({ text: z.string() }), z.strictObject({ text: z.string() })),
  wait: read(z.strictObject({}), z.strictObject({}), { deadlineMs: 1000 }),
  wrong: read(z.strictObject({}), z.strictObject({ n: z.int() })),
  huge: read(z.strictObject({}), z.strictObject({ bytes: z.instanceof(Uint8Array) })),
  fail: read(z.strictObject({}), z.strictObject({})),
  add: change(z.strictObject({ n: z.int(), why: z.string().optional() }), z.strictObject({ sum: z.int() })),
  count: stream(
    z.strictObject({ to: z.int(), how: z.enum(["offer", "send"]) }),
    z.strictObject({ n: z.int(), fill: z.string() }),
    z.strictObject({ sent: z.int() }),
  ),
};
type Ask = Session<typeof METHODS>;

/** Handlers with what they have seen. */
class Served {
  running = 0;
  most = 0;
  sum = 0;
  executions = 0;
  aborted: string[] = [];
  offered: boolean[] = [];
  gate: Promise<void> | undefined;
  fill = "";

  readonly handlers: Handlers<typeof METHODS> = {
    echo: async ({ text }) => {
      this.running += 1;
      this.most = Math.max(this.most, this.running);
      await new Promise((done) => setImmediate(done));
      this.running -= 1;
      return { text };
    },
    wait: (_, { signal }) =>
      new Promise((_done, fail) => {
        this.running += 1;
        const stop = (): void => {
          this.running -= 1;
          this.aborted.push((signal.reason as NfError).code);
          fail(signal.reason as NfError);
        };
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop);
      }),
    wrong: async () => ({ n: 0.5 }),
    huge: async () => ({ bytes: new Uint8Array(5 << 20) }),
    fail: async () => {
      throw new NfError("swap.entry", "no entry '\x1b[31mx'", { given: "x", allowed: "fw", fix: "Mend\nit.", where: { file: "a.yaml", line: 3 } });
    },
    add: async ({ n }, { signal }) => {
      this.executions += 1;
      await Promise.race([this.gate, new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason as NfError)))]);
      this.sum += n;
      return { sum: this.sum };
    },
    count: async ({ to, how }, sink, { signal }) => {
      this.running += 1;
      signal.addEventListener("abort", () => this.aborted.push((signal.reason as NfError).code));
      try {
        for (let n = 0; n < to; n++) {
          if (how === "send") await sink.send({ n, fill: this.fill });
          else this.offered.push(sink.offer({ n, fill: this.fill }));
        }
        return { sent: to };
      } finally {
        this.running -= 1;
      }
    },
  };
}

describe.each([
  ["over a Unix socket", unixTransport],
  ["over mutual TLS", tlsTransport],
])("%s", (_, open) => {
  let transport: Transport;
  let clock: ManualClock;
  let served: Served;
  let outcomes: Outcomes;
  const sessions: Ask[] = [];
  beforeAll(async () => (transport = await open()));
  afterAll(() => transport.close());
  beforeEach(() => {
    clock = new ManualClock();
    served = new Served();
    outcomes = new Outcomes(clock);
  });
  afterEach(() => {
    for (const session of sessions.splice(0)) session.close();
  });

  async function connect(
    dialer: Partial<SessionOptions<typeof METHODS>> = {},
    listener: Partial<SessionOptions<typeof METHODS>> = {},
  ): Promise<{ host: Ask; controller: Ask }> {
    const pair = await transport.pair();
    const common = { calls: METHODS, clock, outcomes, pulse: { everyMs: 1e9, silenceMs: 2e9 } };
    const [host, controller] = await Promise.allSettled([
      dial(pair.dialer, serve(METHODS, served.handlers), { ...common, name: "h1", ...dialer }),
      accept(pair.listener, async ({ name }) => ({ name, serves: serve(METHODS, served.handlers) }), { ...common, name: "controller", ...listener }),
    ]);
    if (host.status === "rejected") throw host.reason;
    if (controller.status === "rejected") throw controller.reason;
    sessions.push(host.value, controller.value);
    return { host: host.value, controller: controller.value };
  }

  test("both ends ask, at the same time, and are told who the other one is", async () => {
    const { host, controller } = await connect();
    expect(host.peer.name).toBe("controller");
    expect(controller.peer.name).toBe("h1");
    const answers = await Promise.all([host.call("echo", { text: "to the controller" }), controller.call("echo", { text: "ü".repeat(200_000) })]);
    expect(answers).toEqual([{ text: "to the controller" }, { text: "ü".repeat(200_000) }]);
  });

  test("errors keep their code and details, without what a terminal would obey", async () => {
    const { host } = await connect();
    await expect(host.call("fail", {})).rejects.toMatchObject({
      ...{ code: "swap.entry", message: "no entry '\\u{1b}[31mx'", given: "x", allowed: "fw", fix: "Mend\nit." },
      where: { file: "a.yaml", line: 3 },
    });
    expect(host.isOpen).toBe(true);
  });

  test("what is not in the schema, unknown, too long or without a key is refused, and the connection goes on", async () => {
    const { host } = await connect();
    for (const [name, params, code] of [
      ["echo", { text: 1 }, "rpc.params"],
      ["echo", { text: "x", more: 1 }, "rpc.params"],
      ["echo", undefined, "rpc.params"],
      ["wrong", {}, "rpc.result"],
      ["huge", {}, "rpc.frame"],
      ["echo", { text: "x".repeat(5 << 20) }, "rpc.frame"],
      ["echo", { text: NaN }, "rpc.frame"],
      ["add", { n: 1 }, "rpc.idempotency"],
    ] as const)
      expect(await errorOf(host.call(name, params as never)), `${name} ${code}`).toMatchObject({ code });
    const unknown = await connect({ calls: { ...METHODS, toString: METHODS.echo, __defineGetter__: METHODS.echo } as never });
    for (const name of ["toString", "__defineGetter__"])
      expect(await errorOf(unknown.host.call(name as never, { text: "" } as never))).toMatchObject({
        code: "rpc.method",
        allowed: expect.stringContaining("echo") as string,
      });
    expect(await host.call("echo", { text: "still here" })).toEqual({ text: "still here" });
  });

  test("a thousand requests at once are all answered, and no more than agreed are under way; the bound of those that wait is kept", async () => {
    const { host } = await connect({}, { requests: 16 });
    const many = Array.from({ length: 1000 }, (_, i) => host.call("echo", { text: String(i) }));
    expect(host.load).toMatchObject({ asked: 16, queued: 984 });
    expect((await Promise.all(many)).map(({ text }) => text)).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
    expect(served.most).toBeLessThanOrEqual(16);
    expect(served.most).toBeGreaterThan(1);
    const tooMany = await Promise.allSettled(Array.from({ length: 1100 }, () => host.call("echo", { text: "" })));
    const refused = tooMany.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(1100 - 16 - 1024);
    expect(refused[0]).toMatchObject({ reason: { code: "rpc.busy" } });
    expect(host.load).toEqual({ served: 0, asked: 0, queued: 0 });
  });

  test("a deadline is the caller's, travels with the request, and ends the work", async () => {
    const { host } = await connect();
    const call = host.call("wait", {}, { deadlineMs: 500 });
    await until(() => served.running === 1);
    clock.advance(499);
    expect(served.aborted).toEqual([]);
    clock.advance(1);
    expect(await errorOf(call)).toMatchObject({ code: "rpc.deadline" });
    expect(served.aborted).toEqual(["rpc.deadline"]);
    await until(() => host.load.asked === 0);
  });

  test("a request whose time ends before it is sent is never asked", async () => {
    const { host } = await connect({}, { requests: 1 });
    const first = host.call("wait", {}, { deadlineMs: 10_000 });
    const second = host.call("echo", { text: "x" }, { deadlineMs: 100 });
    await until(() => served.running === 1);
    clock.advance(100);
    expect(await errorOf(second)).toMatchObject({ code: "rpc.deadline" });
    clock.advance(9900);
    expect(await errorOf(first)).toMatchObject({ code: "rpc.deadline" });
    expect(served.most).toBe(0);
  });

  test("what is called off ends, at both ends", async () => {
    const { host } = await connect();
    const abort = new AbortController();
    const call = host.call("wait", {}, { signal: abort.signal });
    await until(() => served.running === 1);
    abort.abort();
    expect(await errorOf(call)).toMatchObject({ code: "rpc.cancelled" });
    await until(() => served.running === 0);
    expect(served.aborted).toEqual(["rpc.cancelled"]);
    expect(await errorOf(host.call("echo", { text: "" }, { signal: abort.signal }))).toMatchObject({ code: "rpc.cancelled" });
  });

  test("a connection that ends fails what is under way, and ends its work", async () => {
    const { host, controller } = await connect();
    const call = host.call("wait", {});
    await until(() => served.running === 1);
    controller.close(new NfError("rpc.replaced", "another one has come"));
    expect(await errorOf(call)).toMatchObject({ code: "rpc.replaced", message: "another one has come" });
    expect(await host.closed).toMatchObject({ code: "rpc.replaced" });
    expect(served.aborted).toEqual(["rpc.replaced"]);
    expect(await errorOf(host.call("echo", { text: "" }))).toMatchObject({ code: "rpc.replaced" });
  });

  test("one key, one execution: asked twice at once, and again later, and over another connection", async () => {
    const { host } = await connect();
    let go = (): void => undefined;
    served.gate = new Promise((done) => (go = done));
    const both = [host.call("add", { n: 5 }, { key: "k" }), host.call("add", { n: 5, why: undefined }, { key: "k" })];
    await until(() => served.executions === 1);
    expect(await errorOf(host.call("add", { n: 6 }, { key: "k" }))).toMatchObject({ code: "rpc.idempotency" });
    host.close();
    for (const one of both) expect(await errorOf(one)).toMatchObject({ code: "rpc.closed" });
    const next = await connect();
    const third = next.host.call("add", { n: 5 }, { key: "k" });
    go();
    expect(await third).toEqual({ sum: 5 });
    expect(await next.host.call("add", { n: 5 }, { key: "k" })).toEqual({ sum: 5 });
    expect(await next.host.call("add", { n: 5 }, { key: "other" })).toEqual({ sum: 10 });
    expect(served.executions).toBe(2);
    // The same key of another peer is another key.
    const other = await connect({ name: "h2" });
    expect(await other.host.call("add", { n: 5 }, { key: "k" })).toEqual({ sum: 15 });
  });

  test("data comes whole and in order, however slowly it is read, and waits where it is made", async () => {
    const { host, controller } = await connect();
    served.fill = "x".repeat(20_000);
    const inlet = host.open("count", { to: 600, how: "send" }, { credit: 8 });
    await until(() => controller.load.served === 1);
    const got: number[] = [];
    for await (const event of inlet) {
      if (event.type === "gap") throw new Error("a gap in data");
      got.push(event.item.n);
      if (got.length % 50 === 0) await new Promise((done) => setImmediate(done));
    }
    expect(got).toEqual(Array.from({ length: 600 }, (_, i) => i));
    expect(await inlet.result).toEqual({ sent: 600 });
  });

  test("a slow reader of events is told where it has missed how many, and the rest is in order", async () => {
    const { host } = await connect();
    const inlet = host.open("count", { to: 5000, how: "offer" }, { credit: 10 });
    await until(() => served.offered.length === 5000);
    // What the reader had room for, and what may wait; the credit that came meanwhile is none, as nothing was read.
    expect(served.offered.filter(Boolean)).toHaveLength(10 + 256);
    let [next, lost, items] = [0, 0, 0];
    for await (const event of inlet) {
      if (event.type === "gap") {
        lost += event.lost;
        next += event.lost;
        continue;
      }
      expect(event.item.n).toBe(next++);
      items += 1;
    }
    expect(items + lost).toBe(5000);
    expect(lost).toBe(5000 - 266);
    expect(await inlet.result).toEqual({ sent: 5000 });
  });

  test("a reader that takes nothing loses its stream, and nobody else's", async () => {
    const { host } = await connect();
    const inlet = host.open("count", { to: 1000, how: "send" }, { credit: 4 });
    await until(() => served.running === 1 && host.load.asked === 1);
    const other = host.call("echo", { text: "x" });
    expect(await other).toEqual({ text: "x" });
    clock.advance(60_000);
    expect(await errorOf(inlet.result)).toMatchObject({ code: "rpc.slow" });
    await until(() => served.running === 0);
    const got: number[] = [];
    const reading = (async () => {
      for await (const event of inlet) if (event.type === "item") got.push(event.item.n);
    })();
    expect(await errorOf(reading)).toMatchObject({ code: "rpc.slow" });
    expect(got).toEqual([0, 1, 2, 3]);
  });

  test("a reader that leaves ends the stream", async () => {
    const { host } = await connect();
    for await (const event of host.open("count", { to: 100_000, how: "send" })) if (event.type === "item" && event.item.n === 100) break;
    await until(() => served.running === 0);
    expect(served.aborted).toEqual(["rpc.cancelled"]);
    await until(() => host.load.asked === 0);
  });

  test("the highest version that both speak is spoken; with none, both ranges are named", async () => {
    const { host, controller } = await connect({ versions: { min: 1, max: 4 } }, { versions: { min: 2, max: 3 } });
    expect([host.version, controller.version]).toEqual([3, 3]);
    const error = await errorOf(connect({ versions: { min: 1, max: 1 } }, { versions: { min: 2, max: 3 } }));
    expect(error).toMatchObject({ code: "rpc.version", given: "1", allowed: "2 to 3" });
    expect(error.message).toMatch(/speaks version 1 .* the other 2 to 3/);
  });

  test("who is not let in is told why", async () => {
    const { dialer, listener } = await transport.pair();
    const options = { calls: METHODS, clock, name: "x" };
    const refuse = async (): Promise<never> => {
      throw new NfError("rpc.certificate", "it was revoked", { fix: "Join again." });
    };
    const [a, b] = await Promise.allSettled([dial(dialer, serve({}, {}), options), accept(listener, refuse, options)]);
    expect([a, b]).toMatchObject([{ reason: { code: "rpc.certificate", fix: "Join again." } }, { reason: { code: "rpc.certificate" } }]);
  });

  test("who connects and says nothing, or whom nobody greets, is given up", async () => {
    const { dialer, listener } = await transport.pair();
    const options = { calls: METHODS, clock, name: "x" };
    const accepted = errorOf(accept(listener, async () => ({ name: "x", serves: serve({}, {}) }), options));
    clock.advance(10_000);
    expect(await accepted).toMatchObject({ code: "rpc.lost" });
    dialer.destroy();
  });

  test("heartbeats: a peer that is heard of is kept, one that is silent is given up, and a pause of one's own is no silence", async () => {
    const pulse = { everyMs: 5000, silenceMs: 20_000 };
    const other = new ManualClock();
    const { host, controller } = await connect({ pulse }, { pulse, clock: other });
    for (let i = 0; i < 20; i++) {
      clock.advance(5000);
      // The ping goes and the pong comes; a request behind it says that both have.
      await host.call("echo", { text: "" });
      await controller.call("echo", { text: "" });
    }
    expect(host.isOpen).toBe(true);
    // Held up for an hour: what came meanwhile is still to be read.
    clock.skip(3_600_000);
    clock.advance(0);
    expect(host.isOpen).toBe(true);
    await host.call("echo", { text: "" });
    // The other machine has lost its power: nothing is closed, nothing comes.
    const pair = await transport.pair();
    const silent = dial(pair.dialer, serve({}, {}), { calls: METHODS, clock, name: "h", pulse });
    const greeter = await accept(pair.listener, async () => ({ name: "h", serves: serve({}, {}) }), { calls: METHODS, name: "c", clock: new ManualClock() });
    const session = await silent;
    pair.listener.pause();
    pair.listener.removeAllListeners("data");
    for (let i = 0; i < 4; i++) {
      expect(session.isOpen).toBe(true);
      clock.advance(5000);
    }
    expect(await session.closed).toMatchObject({ code: "rpc.lost" });
    greeter.close();
  });
});
