// Lines of an HTTP/1 message (RFC 9112): start line, header fields, chunk sizes, and what body follows.
// Addresses are of the line's bytes in the flow's state; `length` counts only those that were kept (LINE_BYTES).
import { counter } from "@nfactor/sdk";
import { awaitsResponseTo, beginExchange, endExchange, setHost, skipExchanges } from "./exchanges";
import { Http, LINE_BYTES, Phase, TAIL_BYTES } from "./state";

export const COUNTER_REQUESTS: u32 = 0;
export const COUNTER_RESPONSES: u32 = 1;
export const COUNTER_RESYNCS: u32 = 2;
export const COUNTER_NOT_HTTP: u32 = 3;

const SPACE: u32 = 0x20;
const RETURN: u32 = 0x0d;
/** What a request line ends with: " HTTP/1." and a digit. */
const VERSION_BYTES: u32 = 9;
/** Longest method name taken for one; beyond it a line is not HTTP. */
const METHOD_CHARACTERS_MAX: u32 = 24;

function startsWith(at: usize, length: u32, text: string): bool {
  const n = <u32>text.length;
  if (length < n) return false;
  for (let i: u32 = 0; i < n; i++) if (<u32>load<u8>(at + <usize>i) != <u32>text.charCodeAt(i)) return false;
  return true;
}

/** Like startsWith, without regard to case; `text` is in lower case. */
function startsWithIgnoringCase(at: usize, length: u32, text: string): bool {
  const n = <u32>text.length;
  if (length < n) return false;
  for (let i: u32 = 0; i < n; i++) {
    let c = <u32>load<u8>(at + <usize>i);
    if (c >= 0x41 && c <= 0x5a) c += 0x20;
    if (c != <u32>text.charCodeAt(i)) return false;
  }
  return true;
}

function contains(at: usize, length: u32, text: string): bool {
  const n = <u32>text.length;
  for (let i: u32 = 0; i + n <= length; i++) if (startsWithIgnoringCase(at + <usize>i, length - i, text)) return true;
  return false;
}

function indexOfByte(at: usize, from: u32, length: u32, byte: u32): u32 {
  for (let i = from; i < length; i++) if (<u32>load<u8>(at + <usize>i) == byte) return i;
  return length;
}

/** Could these bytes begin a message? True also for too few bytes to tell. */
export function looksLikeStart(at: usize, length: u32): bool {
  if (length == 0 || startsWith(at, length, "HTTP/1.")) return true;
  if (length == 1 && <u32>load<u8>(at) == RETURN) return true; // of a blank line
  const n = min<u32>(length, METHOD_CHARACTERS_MAX + 1);
  for (let i: u32 = 0; i < n; i++) {
    const c = <u32>load<u8>(at + <usize>i);
    if (c == SPACE) return i >= 2;
    const isToken = (c >= 0x41 && c <= 0x5a) || c == 0x2d || c == 0x5f;
    const isVersion = i >= 4 && (c == 0x2f || c == 0x31 || c == 0x2e); // of "HTTP/1." cut short
    if (!isToken && !isVersion) return false;
  }
  return length <= METHOD_CHARACTERS_MAX;
}

/** Byte i of the line in hand, where it is kept. */
export function lineByte(s: Http, d: u32, i: u32): u32 {
  return i < LINE_BYTES ? s.lines.u8(d * LINE_BYTES + i) : s.tails.u8(d * TAIL_BYTES + (i % TAIL_BYTES));
}

/** What was read is none of HTTP. From now on the direction is left alone; but while a message is looked for, only this segment. */
export function notHttp(s: Http, d: u32): void {
  if (s.resuming[d]) {
    s.phase[d] = Phase.RESYNC;
    return;
  }
  s.phase[d] = Phase.OPAQUE;
  counter(COUNTER_NOT_HTTP).add(1);
}

function endsWithVersion(s: Http, d: u32, whole: u32): bool {
  const version = " HTTP/1.";
  const from = whole - VERSION_BYTES;
  for (let i: u32 = 0; i < VERSION_BYTES - 1; i++) if (lineByte(s, d, from + i) != <u32>version.charCodeAt(i)) return false;
  return isDigit(lineByte(s, d, whole - 1));
}

@inline
function isDigit(c: u32): bool {
  return c - 0x30 <= 9;
}

/** `length` bytes of the line are kept at `at`; it has `whole`. A path may hold blanks, as some clients send them. */
function requestLine(s: Http, d: u32, at: usize, length: u32, whole: u32): void {
  const methodEnd = indexOfByte(at, 0, min<u32>(length, METHOD_CHARACTERS_MAX + 1), SPACE);
  if (methodEnd > METHOD_CHARACTERS_MAX || methodEnd + VERSION_BYTES >= whole || !endsWithVersion(s, d, whole)) return notHttp(s, d);
  s.requestDirection = <u8>(d + 1);
  s.keepAlive = lineByte(s, d, whole - 1) == 0x30 ? 0 : 1; // HTTP/1.0 closes unless it says otherwise
  s.responseMessage[d] = 0;
  s.resuming[d] = 0;
  beginExchange(s, at, methodEnd, at + <usize>methodEnd + 1, whole - VERSION_BYTES - methodEnd - 1);
  counter(COUNTER_REQUESTS).add(1);
  s.phase[d] = Phase.HEADERS;
}

function statusLine(s: Http, d: u32, at: usize, length: u32): void {
  if (length < 12 || <u32>load<u8>(at, 8) != SPACE || (length > 12 && <u32>load<u8>(at, 12) != SPACE)) return notHttp(s, d);
  let status: u32 = 0;
  for (let i: usize = 9; i < 12; i++) {
    const c = <u32>load<u8>(at + i);
    if (!isDigit(c)) return notHttp(s, d);
    status = status * 10 + (c - 0x30);
  }
  if (status < 100) return notHttp(s, d);
  if (s.resuming[d]) {
    s.resuming[d] = 0;
    skipExchanges(s);
  }
  s.responseMessage[d] = 1;
  if (s.requestDirection == 0) s.requestDirection = <u8>(2 - d);
  s.status[d] = <u16>status;
  s.keepAlive = load<u8>(at, 7) == 0x30 ? 0 : 1;
  s.phase[d] = Phase.HEADERS;
}

function startLine(s: Http, d: u32, at: usize, length: u32, whole: u32): void {
  if (length == 0) return; // a blank line before a message is allowed
  s.chunked[d] = 0;
  s.hasContentLength[d] = 0;
  s.contentLength[d] = 0;
  if (startsWith(at, length, "HTTP/1.")) return statusLine(s, d, at, length);
  if (!looksLikeStart(at, length)) return notHttp(s, d);
  requestLine(s, d, at, length, whole);
}

/** Where a field's value begins, and its length without blanks at the end. */
function valueStart(at: usize, from: u32, length: u32): u32 {
  let i = from;
  while (i < length && (<u32>load<u8>(at + <usize>i) == SPACE || <u32>load<u8>(at + <usize>i) == 9)) i++;
  return i;
}

function contentLength(s: Http, d: u32, at: usize, from: u32, length: u32): void {
  let value: u64 = 0;
  let digits: u32 = 0;
  for (let i = from; i < length; i++) {
    const digit = <u32>load<u8>(at + <usize>i) - 0x30;
    if (digit > 9 || digits == 18) break;
    value = value * 10 + <u64>digit;
    digits++;
  }
  if (digits == 0) return;
  s.contentLength[d] = value;
  s.hasContentLength[d] = 1;
}

function headerField(s: Http, d: u32, at: usize, length: u32): void {
  if (startsWithIgnoringCase(at, length, "content-length:")) return contentLength(s, d, at, valueStart(at, 15, length), length);
  if (startsWithIgnoringCase(at, length, "transfer-encoding:")) {
    if (contains(at + 18, length - 18, "chunked")) s.chunked[d] = 1;
    return;
  }
  if (startsWithIgnoringCase(at, length, "connection:")) {
    if (contains(at + 11, length - 11, "close")) s.keepAlive = 0;
    else if (contains(at + 11, length - 11, "keep-alive")) s.keepAlive = 1;
    return;
  }
  if (s.responseMessage[d] == 0 && startsWithIgnoringCase(at, length, "host:")) {
    const from = valueStart(at, 5, length);
    setHost(s, at + <usize>from, length - from);
  }
}

/** A body of this many bytes: they are skipped by position, so that they may come in any order. */
function skip(s: Http, d: u32, count: u64, then: u8): void {
  s.bodyLeft[d] = count;
  s.phase[d] = count > 0 ? Phase.BODY : then;
}

function tunnel(s: Http): void {
  s.phase[0] = Phase.OPAQUE;
  s.phase[1] = Phase.OPAQUE;
}

function endOfRequestHeaders(s: Http, d: u32): void {
  if (s.chunked[d]) s.phase[d] = Phase.CHUNK_SIZE;
  else skip(s, d, s.contentLength[d], Phase.START_LINE);
}

function endOfResponseHeaders(s: Http, d: u32): void {
  const status = <u32>s.status[d];
  if (status < 200 && status != 101) {
    s.interim = s.interim + 1;
    s.phase[d] = Phase.START_LINE;
    return;
  }
  const toConnect = awaitsResponseTo(s, "CONNECT");
  const toHead = awaitsResponseTo(s, "HEAD");
  endExchange(s, status);
  counter(COUNTER_RESPONSES).add(1);
  if (status == 101 || (status < 300 && toConnect)) return tunnel(s);
  if (status == 204 || status == 304 || toHead) s.phase[d] = Phase.START_LINE;
  else if (s.chunked[d]) s.phase[d] = Phase.CHUNK_SIZE;
  else if (s.hasContentLength[d]) skip(s, d, s.contentLength[d], Phase.START_LINE);
  else {
    s.phase[d] = Phase.UNTIL_CLOSE;
    s.keepAlive = 0;
  }
}

function chunkSize(s: Http, d: u32, at: usize, length: u32): void {
  if (length == 0) return; // the line end behind a chunk's data
  let size: u64 = 0;
  let digits: u32 = 0;
  for (let i: u32 = 0; i < length && digits < 15; i++) {
    const c = <u32>load<u8>(at + <usize>i);
    const lower = c | 0x20;
    const digit = c >= 0x30 && c <= 0x39 ? c - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 16;
    if (digit > 15) break;
    size = (size << 4) | (<u64>digit);
    digits++;
  }
  if (digits == 0) return notHttp(s, d);
  if (size == 0) s.phase[d] = Phase.TRAILERS;
  else skip(s, d, size, Phase.CHUNK_SIZE);
}

/** One line, without its end, in the phase that the direction is in. */
export function line(s: Http, d: u32, at: usize, whole: u32): void {
  const length = min<u32>(whole, LINE_BYTES);
  const phase = s.phase[d];
  if (phase == Phase.START_LINE) return startLine(s, d, at, length, whole);
  if (phase == Phase.CHUNK_SIZE) return chunkSize(s, d, at, length);
  if (phase == Phase.TRAILERS) {
    if (length == 0) s.phase[d] = Phase.START_LINE;
    return;
  }
  if (length > 0) return headerField(s, d, at, length);
  if (s.responseMessage[d]) endOfResponseHeaders(s, d);
  else endOfRequestHeaders(s, d);
}
