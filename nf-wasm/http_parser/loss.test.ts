// Segments too early, lost or seen in part: what is kept, when the parser gives up, and how it finds its way again.
import { beforeAll, describe, expect, test } from "vitest";
import { type TestChain, loadNf } from "@nfactor/sdk/test";
import { Connection } from "./testing/connection.ts";

let nf: TestChain;
beforeAll(async () => {
  nf = await loadNf(import.meta.dirname);
});

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;
const ok = (status = 200): string => `HTTP/1.1 ${status} OK\r\nContent-Length: 2\r\n\r\nok`;

describe("segments that come too early", () => {
  /** A request of five pieces with `bytes` in all of them but the first, which comes last. */
  function late(bytes: readonly number[], then = ""): Connection {
    const pieces = ["GET /late HTTP/1.1\r\nX: ", ...bytes.map((n) => "x".repeat(n)), `\r\nHost: h\r\n\r\n${then}`];
    const c = new Connection(nf);
    let place = pieces[0]!.length;
    for (const piece of pieces.slice(1)) {
      c.put(0, place, piece);
      place += piece.length;
    }
    c.put(0, 0, pieces[0]!);
    c.advance(0, place);
    return c;
  }
  const END = "\r\nHost: h\r\n\r\n".length;

  test("four with 1,536 bytes together are kept", () => {
    const c = late([500, 500, 536 - END]);
    expect(c.state).toMatchObject({ early: 4, resyncs: 0, waiting: [0, 0] });
    expect(c.exchanges).toEqual(["GET /late h 0"]);
  });

  test.each([
    ["a fifth", [10, 10, 10, 10]],
    ["a byte more", [500, 500, 537 - END]],
  ])("%s counts as lost, and the next message is read", (_, bytes) => {
    const c = late(bytes);
    expect(c.state).toMatchObject({ requests: 0, phase: [6, 0] });
    c.say(0, get("/next"));
    c.say(1, ok());
    expect(c.exchanges).toEqual(["GET /next h 200"]);
  });

  test("room that has become free is used again, wherever it lies", () => {
    const c = new Connection(nf);
    const text = get("/a", `X: ${"x".repeat(5000)}\r\n`);
    // Each arrives before the one in front of it; there are 700 bytes or fewer in use behind a hole, with another one in front of it.
    const order = [700, 0, 1400, 1200, 2600, 2100, 3400, 3300, 4100];
    const ends = [1200, 700, 2100, 1400, 3300, 2600, 4100, 3400, text.length];
    order.forEach((from, i) => c.put(0, from, text.slice(from, ends[i])));
    c.advance(0, text.length);
    expect(c.state).toMatchObject({ resyncs: 0, early: 4 });
    expect(c.exchanges).toEqual(["GET /a h 0"]);
    // 600 bytes kept for the client; 300 and 500 for the server, of which the 300 go first. Then 800 more fit only when moved together.
    const d = new Connection(nf);
    const request = get("/b", `X: ${"x".repeat(900)}\r\n`);
    const response = `HTTP/1.1 200 OK\r\nX: ${"x".repeat(2500)}\r\nContent-Length: 0\r\n\r\n`;
    d.put(1, 100, response.slice(100, 400));
    d.put(0, 100, request.slice(100, 700));
    d.put(1, 0, response.slice(0, 100));
    d.put(1, 500, response.slice(500, 1000));
    d.put(1, 1000, response.slice(1000, 1400));
    expect(d.state).toMatchObject({ waiting: [1, 2], resyncs: 0 });
    d.put(1, 400, response.slice(400, 500));
    d.put(1, 1400, response.slice(1400));
    d.put(0, 0, request.slice(0, 100));
    d.put(0, 700, request.slice(700));
    expect(d.state).toMatchObject({ requests: 1, responses: 1, resyncs: 0, early: 4, path0: "/b" });
  });

  test("the same one again takes no second place", () => {
    const c = new Connection(nf);
    const text = get("/a");
    for (let i = 0; i < 9; i++) c.put(0, 10, text.slice(10));
    expect(c.state).toMatchObject({ early: 1, waiting: [1, 0] });
    c.put(0, 0, text.slice(0, 10));
    expect(c.exchanges).toEqual(["GET /a h 0"]);
  });

  test("bodies need no order and no room", () => {
    const c = new Connection(nf);
    const head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 14000\r\n\r\n";
    c.say(0, head);
    for (let i = 9; i >= 0; i--) c.put(0, head.length + i * 1400, "x".repeat(1400));
    c.advance(0, 14_000);
    c.say(0, get("/b"));
    expect(c.state).toMatchObject({ early: 0, resyncs: 0 });
    expect(c.exchanges).toEqual(["POST /a h 0", "GET /b h 0"]);
  });

  test("a body with holes is no loss", () => {
    const c = new Connection(nf);
    const head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 14000\r\n\r\n";
    c.say(0, `${head}first bytes`);
    c.advance(0, 14_000 - "first bytes".length);
    c.say(0, get("/b"));
    expect(c.state).toMatchObject({ requests: 2, early: 0, resyncs: 0 });
  });
});

describe("bytes that never come", () => {
  test("the other side's acknowledgement says so: the parser goes on with what it has kept", () => {
    const c = new Connection(nf);
    c.say(0, get("/a"));
    c.advance(0, get("/lost").length);
    c.say(0, get("/b"));
    expect(c.exchanges).toEqual(["GET /a h 0"]);
    c.acknowledge(1);
    expect(c.exchanges).toEqual(["GET /a h 0", "GET /b h 0"]);
    expect(c.state).toMatchObject({ resyncs: 1, early: 1, waiting: [0, 0] });
  });

  test("an acknowledgement of the bytes before the gap says nothing", () => {
    const c = new Connection(nf);
    c.say(0, get("/a"));
    const lost = get("/late");
    c.put(0, c.said(0) + lost.length, get("/b"));
    c.acknowledge(1);
    expect(c.state).toMatchObject({ resyncs: 0, waiting: [1, 0] });
    c.say(0, lost);
    expect(c.exchanges).toEqual(["GET /a h 0", "GET /late h 0", "GET /b h 0"]);
  });

  test("when room runs out, all messages kept are read, in order", () => {
    const c = new Connection(nf);
    const paths = ["/1", "/2", "/3", "/4", "/5"];
    let place = 40;
    for (const path of paths) {
      c.put(0, place, get(path));
      place += get(path).length;
    }
    expect(c.exchanges).toEqual(paths.map((path) => `GET ${path} h 0`));
    expect(c.state).toMatchObject({ resyncs: 1 });
  });

  test("a lost request: its response is nobody's, and the next pair fits", () => {
    const c = new Connection(nf);
    c.advance(0, get("/lost").length);
    c.say(1, ok(404));
    c.say(0, get("/b"));
    c.say(1, ok(200));
    expect(c.state).toMatchObject({ requests: 1, responses: 2 });
    expect(c.exchanges).toEqual(["GET /b h 200"]);
  });

  test("a lost response: the next one belongs to the last request", () => {
    const c = new Connection(nf);
    c.say(0, get("/a"));
    c.advance(1, ok(404).length);
    c.say(0, get("/b"));
    c.say(1, ok(201));
    c.acknowledge(0);
    expect(c.exchanges).toEqual(["GET /a h 0", "GET /b h 201"]);
  });

  test("after a loss only a whole start line at the beginning of a segment counts", () => {
    const c = new Connection(nf);
    c.say(0, "GET /a HTTP/1.1\r\n");
    c.advance(0, 100);
    for (const text of ["SOME Words\r\n", "GET /x\r\n", "AB", "GET / HTTP/1", ".1\r\n", `x\r\n${get("/inside")}`, "HTTP/1.1 2", "\r\n"]) c.say(0, text);
    c.acknowledge(1);
    expect(c.state).toMatchObject({ requests: 1, responses: 0, phase: [6, 0] });
    c.say(0, get("/b"), 17, 5);
    expect(c.state).toMatchObject({ requests: 2, path1: "/b", host1: "h", phase: [0, 0], resyncs: 1 });
    expect(nf.faults).toEqual([]);
  });
});

describe("a beginning that was not seen", () => {
  test("is waited for, and no loss", () => {
    const before = nf.counters();
    const c = new Connection(nf, { midstream: true });
    c.say(1, "the end of a body\r\n\r\n");
    c.say(0, get("/a"));
    c.say(1, ok());
    expect(c.exchanges).toEqual(["GET /a h 200"]);
    expect(c.state).toMatchObject({ resyncs: 0, requestDirection: 2 }); // the flow's first packet was the server's
    expect(nf.counters()["not_http"]).toBe(before["not_http"]);
  });

  test("a response to a request before it is nobody's", () => {
    const c = new Connection(nf, { midstream: true });
    c.say(1, ok(404));
    c.say(0, get("/a"));
    c.say(1, ok(200));
    expect(c.exchanges).toEqual(["GET /a h 200"]);
    expect(c.state).toMatchObject({ requests: 1, responses: 2 });
  });
});

describe("bytes that were not captured", () => {
  test("of a body, are no loss", () => {
    const c = new Connection(nf);
    const request = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    c.put(0, 0, request + "x".repeat(1000), { captured: request.length + 10 });
    c.advance(0, request.length + 1000);
    c.say(0, get("/b"));
    expect(c.exchanges).toEqual(["POST /a h 0", "GET /b h 0"]);
    expect(c.state).toMatchObject({ resyncs: 0 });
  });

  test("of headers, are lost", () => {
    const c = new Connection(nf);
    const request = get("/a", `X: ${"x".repeat(1000)}\r\n`);
    c.put(0, 0, request, { captured: 40 });
    c.advance(0, request.length);
    c.say(0, get("/b"));
    c.say(1, ok());
    expect(c.state).toMatchObject({ requests: 2, resyncs: 1, path1: "/b" });
  });

  test("a segment of which nothing is there, and one that is early and cut, are lost", () => {
    const c = new Connection(nf);
    c.put(0, 0, get("/a"), { captured: 0 });
    c.put(1, 500, ok(), { captured: 10 });
    expect(c.state).toMatchObject({ resyncs: 2, early: 0, requests: 0 });
  });
});

describe("a SYN", () => {
  test("that comes late or again changes nothing", () => {
    const c = new Connection(nf);
    c.say(0, get("/a"));
    c.shake();
    c.say(1, ok());
    c.shake();
    c.say(0, get("/b"));
    c.say(1, ok());
    expect(c.exchanges).toEqual(["GET /a h 200", "GET /b h 200"]);
    expect(c.state).toMatchObject({ resyncs: 0 });
  });

  test("with another number begins anew, whatever was before", () => {
    const c = new Connection(nf);
    c.say(0, get("/a"));
    c.say(1, "HTTP/1.1 101 Switching Protocols\r\n\r\nnot HTTP");
    c.put(0, c.said(0) + 50, "early");
    c.restart([77, 88]);
    c.say(0, get("/b") + get("/unanswered"));
    c.say(1, ok(201));
    c.restart([0xffff_fff0, 99]);
    c.say(0, get("/c"), 10);
    c.say(1, ok(202), 10);
    expect(c.exchanges).toEqual(["GET /a h 101", "GET /b h 201", "GET /unanswered h 0", "GET /c h 202"]);
    expect(c.state).toMatchObject({ resyncs: 0, waiting: [0, 0] });
  });

  test("may carry data (TCP Fast Open), and again", () => {
    const c = new Connection(nf, { midstream: true });
    for (let i = 0; i < 2; i++) c.segment(0, { flags: "S", seq: 5000, ack: 0, payload: Buffer.from(get("/a")) });
    c.advance(0, get("/a").length);
    c.segment(1, { flags: "SA", seq: 0xffff_ff00 });
    c.say(1, ok());
    c.say(0, get("/b"));
    c.say(1, ok());
    expect(c.exchanges).toEqual(["GET /a h 200", "GET /b h 200"]);
  });

  test("may carry data when it begins anew, too: the answer is to that", () => {
    const c = new Connection(nf);
    c.say(0, get("/unanswered"));
    c.segment(0, { flags: "S", seq: 70_000, ack: 0, payload: Buffer.from(get("/a")) });
    c.segment(1, { flags: "SA", seq: 90_000, ack: 70_001 });
    c.segment(1, { flags: "PA", seq: 90_001, ack: 70_001, payload: Buffer.from(ok(201)) });
    expect(c.exchanges).toEqual(["GET /unanswered h 0", "GET /a h 201"]);
  });
});
