// One direction's bytes in order. Lines are read byte by byte; bodies are skipped by position in the sequence space, so that they
// may be lost, repeated or out of order. A segment of header bytes that comes too early is kept, within EARLY_SEGMENTS and
// EARLY_BYTES; beyond that the gap counts as lost, and the parser waits for a segment that begins a message.
import { counter } from "@nfactor/sdk";
import { COUNTER_RESYNCS, line, looksLikeStart } from "./message";
import { EARLY_BYTES, EARLY_SEGMENTS, Http, LINE_BYTES, Phase } from "./state";

/** nextSeq is never moved further ahead at once, so that serial arithmetic stays unambiguous. */
const STEP: u64 = 1 << 30;

const NEWLINE: u32 = 10;
const RETURN: u32 = 13;

/** Moves nextSeq over as much of the body as one step allows. */
function skipBody(s: Http, d: u32): void {
  const step = min<u64>(s.bodyLeft[d], STEP);
  s.nextSeq[d] = s.nextSeq[d] + <u32>step;
  s.bodyLeft[d] = s.bodyLeft[d] - step;
  if (s.bodyLeft[d] == 0) s.phase[d] = s.chunked[d] ? Phase.CHUNK_SIZE : Phase.START_LINE;
}

/** Reads lines from `count` bytes that begin at nextSeq. Returns the bytes used: it stops where a body begins. */
function readLines(s: Http, d: u32, at: usize, count: u32): u32 {
  const kept = s.lines.address + <usize>(d * LINE_BYTES);
  let length = <u32>s.lineLength[d];
  for (let i: u32 = 0; i < count; i++) {
    const c = <u32>load<u8>(at + <usize>i);
    if (c != NEWLINE) {
      if (length < LINE_BYTES) store<u8>(kept + <usize>length, <u8>c);
      if (length < 0xffff) length++;
      continue;
    }
    if (length > 0 && length <= LINE_BYTES && <u32>load<u8>(kept + <usize>length - 1) == RETURN) length--;
    line(s, d, kept, length);
    length = 0;
    const phase = s.phase[d];
    if (phase == Phase.BODY || phase >= Phase.UNTIL_CLOSE) {
      s.lineLength[d] = 0;
      return i + 1;
    }
  }
  s.lineLength[d] = <u16>length;
  if (s.phase[d] == Phase.START_LINE && length > 0 && !looksLikeStart(kept, min<u32>(length, LINE_BYTES))) s.phase[d] = Phase.OPAQUE;
  return count;
}

/**
 * Takes a segment. `count` bytes of it were captured, `length` were on the wire. Returns false if it begins beyond nextSeq and
 * its bytes are still to be read in order.
 */
function take(s: Http, d: u32, seq: u32, at: usize, count: u32, length: u32): bool {
  let used: u32 = 0;
  while (used < length) {
    const phase = s.phase[d];
    if (phase == Phase.UNTIL_CLOSE || phase == Phase.OPAQUE) return true;
    const behind = <i32>(seq + used - s.nextSeq[d]);
    if (behind < 0) {
      used += min<u32>(<u32>-behind, length - used);
      continue;
    }
    if (phase == Phase.BODY) {
      skipBody(s, d);
      continue;
    }
    if (behind > 0) return false;
    if (phase == Phase.RESYNC) {
      if (used >= count || !looksLikeStart(at + <usize>used, count - used)) {
        s.nextSeq[d] = seq + length;
        return true;
      }
      s.phase[d] = Phase.START_LINE;
    }
    if (used >= count) {
      lose(s, d, seq + length); // on the wire, but not captured
      return true;
    }
    const n = readLines(s, d, at + <usize>used, count - used);
    used += n;
    s.nextSeq[d] = s.nextSeq[d] + n;
  }
  if (s.phase[d] == Phase.BODY) skipBody(s, d);
  return true;
}

/** Header bytes are gone: begin anew at `seq`. */
function lose(s: Http, d: u32, seq: u32): void {
  s.resyncs = s.resyncs + 1;
  counter(COUNTER_RESYNCS).add(1);
  s.phase[d] = Phase.RESYNC;
  s.lineLength[d] = 0;
  s.bodyLeft[d] = 0;
  s.nextSeq[d] = seq;
  for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) if (<u32>s.earlyDirection[i] == d + 1) s.earlyDirection[i] = 0;
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
  if (free == EARLY_SEGMENTS || end + length > EARLY_BYTES) return false;
  s.earlyDirection[free] = <u8>(d + 1);
  s.earlySeq[free] = seq;
  s.earlyLength[free] = <u16>length;
  s.earlyOffset[free] = <u16>end;
  const to = s.earlyBytes.address + <usize>end;
  for (let i: u32 = 0; i < length; i++) store<u8>(to + <usize>i, load<u8>(at + <usize>i));
  s.early = s.early + 1;
  return true;
}

/** Takes the kept segments that have become next, until none is. */
function takeKept(s: Http, d: u32): void {
  for (let i: u32 = 0; i < EARLY_SEGMENTS; i++) {
    if (<u32>s.earlyDirection[i] != d + 1) continue;
    const length = <u32>s.earlyLength[i];
    const at = s.earlyBytes.address + <usize>s.earlyOffset[i];
    if (!take(s, d, s.earlySeq[i], at, length, length)) continue;
    s.earlyDirection[i] = 0;
    i = <u32>-1; // from the start: an earlier place may be next now
  }
}

/** A segment with payload. */
export function segment(s: Http, d: u32, seq: u32, at: usize, count: u32, length: u32): void {
  const phase = s.phase[d];
  if (phase == Phase.OPAQUE || phase == Phase.UNTIL_CLOSE) return;
  if (s.sequenceKnown[d] == 0) {
    s.sequenceKnown[d] = 1;
    s.nextSeq[d] = seq;
    s.phase[d] = Phase.RESYNC; // the beginning was not seen
  }
  if (!take(s, d, seq, at, count, length)) {
    if (count == length && keep(s, d, seq, at, length)) return;
    lose(s, d, seq);
    take(s, d, seq, at, count, length);
  }
  takeKept(s, d);
}

/** SYN: the first byte has the next sequence number. */
export function begin(s: Http, d: u32, seq: u32): void {
  s.sequenceKnown[d] = 1;
  s.nextSeq[d] = seq + 1;
}
