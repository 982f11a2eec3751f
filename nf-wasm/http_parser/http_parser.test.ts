// What is read of HTTP, by example. Cuts and disorder within the bounds are in segmentation.test.ts, losses in loss.test.ts.
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { buildNf } from "@nfactor/sdk/build";
import { readState } from "@nfactor/sdk/manifest";
import { Random, type TestChain, loadNf, tcp, udp } from "@nfactor/sdk/test";
import { Connection } from "./testing/connection.ts";

let nf: TestChain;
beforeAll(async () => {
  nf = await loadNf(import.meta.dirname);
});

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A connection in which this was said, in turns, the client first. */
function spoken(...turns: string[]): Connection {
  const connection = new Connection(nf);
  turns.forEach((text, i) => connection.say(i % 2 === 0 ? 0 : 1, text, 1400));
  return connection;
}

describe("exchanges", () => {
  test("method, path, host and status", () => {
    const c = spoken(get("/a?b=c"), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    expect(c.state).toMatchObject({ requests: 1, responses: 1, requestDirection: 1, keepAlive: 1, method0: "GET", path0: "/a?b=c", host0: "h" });
    expect(c.exchanges).toEqual(["GET /a?b=c h 404"]);
  });

  test("a request that waits for its response has status 0", () => {
    const c = spoken(get("/a"), OK, get("/b"));
    expect(c.exchanges).toEqual(["GET /a h 200", "GET /b h 0"]);
  });

  test("keep-alive: the last eight stay", () => {
    const c = spoken(...Array.from({ length: 11 }, (_, i) => [get(`/${i}`), OK]).flat());
    expect(c.state).toMatchObject({ requests: 11, responses: 11 });
    expect(c.exchanges).toEqual([3, 4, 5, 6, 7, 8, 9, 10].map((i) => `GET /${i} h 200`));
  });

  test("pipelined requests get their responses in order, also when more than eight wait", () => {
    const eight = spoken([0, 1, 2, 3, 4, 5, 6, 7].map((i) => get(`/${i}`)).join(""), [200, 201, 404].map((n) => OK.replace("200", String(n))).join(""));
    expect(eight.exchanges).toEqual(["GET /0 h 200", "GET /1 h 201", "GET /2 h 404", ...[3, 4, 5, 6, 7].map((i) => `GET /${i} h 0`)]);
    const ten = spoken(
      Array.from({ length: 10 }, (_, i) => get(`/${i}`)).join(""),
      Array.from({ length: 10 }, (_, i) => OK.replace("200", String(400 + i))).join(""),
    );
    expect(ten.exchanges).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((i) => `GET /${i} h ${400 + i}`));
  });

  test("the side that was accepted may be the one that asks", () => {
    const c = new Connection(nf);
    c.say(1, get("/from/server"));
    c.say(0, OK);
    expect(c.state).toMatchObject({ requestDirection: 2, requests: 1, responses: 1, statuses: [200, 0, 0, 0, 0, 0, 0, 0] });
  });

  test("IPv6, a VLAN and IP options make no difference", () => {
    const c = new Connection(nf, { v6: true });
    c.say(0, get("/six"));
    expect(c.exchanges).toEqual(["GET /six h 0"]);
    const path = "10.9.9.9:4000 > 10.9.9.8:80";
    nf.sendOne(tcp(path, { flags: "S", seq: 9, vlan: 7 }));
    nf.sendOne(tcp(path, { seq: 10, vlan: 7, ipOptions: [1, 1, 1, 1], tcpOptions: [1, 1, 1], payload: get("/v") }));
    expect(nf.flow(`tcp ${path}`).state).toMatchObject({ path0: "/v" });
  });

  test("link padding and the bytes of other protocols are not read", () => {
    const c = new Connection(nf);
    c.segment(0, { flags: "A", seq: 5001, padTo: 60 });
    c.say(0, get("/"));
    expect(c.exchanges).toEqual(["GET / h 0"]);
    nf.sendOne(udp("10.0.0.1:9 > 10.0.0.2:80", { payload: get("/") }));
    expect(nf.flow("udp 10.0.0.1:9 > 10.0.0.2:80").state).toMatchObject({ requests: 0 });
  });
});

describe("messages without a body, whatever their headers say", () => {
  test.each([
    ["HEAD", "200 OK", "Content-Length: 5000\r\n"],
    ["HEAD", "200 OK", "Transfer-Encoding: chunked\r\n"],
    ["GET", "204 No Content", ""],
    ["GET", "304 Not Modified", "Content-Length: 5000\r\n"],
    ["HEAD", "404 Not Found", ""],
  ])("%s, %s, %s", (method, status, fields) => {
    const c = spoken(get("/a").replace("GET", method), `HTTP/1.1 ${status}\r\n${fields}\r\n`, get("/b"), OK);
    expect(c.exchanges).toEqual([`${method} /a h ${status.slice(0, 3)}`, "GET /b h 200"]);
    expect(c.state).toMatchObject({ resyncs: 0, phase: [0, 0] });
  });

  test("a HEAD among pipelined requests", () => {
    const c = spoken(get("/a") + get("/b").replace("GET", "HEAD") + get("/c"), OK + OK.slice(0, -2) + OK);
    expect(c.exchanges).toEqual(["GET /a h 200", "HEAD /b h 200", "GET /c h 200"]);
  });
});

describe("bodies", () => {
  test.each([
    ["Content-Length", "Content-Length: 9\r\n\r\nHTTP/1.1 "],
    ["chunked", "Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\nA;x=y\r\n/ HTTP/1.1\r\n0\r\nTrailer: x\r\n\r\n"],
    ["chunked before Content-Length", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n"],
    ["none", "Content-Length: 0\r\n\r\n"],
  ])("%s", (_, rest) => {
    const c = spoken(`POST /a HTTP/1.1\r\nHost: h\r\n${rest}`, `HTTP/1.1 200 OK\r\n${rest}`, get("/b"), OK);
    expect(c.exchanges).toEqual(["POST /a h 200", "GET /b h 200"]);
  });

  test("100-continue: the body comes after the interim response", () => {
    const c = spoken(
      "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "body" + get("/b"),
      OK + OK,
    );
    expect(c.state).toMatchObject({ interim: 1, responses: 2 });
    expect(c.exchanges).toEqual(["PUT /a h 200", "GET /b h 200"]);
  });

  test("a response without a length goes on until the connection ends", () => {
    const c = spoken(get("/a"), `HTTP/1.1 200 OK\r\n\r\n${OK}${OK}`);
    expect(c.state).toMatchObject({ responses: 1, keepAlive: 0 });
  });

  test("five gigabytes, of which a few segments are seen", () => {
    const bytes = 5_000_000_000;
    const c = spoken(get("/big"), `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
    const start = c.said(1);
    for (let place = 0; place < bytes; place += 500_000_000) c.put(1, start + place, "x".repeat(100));
    c.advance(1, bytes);
    c.say(0, get("/next"));
    c.say(1, OK);
    expect(c.exchanges).toEqual(["GET /big h 200", "GET /next h 200"]);
    expect(c.state).toMatchObject({ resyncs: 0, early: 0 });
  });
});

describe("the rest of the connection is something else", () => {
  test.each([
    ["CONNECT example.org:443 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 Connection established\r\n\r\n", "CONNECT example.org:443 h 200"],
    [get("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n"), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "GET /ws h 101"],
  ])("%j", (request, response, exchange) => {
    const c = spoken(request, response, get("/inside"), OK);
    expect(c.exchanges).toEqual([exchange]);
    expect(c.state).toMatchObject({ phase: [7, 7] });
  });

  test("a CONNECT that is refused is a request like others", () => {
    expect(spoken("CONNECT a:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", get("/b"), OK).exchanges).toEqual([
      "CONNECT a:1  407",
      "GET /b h 200",
    ]);
  });
});

test.each([
  ["HTTP/1.1", "", "", 1],
  ["HTTP/1.0", "", "", 0],
  ["HTTP/1.0", "Connection: Keep-Alive\r\n", "", 1],
  ["HTTP/1.1", "connection:foo, Close\r\n", "", 0],
])("keepAlive: %s with %j", (version, fields, _, keepAlive) => {
  expect(spoken(`GET / ${version}\r\n${fields}\r\n`).state).toMatchObject({ keepAlive });
  expect(spoken(get("/"), `${version} 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`).state).toMatchObject({ keepAlive });
});

describe("long lines", () => {
  test.each([64, 65, 140, 147, 148, 160, 163, 164, 176, 1000, 60_000])("a path of %i bytes", (length) => {
    const path = `/${"0123456789".repeat(7000).slice(0, length - 1)}`;
    for (const newline of ["\r\n", "\n"]) {
      const c = new Connection(nf);
      c.say(0, `GET ${path} HTTP/1.0${newline}Host: h${newline}${newline}`, 7, 1400);
      expect(c.state).toMatchObject({ requests: 1, path0: path.slice(0, 64), host0: "h", keepAlive: 0, phase: [0, 0] });
      expect((c.state["pathLengths"] as number[])[0]).toBe(length);
    }
  });

  test("names are cut to their places", () => {
    const host = "h".repeat(50);
    const c = spoken(`VERSION-CONTROL / HTTP/1.1\r\nHost: ${host}  \r\n\r\n`);
    expect(c.state).toMatchObject({ method0: "VERSION-", host0: host.slice(0, 40) });
  });

  test("a header of any length is read over; a line beyond 65,535 bytes is none of HTTP", () => {
    expect(spoken(get("/a", `X: ${"y".repeat(65_000)}\r\n`) + get("/b")).exchanges).toEqual(["GET /a h 0", "GET /b h 0"]);
    const before = nf.counters()["not_http"]!;
    expect(spoken(get("/a", `X: ${"y".repeat(65_536)}\r\n`) + get("/b")).state).toMatchObject({ requests: 1, phase: [7, 0] });
    expect(nf.counters()["not_http"]).toBe(before + 1n);
  });
});

describe("what is not HTTP/1", () => {
  test.each([
    ["\x16\x03\x01\x02\x00\x01\x00\x01"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["SSH-2.0-OpenSSH_9.2\r\n"],
    ["get / HTTP/1.1\r\n\r\n"],
    ["GET /no/version\r\n"],
    ["GET HTTP/1.1\r\n"],
    [`${"A".repeat(25)} / HTTP/1.1\r\n`],
    ["HTTP/1.1 20x OK\r\n"],
    ["HTTP/1.1 099 OK\r\n"],
    ["HTTP/1.1-200 OK\r\n"],
    ["HTTP/1.1 2000 OK\r\n"],
    ["EHLO there\r\n"],
    ["\0\0\0\0"],
  ])("%j", (text) => {
    for (const lengths of [[], [1]]) {
      const before = nf.counters();
      const c = new Connection(nf);
      c.say(0, text, ...lengths);
      c.say(0, get("/later"));
      expect(c.state).toMatchObject({ requests: 0, responses: 0, phase: [7, 0] });
      expect(nf.counters()).toEqual({ ...before, not_http: before["not_http"]! + 1n });
    }
  });

  test("what follows a message has to be one", () => {
    expect(spoken(get("/a"), `${OK}garbage\r\n`, get("/b"), OK).state).toMatchObject({ requests: 2, responses: 1, phase: [0, 7] });
    expect(spoken("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").state).toMatchObject({ requests: 1, phase: [7, 0] });
  });

  test("damaged streams pass, and fault nothing", () => {
    const pieces = [
      get("/a"),
      OK,
      "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
      "HTTP/1.",
      "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ];
    for (let seed = 1; seed <= 40; seed++) {
      const r = new Random(seed);
      const c = new Connection(nf, { midstream: r.below(2) === 0 });
      for (let i = 0; i < 30; i++) {
        const bytes = [...r.pick([...pieces, ...r.bytes(3)].map(String))];
        for (let damage = r.below(4); damage > 0 && bytes.length > 0; damage--) bytes[r.below(bytes.length)] = String.fromCharCode(r.below(256));
        const direction = r.below(2) as 0 | 1;
        if (r.below(4) === 0) c.put(direction, Math.max(0, c.said(direction) + r.below(4000) - 2000), bytes.join(""));
        else c.say(direction, bytes.join(""), 1 + r.below(60));
      }
    }
    expect(nf.faults).toEqual([]);
  });
});

test("a capture of curl and nginx", async () => {
  const chain = await loadNf(import.meta.dirname);
  chain.replay(join(import.meta.dirname, "../../test/fixtures/http.pcap"), ["10.77.0.1/32", "fd77::1/128"]);
  const { stateSchema } = await buildNf(import.meta.dirname);
  const found = chain.flows().flatMap(({ protocol, states }) => {
    if (protocol !== 6) return [];
    const state = readState(stateSchema, states[0]!);
    const statuses = state["statuses"] as number[];
    return [statuses.slice(0, state["requests"] as number).map((status, i) => [state[`method${i}`], state[`path${i}`], state[`host${i}`], status].join(" "))];
  });
  expect(found).toEqual([
    ["GET / 10.77.0.2 200", "GET /api/status.json 10.77.0.2 200", "GET /missing 10.77.0.2 404"],
    ["HEAD /medium.txt 10.77.0.2 200"],
    ["GET /medium.txt 10.77.0.2 200"],
    ["GET /old 10.77.0.2 301", "GET /index.html 10.77.0.2 200"],
    ["POST /echo 10.77.0.2 200"],
    ["DELETE /secret 10.77.0.2 403"],
    ["GET /api/status.json six.example 200"],
    ["GET /index.html 10.77.0.2:8080 200"],
    ["GET /index.html pipe 200", "GET /api/status.json pipe 200", "HEAD /medium.txt pipe 200"],
    ["GET /api/status.json split 200"],
    [],
  ]);
  expect(chain.counters()).toEqual({ requests: 15n, responses: 15n, resyncs: 0n, not_http: 0n });
});
