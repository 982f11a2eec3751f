/** Random HTTP exchanges: their bytes, and what a reader of them has to have found. */
import type { Random } from "@nfactor/sdk/test";
import type { Direction } from "./connection.ts";

export interface Turn {
  direction: Direction;
  text: string;
}

export interface Conversation {
  turns: Turn[];
  /** As the flow's state shows it. */
  expected: Record<string, unknown>;
}

interface Exchange {
  method: string;
  path: string;
  host: string;
  status: number;
  request: string;
  response: string;
  interim: number;
  keepAlive: 0 | 1;
}

const BODY_CHARACTERS = ["\r\n", "\n", "GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n\r\n", "0\r\n\r\n", "x", "body ", "\0\xff"];

function body(r: Random): string {
  let text = "";
  for (let pieces = r.below(r.pick([2, 10, 200])); pieces > 0; pieces--) text += r.pick(BODY_CHARACTERS);
  return text;
}

function chunked(r: Random, text: string): string {
  let out = "";
  for (let at = 0; at < text.length;) {
    const size = 1 + r.below(Math.min(300, text.length - at));
    const hex = r.pick([size.toString(16), size.toString(16).toUpperCase().padStart(4, "0")]);
    out += `${hex}${r.pick(["", ";name=value", " "])}\r\n${text.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${out}0\r\n${r.pick(["", "X-Trailer: 0\r\n"])}\r\n`;
}

/** Header fields and body. A message without a length has no body. */
function framed(r: Random, fields: string[], text: string, how: "length" | "chunked" | "none"): string {
  const name = (lower: string): string => r.pick([lower, lower.toUpperCase()]);
  if (how === "length") fields.push(`${name("content-length")}:${r.pick(["", " ", "  "])}${text.length}`);
  if (how === "chunked") fields.push(`${name("transfer-encoding")}: ${r.pick(["chunked", "gzip, chunked", "Chunked"])}`);
  const end = how === "none" ? "" : how === "length" ? text : chunked(r, text);
  const order = fields.map((field) => [r.below(1000), field] as const).sort(([a], [b]) => a - b);
  const newline = r.pick(["\r\n", "\r\n", "\n"]);
  return `${order.map(([, field]) => `${field}${newline}`).join("")}${newline}${end}`;
}

function field(r: Random): string {
  return `X-${r.below(10)}: ${"filler ".repeat(r.below(r.pick([2, 60])))}`;
}

function exchange(r: Random): Exchange {
  const method = r.pick(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "VERSION-CONTROL"]);
  const path = r.pick(["/", "/a", `/${"long/".repeat(r.below(80))}?q=1`, "*", "http://example.org/absolute", "/with blanks in it"]);
  const host = r.pick(["example.org", "10.0.0.2:8080", "[fd00::2]", `${"sub.".repeat(r.below(20))}example.org`]);
  const isOld = r.below(8) === 0;
  const version = isOld ? "HTTP/1.0" : "HTTP/1.1";
  const status = r.pick([200, 200, 201, 204, 206, 301, 304, 404, 500, 999]);
  const requestFields = [`${r.pick(["Host", "host"])}: ${host}`, ...Array.from({ length: r.below(4) }, () => field(r))];
  const requestLine = `${method} ${path} ${version}${r.pick(["\r\n", "\n"])}`;
  const hasBody = method === "POST" || method === "PUT";
  const request = `${r.below(6) === 0 ? "\r\n" : ""}${requestLine}${framed(r, requestFields, body(r), hasBody ? r.pick(["length", "chunked"]) : "none")}`;
  const connection = r.pick([undefined, undefined, "close", "Keep-Alive", "keep-alive, Upgrade"]);
  const responseFields = [...(connection === undefined ? [] : [`Connection: ${connection}`]), ...Array.from({ length: r.below(3) }, () => field(r))];
  // A response to HEAD and a 304 say how long the body would be, and have none.
  const isBare = method === "HEAD" || status === 204 || status === 304;
  const head = isBare ? framed(r, [...responseFields, ...(status === 204 ? [] : ["Content-Length: 12345"])], "", "none") : undefined;
  const interim = r.below(5) === 0 ? 1 + r.below(2) : 0;
  const response =
    "HTTP/1.1 100 Continue\r\n\r\n".repeat(interim) +
    `${version} ${status}${r.pick([" ", " Some Words", ""])}\r\n${head ?? framed(r, responseFields, body(r), r.pick(["length", "chunked"]))}`;
  const keepAlive = connection === undefined ? (isOld ? 0 : 1) : connection === "close" ? 0 : 1;
  return { method, path, host, status, request, response, interim, keepAlive };
}

const bytesOf = (text: string, most: number): string => text.slice(0, most);

/** One after the other, or several requests at once; never more than eight without a response. */
export function conversation(r: Random): Conversation {
  const all: Exchange[] = [];
  const turns: Turn[] = [];
  for (let groups = 1 + r.below(5); groups > 0; groups--) {
    const group = Array.from({ length: r.pick([1, 1, 1, 2, 8]) }, () => exchange(r));
    turns.push({ direction: 0, text: group.map(({ request }) => request).join("") }, { direction: 1, text: group.map(({ response }) => response).join("") });
    all.push(...group);
  }
  const expected: Record<string, unknown> = {
    requests: all.length,
    responses: all.length,
    interim: all.reduce((sum, { interim }) => sum + interim, 0),
    keepAlive: all.at(-1)!.keepAlive,
    requestDirection: 1,
    resyncs: 0,
  };
  const [statuses, lengths] = [Array<number>(8).fill(0), Array<number>(8).fill(0)];
  all.forEach(({ method, path, host, status }, i) => {
    const place = i % 8;
    expected[`method${place}`] = bytesOf(method, 8);
    expected[`path${place}`] = bytesOf(path, 64);
    expected[`host${place}`] = bytesOf(host, 40);
    statuses[place] = status;
    lengths[place] = path.length;
  });
  return { turns, expected: { ...expected, statuses, pathLengths: lengths } };
}
