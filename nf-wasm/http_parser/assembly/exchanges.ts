// The last exchanges: a ring of method, path, host and status in the flow's state. Pipelined requests wait in it for their responses.
import { EXCHANGES, HOST_BYTES, Http, METHOD_BYTES, PATH_BYTES } from "./state";

/** The places are fields of the same layout one behind the other (state.ts): place i lies this many bytes behind place 0. */
function placeOffset(exchange: u32): usize {
  return <usize>(exchange % EXCHANGES) * (offsetof<Http>("method1") - offsetof<Http>("method0"));
}

/** Writes count bytes of text at `to`, which has `room`, and zeroes the rest. */
function setText(to: usize, room: u32, from: usize, count: u32): void {
  const kept = min<u32>(count, room);
  for (let i: u32 = 0; i < kept; i++) store<u8>(to + <usize>i, load<u8>(from + <usize>i));
  for (let i: u32 = kept; i < room; i++) store<u8>(to + <usize>i, 0);
}

/** A request line was read: its exchange begins. Addresses and lengths are of the line's parts. */
export function beginExchange(s: Http, method: usize, methodLength: u32, path: usize, pathLength: u32): void {
  const exchange = s.requests;
  s.requests = exchange + 1;
  const offset = placeOffset(exchange);
  setText(s.method0.address + offset, METHOD_BYTES, method, methodLength);
  setText(s.path0.address + offset, PATH_BYTES, path, pathLength);
  setText(s.host0.address + offset, HOST_BYTES, 0, 0);
  s.statuses[exchange % EXCHANGES] = 0;
  s.pathLengths[exchange % EXCHANGES] = <u16>min<u32>(pathLength, 0xffff);
}

/** The Host header of the request that is being read. */
export function setHost(s: Http, host: usize, length: u32): void {
  if (s.requests == 0) return;
  setText(s.host0.address + placeOffset(s.requests - 1), HOST_BYTES, host, length);
}

/** The final response to the oldest exchange without one. None waits for it when its request was not seen. */
export function endExchange(s: Http, status: u32): void {
  s.responses = s.responses + 1;
  const exchange = s.nextExchange;
  if (exchange == s.requests) return;
  s.nextExchange = exchange + 1;
  if (s.requests - exchange <= EXCHANGES) s.statuses[exchange % EXCHANGES] = <u16>status;
}

/** Responses may have been lost: the one that has begun is taken for that to the last request, as it is without pipelining. */
export function skipExchanges(s: Http): void {
  if (s.nextExchange < s.requests) s.nextExchange = s.requests - 1;
}

/** True if the exchange that the next response belongs to began with this method. Unknown beyond the exchanges kept: false. */
export function awaitsResponseTo(s: Http, method: string): bool {
  const exchange = s.nextExchange;
  if (exchange == s.requests || s.requests - exchange > EXCHANGES) return false;
  const at = s.method0.address + placeOffset(exchange);
  const n = <u32>method.length;
  for (let i: u32 = 0; i < n; i++) if (<u32>load<u8>(at + <usize>i) != <u32>method.charCodeAt(i)) return false;
  return n == METHOD_BYTES || load<u8>(at + <usize>n) == 0;
}
