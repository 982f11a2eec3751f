/**
 * Reads what an NF has written about its packets, each value once, and checks it: docs/packet_path.md, section 6. A breach is a text that says what
 * the NF may not do.
 */
import { AREAS, EMIT_RECORD_BYTES, LIMITS, RECORDS, RESULT, RESULT_BYTES, RESULT_FLAG_ALL, ResultFlag, Verdict, verdictName } from "../abi/gen/abi.ts";
import type { ChainNf } from "./chain_nf.ts";
import { payloadOf, rooms } from "./fill.ts";
import type { Instance } from "./instance.ts";
import type { Job } from "./job.ts";
import { type Packet, parse } from "./parse.ts";

export interface Result {
  verdict: number;
  dropReason: number;
  flags: number;
  headerLength: number;
  payloadLength: number;
  timeoutMs: number;
  /** True when what is reserved is zero. */
  reservedIsZero: boolean;
}

export function readResult(instance: Instance, i: number): Result {
  const fields = RECORDS.result.fields;
  const at = RESULT.results - AREAS.result.address + i * RESULT_BYTES;
  const view = instance.result;
  return {
    verdict: view.getUint8(at + fields.verdict.offset),
    dropReason: view.getUint8(at + fields.drop_reason.offset),
    flags: view.getUint16(at + fields.flags.offset, true),
    headerLength: view.getUint16(at + fields.header_length.offset, true),
    payloadLength: view.getUint16(at + fields.payload_length.offset, true),
    timeoutMs: view.getUint32(at + fields.timeout.offset, true),
    reservedIsZero: view.getUint32(at + fields.out_port.offset, true) === 0,
  };
}

/** The frame as an NF has changed it. */
export interface Edited {
  frame: Uint8Array;
  wireLength: number;
  packet: Packet;
}

export type Checked = { breach: string } | { edited: Edited | undefined };

export function checkResult(nf: ChainNf, job: Job, i: number, result: Result): Checked {
  const breach = formBreach(nf, job, result);
  if (breach !== undefined) return { breach };
  const edits = result.flags & (ResultFlag.MODIFIED_HEADER | ResultFlag.MODIFIED_PAYLOAD | ResultFlag.RESHAPED);
  if (result.verdict === Verdict.DROP || edits === 0) return { edited: undefined };
  return result.flags & ResultFlag.RESHAPED ? reshape(nf, job, i, result) : edit(nf, job, i, result.flags);
}

/** What can be told without the bytes. */
function formBreach({ spec: { rights } }: ChainNf, job: Job, result: Result): string | undefined {
  const { verdict, dropReason, flags } = result;
  if (verdict === Verdict.PENDING) return "no verdict was written";
  if (verdict === Verdict.REPLY && (!rights.reply || job.kind !== "packet"))
    return rights.reply ? `a ${job.kind === "reply" ? "reply" : "frame of its own"} cannot be replied to` : "REPLY needs the right 'reply'";
  if (verdict !== Verdict.FORWARD && verdict !== Verdict.DROP && verdict !== Verdict.REPLY) return `the verdict is ${verdictName(verdict)}`;
  if (dropReason !== 0 && (verdict !== Verdict.DROP || dropReason < 128)) return `drop reason ${dropReason} with ${verdictName(verdict)}`;
  if ((flags & ~RESULT_FLAG_ALL) !== 0) return `unknown result flags ${flags}`;
  if (flags & ResultFlag.MODIFIED_HEADER && rights.edit === "none") return "MODIFIED_HEADER needs the right 'edit: headers'";
  if (flags & ResultFlag.MODIFIED_PAYLOAD && rights.edit !== "payload") return "MODIFIED_PAYLOAD needs the right 'edit: payload'";
  if (flags & ResultFlag.RESHAPED && !rights.reshape) return "RESHAPED needs the right 'reshape'";
  if (!(flags & ResultFlag.RESHAPED) && (result.headerLength !== 0 || result.payloadLength !== 0)) return "lengths without RESHAPED";
  return result.reservedIsZero ? undefined : "reserved bytes are not zero";
}

function sameBytes(a: Uint8Array, b: Uint8Array, length: number): boolean {
  return Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0;
}

function headerOf(nf: ChainNf, i: number, length: number): Uint8Array {
  return nf.instance.bytes(AREAS.header.address + i * LIMITS.header_stride, length).slice();
}
function payloadBytes(nf: ChainNf, i: number, length: number): Uint8Array {
  return nf.instance.bytes(AREAS.payload.address + i * LIMITS.payload_stride, length);
}

function edit(nf: ChainNf, job: Job, i: number, flags: number): Checked {
  const { packet } = job;
  const frame = job.frame.slice();
  if (flags & ResultFlag.MODIFIED_PAYLOAD) frame.set(payloadBytes(nf, i, payloadOf(job).length), packet.payloadOffset);
  if (!(flags & ResultFlag.MODIFIED_HEADER)) return { edited: { frame, wireLength: job.wireLength, packet } };
  frame.set(headerOf(nf, i, packet.payloadOffset));
  if (!sameBytes(frame, job.frame, packet.l3Offset)) return { breach: "bytes before the IP header changed" };
  const outcome = parse(frame, job.wireLength);
  if (!("packet" in outcome) || !sameShape(outcome.packet, packet)) return { breach: "the changed headers have another structure" };
  return { edited: { frame, wireLength: job.wireLength, packet: outcome.packet } };
}

function sameShape(a: Packet, b: Packet): boolean {
  const shape = ({ ipVersion, l3Offset, l4Offset, payloadOffset, l4Protocol, datagramEnd, fragment }: Packet) =>
    JSON.stringify([ipVersion, l3Offset, l4Offset, payloadOffset, l4Protocol, datagramEnd, fragment]);
  return shape(a) === shape(b);
}

function reshape(nf: ChainNf, job: Job, i: number, { headerLength, payloadLength }: Result): Checked {
  const { edit: right, view } = nf.spec.rights;
  const room = rooms(nf, job);
  if (headerLength < 1 || headerLength > room.header || payloadLength > room.payload) return { breach: "RESHAPED beyond the room" };
  if (headerLength + payloadLength > LIMITS.frame_bytes_max) return { breach: "RESHAPED beyond the longest frame" };
  const old = payloadOf(job);
  const payload = right === "payload" ? payloadBytes(nf, i, payloadLength) : view === "payload" ? old.subarray(0, payloadLength) : old;
  const frame = new Uint8Array(headerLength + payload.length);
  frame.set(headerOf(nf, i, headerLength));
  frame.set(payload, headerLength);
  if (!sameBytes(frame, job.frame, job.packet.l3Offset)) return { breach: "bytes before the IP header changed" };
  // What the capture had cut off stays cut off.
  const wireLength = frame.length + Math.max(0, job.packet.datagramEnd - job.frame.length);
  const outcome = parse(frame, wireLength);
  if (!("packet" in outcome) || outcome.packet.payloadOffset !== headerLength) return { breach: "the reshaped frame's headers do not end at header_length" };
  return { edited: { frame, wireLength, packet: outcome.packet } };
}

export interface EmitRequest {
  direction: 0 | 1;
  /** Its own bytes. */
  frame: Uint8Array;
}

/** Emit records by the packet that caused them; a breach in place of the requests. Without the right they are not read. */
export function readEmits(nf: ChainNf, jobs: readonly Job[]): Map<number, EmitRequest[] | { breach: string }> {
  const fields = RECORDS.emit_record.fields;
  const view = nf.instance.result;
  const found = new Map<number, EmitRequest[] | { breach: string }>();
  if (nf.spec.rights.emits === 0) return found;
  for (let r = 0; r < LIMITS.emits_per_burst_max; r++) {
    const at = RESULT.emit_records - AREAS.result.address + r * EMIT_RECORD_BYTES;
    const length = view.getUint16(at + fields.length.offset, true);
    if (length === 0) continue;
    const named = view.getUint8(at + fields.packet.offset);
    const packet = Math.min(named, jobs.length - 1);
    const requests = found.get(packet) ?? [];
    if (!Array.isArray(requests)) continue;
    const address = view.getUint32(at + fields.frame.offset, true);
    const direction = view.getUint8(at + fields.direction.offset);
    const offset = address - AREAS.emit.address;
    const wrong =
      named >= jobs.length
        ? "a frame for a packet that is not in the call"
        : jobs[packet]!.kind !== "packet"
          ? "a frame for a reply or for an emitted frame"
          : requests.length >= nf.spec.rights.emits
            ? `more than ${nf.spec.rights.emits} frames for one packet`
            : offset < 0 || offset % LIMITS.emit_stride !== 0 || offset >= LIMITS.emit_stride * LIMITS.emits_per_burst_max
              ? "an emitted frame is not at the start of a stride"
              : length < 14 || length > LIMITS.frame_bytes_max
                ? `an emitted frame of ${length} bytes`
                : direction > 1 || view.getBigUint64(at + 8, true) !== 0n
                  ? "an emit record with a wrong direction or reserved bytes"
                  : undefined;
    if (wrong !== undefined) found.set(packet, { breach: wrong });
    else found.set(packet, [...requests, { direction: direction as 0 | 1, frame: nf.instance.bytes(address, length).slice() }]);
  }
  return found;
}
