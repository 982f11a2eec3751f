/** Fills an instance's areas for a call: burst header, descriptors, flow records, headers, payloads; zeroes results and emit records. */
import {
  AREAS,
  CALL,
  DESCRIPTOR_BYTES,
  EMIT_RECORD_BYTES,
  FLOW_RECORD_BYTES,
  LIMITS,
  PacketFlag,
  RECORDS,
  RESULT,
  RESULT_BYTES,
  RUNTIME_RECORD_BYTES,
  RuntimeFlag,
} from "../abi/gen/abi.ts";
import type { Flow } from "./flow.ts";
import type { ChainNf } from "./chain_nf.ts";
import type { Instance } from "./instance.ts";
import type { Job } from "./job.ts";
import { addressBytes } from "./tuple.ts";

/** The payload that an NF with the right to it sees. */
export function payloadOf({ frame, packet }: Job): Uint8Array {
  return frame.subarray(packet.payloadOffset, Math.max(packet.payloadOffset, Math.min(packet.datagramEnd, frame.length)));
}

/** `first[i]` says whether packet i is the first of its flow that the NF sees. */
export function fillCall(nf: ChainNf, jobs: readonly Job[], first: readonly boolean[], direction: 0 | 1, nowNs: bigint): void {
  const { instance } = nf;
  writeBurstHeader(instance, jobs.length, direction, nowNs);
  jobs.forEach((job, i) => {
    fillHeader(instance, i, job);
    if (nf.spec.rights.view === "payload") fillPayload(instance, i, job);
    writeDescriptor(nf, i, job, first[i]!, nowNs);
    writeFlowRecord(instance, i, job.flow);
    if (first[i]) nf.slot(job.flow).fill(0);
  });
  instance.bytes(RESULT.results, LIMITS.burst_packets * RESULT_BYTES).fill(0);
  instance.bytes(RESULT.emit_records, LIMITS.emits_per_burst_max * EMIT_RECORD_BYTES).fill(0);
}

function writeBurstHeader(instance: Instance, count: number, direction: 0 | 1, nowNs: bigint): void {
  const fields = RECORDS.burst_header.fields;
  instance.callbackHeader(nowNs);
  instance.call.setUint32(fields.count.offset, count, true);
  instance.call.setUint8(fields.direction.offset, direction);
  instance.call.setBigUint64(fields.burst_sequence.offset, instance.bursts, true);
}

function fillHeader(instance: Instance, i: number, { frame, packet }: Job): void {
  const stride = instance.bytes(AREAS.header.address + i * LIMITS.header_stride, LIMITS.header_stride);
  stride.set(frame.subarray(0, packet.payloadOffset));
  stride.fill(0, packet.payloadOffset);
}

function fillPayload(instance: Instance, i: number, job: Job): void {
  const stride = instance.bytes(AREAS.payload.address + i * LIMITS.payload_stride, LIMITS.payload_stride);
  const payload = payloadOf(job);
  stride.set(payload);
  stride.fill(0, payload.length);
}

/** Longest lengths that a reshape may set. */
export function rooms(nf: ChainNf, job: Job): { header: number; payload: number } {
  const { view, edit, reshape } = nf.spec.rights;
  const payload = view === "payload" ? payloadOf(job).length : 0;
  if (!reshape) return { header: job.packet.payloadOffset, payload };
  return { header: LIMITS.header_stride, payload: edit === "payload" ? LIMITS.frame_bytes_max : payload };
}

function writeDescriptor(nf: ChainNf, i: number, job: Job, first: boolean, nowNs: bigint): void {
  const { call } = nf.instance;
  const { packet, flow } = job;
  const { view, lease } = nf.spec.rights;
  const fields = RECORDS.descriptor.fields;
  const at = CALL.descriptors - AREAS.call.address + i * DESCRIPTOR_BYTES;
  const seesPayload = view === "payload";
  const room = rooms(nf, job);
  new Uint8Array(call.buffer, call.byteOffset + at, DESCRIPTOR_BYTES).fill(0);
  call.setUint32(at + fields.header.offset, AREAS.header.address + i * LIMITS.header_stride, true);
  call.setUint32(at + fields.payload.offset, seesPayload ? AREAS.payload.address + i * LIMITS.payload_stride : 0, true);
  call.setUint16(at + fields.header_length.offset, packet.payloadOffset, true);
  call.setUint16(at + fields.payload_length.offset, seesPayload ? payloadOf(job).length : 0, true);
  call.setUint32(at + fields.wire_length.offset, job.wireLength, true);
  call.setUint16(at + fields.l3_offset.offset, packet.l3Offset, true);
  call.setUint16(at + fields.l4_offset.offset, packet.l4Offset, true);
  call.setUint8(at + fields.l4_protocol.offset, packet.l4Protocol);
  call.setUint8(at + fields.direction.offset, job.direction);
  call.setUint16(at + fields.flags.offset, packet.flags | (first ? PacketFlag.FIRST : 0), true);
  call.setUint32(at + fields.state.offset, nf.stateAddress(flow), true);
  call.setUint32(at + fields.flow.offset, CALL.flow_records + i * FLOW_RECORD_BYTES, true);
  call.setBigUint64(at + fields.flow_id.offset, flow.number, true);
  call.setUint32(at + fields.sequence.offset, job.sequence >>> 0, true);
  call.setUint32(at + fields.lease.offset, lease ? flow.leases[nf.position]! : 0, true);
  call.setUint16(at + fields.header_room.offset, room.header, true);
  call.setUint16(at + fields.payload_room.offset, room.payload, true);
  call.setUint32(at + fields.after_now_ns.offset, Math.min(Math.max(Number(job.timestampNs - nowNs), 0), LIMITS.poll_gap_ns), true);
}

/** A runtime as migration-target is shown it. */
export interface RuntimeShown {
  /** Number, from 1. */
  runtime: number;
  flows?: number;
  loadPermille?: number;
  /** It is the one that asks. */
  own?: boolean;
  draining?: boolean;
}

export function writeCluster({ call }: Instance, runtimes: readonly RuntimeShown[]): void {
  if (runtimes.length > LIMITS.cluster_runtimes_max) throw new RangeError(`a cluster has at most ${LIMITS.cluster_runtimes_max} runtimes`);
  const fields = RECORDS.runtime_record.fields;
  runtimes.forEach(({ runtime, flows = 0, loadPermille = 0, own = false, draining = false }, i) => {
    const at = CALL.cluster - AREAS.call.address + i * RUNTIME_RECORD_BYTES;
    call.setUint32(at + fields.runtime.offset, runtime, true);
    call.setUint32(at + fields.flows.offset, flows, true);
    call.setUint16(at + fields.load_permille.offset, loadPermille, true);
    call.setUint16(at + fields.flags.offset, (own ? RuntimeFlag.OWN : 0) | (draining ? RuntimeFlag.DRAINING : 0), true);
  });
}

export function writeFlowRecord({ call }: Instance, i: number, { tuple, side, startNs, seed }: Flow): void {
  const fields = RECORDS.flow_record.fields;
  const at = CALL.flow_records - AREAS.call.address + i * FLOW_RECORD_BYTES;
  const record = new Uint8Array(call.buffer, call.byteOffset + at, FLOW_RECORD_BYTES);
  record.fill(0);
  record.set(addressBytes(tuple.source), fields.initiator_address.offset);
  record.set(addressBytes(tuple.destination), fields.responder_address.offset);
  call.setUint16(at + fields.initiator_port.offset, tuple.sourcePort, true);
  call.setUint16(at + fields.responder_port.offset, tuple.destinationPort, true);
  call.setUint8(at + fields.protocol.offset, tuple.protocol);
  call.setUint8(at + fields.ip_version.offset, tuple.ipVersion);
  call.setUint8(at + fields.side.offset, side);
  call.setUint8(at + fields.vlan_count.offset, tuple.vlan.length);
  call.setUint16(at + fields.vlan_outer.offset, tuple.vlan[0] ?? 0, true);
  call.setUint16(at + fields.vlan_inner.offset, tuple.vlan[1] ?? 0, true);
  call.setBigUint64(at + fields.start_ns.offset, startNs, true);
  call.setBigUint64(at + fields.seed.offset, seed, true);
}
