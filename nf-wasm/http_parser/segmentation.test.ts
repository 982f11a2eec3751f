// However a stream is cut into segments, whatever comes twice or too early within the bounds: the same state.
import { beforeAll, describe, expect, test } from "vitest";
import { Random, type TestChain, loadNf } from "@nfactor/sdk/test";
import { Connection, type Direction } from "./testing/connection.ts";
import { type Turn, conversation } from "./testing/messages.ts";

let nf: TestChain;
beforeAll(async () => {
  nf = await loadNf(import.meta.dirname);
});

interface Piece {
  from: number;
  to: number;
}

/** The pieces of a text, cut at random; places count from 0. */
function cut(r: Random, length: number): Piece[] {
  const most = r.pick([1, 3, 40, 300, 1400]);
  const pieces: Piece[] = [];
  for (let from = 0; from < length;) {
    const to = Math.min(length, from + 1 + r.below(most));
    pieces.push({ from, to });
    from = to;
  }
  return pieces;
}

/** At most four pieces of 1,536 bytes together come before the one that should come first. */
function disorder(r: Random, pieces: readonly Piece[]): Piece[] {
  const out: Piece[] = [];
  for (let i = 0; i < pieces.length;) {
    const group = [pieces[i++]!];
    let bytes = 0;
    while (group.length < 5 && i < pieces.length && bytes + pieces[i]!.to - pieces[i]!.from <= 1536 && r.below(3) > 0) {
      bytes += pieces[i]!.to - pieces[i]!.from;
      group.push(pieces[i++]!);
    }
    const order = group.map((piece) => [r.below(1000), piece] as const).sort(([a], [b]) => a - b);
    out.push(...order.map(([, piece]) => piece));
  }
  return out;
}

/** Some bytes again that all came before: alone, or in front of the piece that is next. */
function repeat(r: Random, pieces: readonly Piece[]): Piece[] {
  const out: Piece[] = [];
  const early = new Map<number, number>();
  let reached = 0;
  for (const { from, to } of pieces) {
    out.push({ from: from === reached && r.below(4) === 0 ? Math.max(0, from - r.below(50)) : from, to });
    early.set(from, to);
    while (early.has(reached)) reached = early.get(reached)!;
    if (reached > 0 && r.below(4) === 0) {
      const again = r.below(reached);
      out.push({ from: again, to: Math.min(reached, again + 1 + r.below(1400)) });
    }
  }
  return out;
}

function play(connection: Connection, turns: readonly Turn[], order: (length: number) => Piece[]): void {
  for (const { direction, text } of turns) {
    const start = connection.said(direction);
    for (const { from, to } of order(text.length)) connection.put(direction, start + from, text.slice(from, to));
    connection.advance(direction, text.length);
  }
}

describe.each(Array.from({ length: 30 }, (_, i) => i + 1))("seed %i", (seed) => {
  const { turns, expected } = conversation(new Random(seed));

  test("whole", () => {
    const connection = new Connection(nf);
    play(connection, turns, (length) => [{ from: 0, to: Math.min(length, 8000) }, ...(length > 8000 ? [{ from: 8000, to: length }] : [])]);
    expect(connection.state).toMatchObject(expected);
  });

  test("in pieces, in order", () => {
    const r = new Random(seed);
    const connection = new Connection(nf, { v6: seed % 2 === 0, starts: [r.below(0xffff_ffff), 0xffff_ffff - r.below(3000)] });
    play(connection, turns, (length) => cut(r, length));
    expect(connection.state).toMatchObject({ ...expected, early: 0 });
  });

  test("out of order, and again", () => {
    const r = new Random(seed + 1000);
    for (let i = 0; i < 3; i++) {
      const connection = new Connection(nf, { starts: [0xffff_ffff - r.below(3000), r.below(0xffff_ffff)] });
      play(connection, turns, (length) => repeat(r, disorder(r, cut(r, length))));
      expect(connection.state, `round ${i}`).toMatchObject(expected);
    }
  });
});

describe("a cut at every byte", () => {
  const request =
    "\r\nPOST /path HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nab\r\nc\r\n0\r\nX-T: 1\r\n\r\nGET /next?q HTTP/1.0\nhost:b\n\n";
  const response = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nX-Long: ${"y".repeat(20)}\r\n\r\nHTTP/1.${"HTTP/1.1 204\r\nConnection: close\r\n\r\n"}`;
  const expected = {
    requests: 2,
    responses: 2,
    interim: 1,
    keepAlive: 0,
    resyncs: 0,
    method0: "POST",
    path0: "/path",
    host0: "example.org",
    method1: "GET",
    path1: "/next?q",
    host1: "b",
    statuses: [404, 204, 0, 0, 0, 0, 0, 0],
  };
  const streams = [request, response] as const;

  test.each([0, 1] as const)("of direction %i", (direction) => {
    for (let at = 1; at < streams[direction].length; at++) {
      for (const isTurned of [false, true]) {
        const connection = new Connection(nf);
        const say = (d: Direction): void => {
          if (d === direction) {
            const halves = [
              [0, streams[d].slice(0, at)],
              [at, streams[d].slice(at)],
            ] as const;
            for (const [place, text] of isTurned ? [...halves].reverse() : halves) connection.put(d, place, text);
            connection.advance(d, streams[d].length);
          } else connection.say(d, streams[d]);
        };
        say(0);
        say(1);
        expect(connection.state, `at ${at}, ${isTurned ? "turned" : "in order"}`).toMatchObject(expected);
      }
    }
  });

  test("into single bytes", () => {
    const connection = new Connection(nf);
    connection.say(0, request, 1);
    connection.say(1, response, 1);
    expect(connection.state).toMatchObject(expected);
  });
});
