// One direction's bytes in order. Lines are read byte by byte; bodies are skipped by position in the sequence space, so that they
// may be lost, repeated or out of order. A segment of header bytes that comes too early is kept, within EARLY_SEGMENTS and
// EARLY_BYTES; beyond that the gap counts as lost, and the parser waits for a segment that begins with a whole start line.
import { counter } from "@nfactor/sdk";
import { COUNTER_RESYNCS, line, lineByte, looksLikeStart, notHttp } from "./message";
import { EARLY_BYTES, EARLY_SEGMENTS, Http, LINE_BYTES, LINE_LENGTH_MAX, Phase, TAIL_BYTES } from "./state";

/** nextSeq is never moved further ahead at once, so that serial arithmetic stays unambiguous. */
const STEP: u64 = 1 << 30;

const NEWLINE: u32 = 10;
const RETURN: u32 = 13;

/** The stream has come to nextSeq, which moves over as much of the body as one step allows. */
function skipBody(s: Http, d: u32): void {
  const step = min<u64>(s.bodyLeft[d], STEP);
  s.nextSeq[d] = s.nextSeq[d] + <u32>step;
  s.bodyLeft[d] = s.bodyLeft[d] - step;
  if (s.bodyLeft[d] == 0) s.phase[d] = s.chunked[d] ? Phase.CHUNK_SIZE : Phase.START_LINE;
}

/** Reads lines from `count` bytes that begin at nextSeq. Returns the bytes used: it stops where a body begins. */
function readLines(s: Http, d: u32, at: usize, count: u32): u32 {
  const kept = s.lines.address + <usize>(d * LINE_BYTES);
  const tail = s.tails.address + <usize>(d * TAIL_BYTES);
  let length = <u32>s.lineLength[d];
  for (let i: u32 = 0; i < count; i++) {
    const c = <u32>load<u8>(at + <usize>i);
    if (c != NEWLINE) {
      if (length < LINE_BYTES) store<u8>(kept + <usize>length, <u8>c);
      else if (length < LINE_LENGTH_MAX) store<u8>(tail + <usize>(length % TAIL_BYTES), <u8>c);
      else {
        s.lineLength[d] = 0;
        notHttp(s, d);
        return i + 1;
      }
      length++;
      continue;
    }
    if (length > 0 && lineByte(s, d, length - 1) == RETURN) length--;
    line(s, d, kept, length);
    length = 0;
    const phase = s.phase[d];
    if (phase == Phase.BODY || phase >= Phase.UNTIL_CLOSE) {
      s.lineLength[d] = 0;
      return i + 1;
    }
  }
  s.lineLength[d] = <u16>length;
  if (s.phase[d] == Phase.START_LINE && length > 0 && !looksLikeStart(kept, min<u32>(length, LINE_BYTES))) notHttp(s, d);
  return count;
}

/**
 * Takes a segment. `count` bytes of it were captured, `length` were on the wire. Returns false if it begins beyond nextSeq and
 * its bytes are still to be read in order.
 */
function take(s: Http, d: u32, seq: u32, at: usize, count: u32, length: u32): bool {
  let used: u32 = 0;
  while (used < length) {
    if (isOver(s, d)) return true;
    const phase = s.phase[d];
    const behind = <i32>(seq + used - s.nextSeq[d]);
    if (behind < 0) {
      used += min<u32>(<u32>-behind, length - used);
      continue;
    }
    if (phase == Phase.BODY) {
      skipBody(s, d);
      continue;
    }
    if (phase == Phase.RESYNC) {
      if (used > 0 || count == 0 || !looksLikeStart(at, count)) {
        s.nextSeq[d] = seq + length;
        return true;
      }
      s.nextSeq[d] = seq;
      s.phase[d] = Phase.START_LINE;
    } else if (behind > 0) {
      return false;
    }
    if (used >= count) {
      lose(s, d, seq + length); // on the wire, but not captured
      return true;
    }
    const n = readLines(s, d, at + <usize>used, count - used);
    used += n;
    s.nextSeq[d] = s.nextSeq[d] + n;
    if (s.resuming[d]) {
      s.phase[d] = Phase.RESYNC; // nothing begins here: the rest of the segment is skipped
      s.lineLength[d] = 0;
    }
  }
  return true;
}

/** Header bytes are gone: goes on at `seq`, as soon as a message begins. */
function lose(s: Http, d: u32, seq: u32): void {
  s.resyncs = s.resyncs + 1;
  counter(COUNTER_RESYNCS).add(1);
  resume(s, d, seq);
}

function resume(s: Http, d: u32, seq: u32): void {
  beginAt(s, d, seq, Phase.RESYNC);
  s.resuming[d] = 1;
}

function beginAt(s: Http, d: u32, seq: u32, phase: u8): void {
  s.phase[d] = phase;
  s.resuming[d] = 0;
  s.lineLength[d] = 0;
  s.bodyLeft[d] = 0;
  s.nextSeq[d] = seq;
}

/** Moves what is kept to the front, so that the free bytes are one piece; returns where they begin. */
function compact(s: Http): u32 {
  const bytes = s.earlyBytes.address;
  let end: u32 = 0;
  for (let moved: u32 = 0; moved < EARLY_SEGMENTS; moved++) {
    let next = EARLY_SEGMENTS; // of those not moved yet, the one that lies first
    for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) {
      if (s.earlyDirection[i] == 0 || <u32>s.earlyOffset[i] < end) continue;
      if (next == EARLY_SEGMENTS || s.earlyOffset[i] < s.earlyOffset[next]) next = i;
    }
    if (next == EARLY_SEGMENTS) break;
    const length = <u32>s.earlyLength[next];
    memory.copy(bytes + <usize>end, bytes + <usize>s.earlyOffset[next], <usize>length);
    s.earlyOffset[next] = <u16>end;
    end += length;
  }
  return end;
}

/** Keeps a segment that came too early. False when there is no room. */
function keep(s: Http, d: u32, seq: u32, at: usize, length: u32): bool {
  let free = EARLY_SEGMENTS;
  let end: u32 = 0;
  for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) {
    const owner = <u32>s.earlyDirection[i];
    if (owner == 0) {
      free = i;
      continue;
    }
    if (owner == d + 1 && s.earlySeq[i] == seq && <u32>s.earlyLength[i] >= length) return true; // it came again
    end = max<u32>(end, <u32>s.earlyOffset[i] + <u32>s.earlyLength[i]);
  }
  if (free == EARLY_SEGMENTS) return false;
  if (end + length > EARLY_BYTES) end = compact(s);
  if (end + length > EARLY_BYTES) return false;
  s.earlyDirection[free] = <u8>(d + 1);
  s.earlySeq[free] = seq;
  s.earlyLength[free] = <u16>length;
  s.earlyOffset[free] = <u16>end;
  memory.copy(s.earlyBytes.address + <usize>end, at, <usize>length);
  s.waiting[d] = s.waiting[d] + 1;
  s.early = s.early + 1;
  return true;
}

/** The place of the kept segment that comes first; there is one. */
function earliest(s: Http, d: u32): u32 {
  let first = EARLY_SEGMENTS;
  for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) {
    if (<u32>s.earlyDirection[i] == d + 1 && (first == EARLY_SEGMENTS || <i32>(s.earlySeq[i] - s.earlySeq[first]) < 0)) first = i;
  }
  return first;
}

/** Takes the kept segments that have become next. */
function takeKept(s: Http, d: u32): void {
  while (s.waiting[d] > 0) {
    const i = earliest(s, d);
    const length = <u32>s.earlyLength[i];
    if (!take(s, d, s.earlySeq[i], s.earlyBytes.address + <usize>s.earlyOffset[i], length, length)) return;
    s.earlyDirection[i] = 0;
    s.waiting[d] = s.waiting[d] - 1;
  }
}

/** What lies before the kept segments will not come any more: goes on with them. Frees one at least. */
function giveUp(s: Http, d: u32): void {
  lose(s, d, s.earlySeq[earliest(s, d)]);
  takeKept(s, d);
}

function isOver(s: Http, d: u32): bool {
  const phase = s.phase[d];
  return phase == Phase.OPAQUE || phase == Phase.UNTIL_CLOSE;
}

/** A segment with payload: `count` bytes of it were captured, `length` were on the wire. */
export function segment(s: Http, d: u32, seq: u32, at: usize, count: u32, length: u32): void {
  if (isOver(s, d)) return;
  if (s.sequenceKnown[d] == 0) {
    s.sequenceKnown[d] = 1;
    resume(s, d, seq); // the beginning was not seen
  }
  while (!take(s, d, seq, at, count, length)) {
    if (count == length && keep(s, d, seq, at, length)) return;
    if (s.waiting[d] > 0) giveUp(s, d);
    else lose(s, d, seq);
  }
  takeKept(s, d);
}

/** The other side has got all bytes before `ack`: a gap below it cannot be filled any more. */
export function acknowledged(s: Http, d: u32, ack: u32): void {
  while (s.waiting[d] > 0 && !isOver(s, d) && <i32>(ack - s.nextSeq[d]) > 0) giveUp(s, d);
}

/** SYN: the first byte of data has the next sequence number. `asks`: it is the SYN of the side that opens, without ACK. */
export function begin(s: Http, d: u32, seq: u32, asks: bool): void {
  const first = seq + 1;
  if (s.sequenceKnown[d] == 2 && s.firstSeq[d] == first) return; // it came again
  if (asks && s.sequenceKnown[d] != 0) s.nextExchange = s.requests; // another connection: what was not answered will not be
  s.sequenceKnown[d] = 2;
  s.firstSeq[d] = first;
  beginAt(s, d, first, Phase.START_LINE);
  s.waiting[d] = 0;
  for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) if (<u32>s.earlyDirection[i] == d + 1) s.earlyDirection[i] = 0;
}
