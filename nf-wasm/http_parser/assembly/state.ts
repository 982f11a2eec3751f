// The flow's state: where each direction's parser stands, segments that came too early, and the last eight exchanges.
import { Bytes, U16Array, U32Array, U64Array, U8Array } from "@nfactor/sdk";

/** Exchanges kept; exchange i lies in place i % EXCHANGES. */
export const EXCHANGES: u32 = 8;
export const METHOD_BYTES: u32 = 8;
export const PATH_BYTES: u32 = 64;
export const HOST_BYTES: u32 = 40;
/** Of a line, the first LINE_BYTES and the last TAIL_BYTES (a power of two) are kept. */
export const LINE_BYTES: u32 = 160;
export const TAIL_BYTES: u32 = 16;
/** A longer line is none of HTTP. */
export const LINE_LENGTH_MAX: u32 = 65_535;
/** Early segments kept, both directions together: at most this many, with this many bytes in all. */
export const EARLY_SEGMENTS: u32 = 4;
export const EARLY_BYTES: u32 = 1536;

/** What the parser of one direction expects next. */
export namespace Phase {
  export const START_LINE: u8 = 0;
  export const HEADERS: u8 = 1;
  export const BODY: u8 = 2; // of known length, not yet all skipped
  export const CHUNK_SIZE: u8 = 3;
  export const TRAILERS: u8 = 4;
  export const UNTIL_CLOSE: u8 = 5;
  export const RESYNC: u8 = 6; // bytes were lost: waits for a segment that begins a message
  export const OPAQUE: u8 = 7; // not HTTP, or a tunnel
}

@flowState
export class Http {
  requests: u32; // requests seen
  responses: u32; // final responses seen
  nextExchange: u32; // the exchange that the next response belongs to; never beyond requests
  interim: u32; // 1xx responses
  resyncs: u32; // times that lost bytes made the parser start anew
  early: u32; // segments that were kept until the ones before them came
  requestDirection: u8; // 1 + the direction of requests, 0 = not known
  keepAlive: u8; // the last message lets the connection go on
  @length(2) phase: U8Array;
  @length(2) sequenceKnown: U8Array; // 1 = from a segment, 2 = from a SYN
  @length(2) resuming: U8Array; // bytes were lost, and no message has begun since
  @length(2) chunked: U8Array;
  @length(2) responseMessage: U8Array; // the message being read is a response
  @length(2) status: U16Array;
  @length(2) lineLength: U16Array; // bytes of the incomplete line, those that are not kept included
  @length(2) firstSeq: U32Array; // of the first byte of data, if a SYN was seen
  @length(2) nextSeq: U32Array; // where the parser reads on: bodies are skipped by moving it ahead
  @length(2) bodyLeft: U64Array; // body bytes that nextSeq has not skipped yet
  @length(2) contentLength: U64Array;
  @length(2) hasContentLength: U8Array;
  @length(2) waiting: U8Array; // segments kept
  @length(4) earlyDirection: U8Array; // 1 + direction, 0 = free
  @length(4) earlyLength: U16Array;
  @length(4) earlyOffset: U16Array;
  @length(4) earlySeq: U32Array;
  @bytes(320) lines: Bytes; // LINE_BYTES per direction
  @bytes(32) tails: Bytes; // TAIL_BYTES per direction: byte i of a line, from LINE_BYTES on, lies in place i % TAIL_BYTES
  @bytes(1536) earlyBytes: Bytes;
  @length(8) statuses: U16Array; // 0 = no response yet
  @length(8) pathLengths: U16Array; // the whole path, of which the first PATH_BYTES are kept
  @text @bytes(8) method0: Bytes;
  @text @bytes(64) path0: Bytes;
  @text @bytes(40) host0: Bytes;
  @text @bytes(8) method1: Bytes;
  @text @bytes(64) path1: Bytes;
  @text @bytes(40) host1: Bytes;
  @text @bytes(8) method2: Bytes;
  @text @bytes(64) path2: Bytes;
  @text @bytes(40) host2: Bytes;
  @text @bytes(8) method3: Bytes;
  @text @bytes(64) path3: Bytes;
  @text @bytes(40) host3: Bytes;
  @text @bytes(8) method4: Bytes;
  @text @bytes(64) path4: Bytes;
  @text @bytes(40) host4: Bytes;
  @text @bytes(8) method5: Bytes;
  @text @bytes(64) path5: Bytes;
  @text @bytes(40) host5: Bytes;
  @text @bytes(8) method6: Bytes;
  @text @bytes(64) path6: Bytes;
  @text @bytes(40) host6: Bytes;
  @text @bytes(8) method7: Bytes;
  @text @bytes(64) path7: Bytes;
  @text @bytes(40) host7: Bytes;
}
