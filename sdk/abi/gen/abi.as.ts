// Generated from nf_abi.json by generate.ts. Do not edit.

export const ABI_VERSION: u32 = 1;
export const BURST_PACKETS: u32 = 32;
export const HEADER_STRIDE: u32 = 256;
export const PAYLOAD_STRIDE: u32 = 9216;
export const FRAME_BYTES_MAX: u32 = 9216;
export const CHAIN_NFS_MAX: u32 = 16;
export const EMITS_PER_PACKET_MAX: u32 = 2;
export const EMITS_PER_BURST_MAX: u32 = 64;
export const EMIT_STRIDE: u32 = 9216;
export const COUNTERS_MAX: u32 = 64;
export const LOG_RECORDS: u32 = 16;
export const LOG_TEXT_BYTES_MAX: u32 = 248;
export const FAULT_TEXT_BYTES_MAX: u32 = 504;
export const STATE_BYTES_MAX: u32 = 4096;
export const STATE_ALIGN: u32 = 8;
export const CONFIG_BYTES_MAX: u32 = 524288;
export const MODULE_BYTES_MAX: u32 = 1048576;
export const FUNCTIONS_MAX: u32 = 2000;
export const FUNCTION_BODY_BYTES_MAX: u32 = 65536;
export const FUNCTION_LOCALS_MAX: u32 = 500;
export const NESTING_MAX: u32 = 256;
export const TABLE_ELEMENTS_MAX: u32 = 1024;
export const HEAP_PAGES_MAX: u32 = 1024;
export const DATA_SEGMENTS_MAX: u32 = 1000;
export const TYPES_MAX: u32 = 1000;
export const GLOBALS_MAX: u32 = 1000;
export const EXPORTS_MAX: u32 = 64;
export const BR_TABLE_TARGETS_MAX: u32 = 1024;
export const PARAMS_MAX: u32 = 16;
export const RESULTS_MAX: u32 = 1;
export const IPV6_EXTENSION_HEADERS_MAX: u32 = 8;
export const VLAN_TAGS_MAX: u32 = 2;
export const POLL_GAP_NS: u32 = 100000;
export const EXPIRY_TICK_SHIFT: u32 = 20;
export const TICK_INTERVAL_MS: u32 = 100;
export const FAULT_QUARANTINE_COUNT: u32 = 10;
export const FAULT_QUARANTINE_WINDOW_NS: u32 = 1000000000;
export const FRAGMENT_DATAGRAMS_MAX: u32 = 4096;
export const FRAGMENT_HELD_MAX: u32 = 1024;
export const FRAGMENT_HELD_PER_DATAGRAM_MAX: u32 = 64;
export const FRAGMENT_TIMEOUT_NS: u64 = 5000000000;
export const REFUSED_MS: u32 = 1000;
export const LEASE_QUARANTINE_MS: u32 = 1000;
export const NULL_AREA: usize = 0x00000000;
export const CALL_AREA: usize = 0x00010000;
export const RESULT_AREA: usize = 0x00018000;
export const HEADER_AREA: usize = 0x00020000;
export const PAYLOAD_AREA: usize = 0x00080000;
export const EMIT_AREA: usize = 0x00200000;
export const CONFIG_AREA: usize = 0x00300000;
export const STAGING_AREA: usize = 0x00380000;
export const STATE_AREA: usize = 0x01000000;
export const MODULE_AREA: usize = 0x80000000;
export const BURST_HEADER: usize = 0x00010000;
export const DESCRIPTORS: usize = 0x00010040;
export const FLOW_RECORDS: usize = 0x00010840;
export const RESULTS: usize = 0x00018000;
export const EMIT_RECORDS: usize = 0x00018200;
export const COUNTERS: usize = 0x00018600;
export const FAULT_RECORD: usize = 0x00018800;
export const LOG_RING: usize = 0x00018c00;
export const LOG_RECORDS: usize = 0x00018c40;

/** One per call. Written by the host. */
@unmanaged
@final
export class BurstHeader {
  now_ns: u64;
  count: u32;
  direction: u8;
  private _reserved_13_13: u8;
  private _reserved_13_14: u16;
  config_length: u32;
  private _reserved_20_20: u32;
  burst_sequence: u64;
  private _reserved_32_32: u64;
  private _reserved_32_40: u64;
  private _reserved_32_48: u64;
  private _reserved_32_56: u64;
}
export const BURST_HEADER_BYTES: usize = 64;
if (offsetof<BurstHeader>() > 64) ERROR("ABI: burst_header is longer than 64 bytes");
if (offsetof<BurstHeader>("now_ns") != 0) ERROR("ABI: burst_header.now_ns is not at 0");
if (offsetof<BurstHeader>("count") != 8) ERROR("ABI: burst_header.count is not at 8");
if (offsetof<BurstHeader>("direction") != 12) ERROR("ABI: burst_header.direction is not at 12");
if (offsetof<BurstHeader>("config_length") != 16) ERROR("ABI: burst_header.config_length is not at 16");
if (offsetof<BurstHeader>("burst_sequence") != 24) ERROR("ABI: burst_header.burst_sequence is not at 24");

/** One per packet. Written by the host. */
@unmanaged
@final
export class Descriptor {
  header: u32;
  payload: u32;
  header_length: u16;
  payload_length: u16;
  wire_length: u32;
  l3_offset: u16;
  l4_offset: u16;
  l4_protocol: u8;
  direction: u8;
  flags: u16;
  state: u32;
  flow: u32;
  flow_id: u64;
  sequence: u32;
  lease: u32;
  header_room: u16;
  payload_room: u16;
  private _reserved_52_52: u32;
  private _reserved_52_56: u64;
}
export const DESCRIPTOR_BYTES: usize = 64;
if (offsetof<Descriptor>() > 64) ERROR("ABI: descriptor is longer than 64 bytes");
if (offsetof<Descriptor>("header") != 0) ERROR("ABI: descriptor.header is not at 0");
if (offsetof<Descriptor>("payload") != 4) ERROR("ABI: descriptor.payload is not at 4");
if (offsetof<Descriptor>("header_length") != 8) ERROR("ABI: descriptor.header_length is not at 8");
if (offsetof<Descriptor>("payload_length") != 10) ERROR("ABI: descriptor.payload_length is not at 10");
if (offsetof<Descriptor>("wire_length") != 12) ERROR("ABI: descriptor.wire_length is not at 12");
if (offsetof<Descriptor>("l3_offset") != 16) ERROR("ABI: descriptor.l3_offset is not at 16");
if (offsetof<Descriptor>("l4_offset") != 18) ERROR("ABI: descriptor.l4_offset is not at 18");
if (offsetof<Descriptor>("l4_protocol") != 20) ERROR("ABI: descriptor.l4_protocol is not at 20");
if (offsetof<Descriptor>("direction") != 21) ERROR("ABI: descriptor.direction is not at 21");
if (offsetof<Descriptor>("flags") != 22) ERROR("ABI: descriptor.flags is not at 22");
if (offsetof<Descriptor>("state") != 24) ERROR("ABI: descriptor.state is not at 24");
if (offsetof<Descriptor>("flow") != 28) ERROR("ABI: descriptor.flow is not at 28");
if (offsetof<Descriptor>("flow_id") != 32) ERROR("ABI: descriptor.flow_id is not at 32");
if (offsetof<Descriptor>("sequence") != 40) ERROR("ABI: descriptor.sequence is not at 40");
if (offsetof<Descriptor>("lease") != 44) ERROR("ABI: descriptor.lease is not at 44");
if (offsetof<Descriptor>("header_room") != 48) ERROR("ABI: descriptor.header_room is not at 48");
if (offsetof<Descriptor>("payload_room") != 50) ERROR("ABI: descriptor.payload_room is not at 50");

/** A flow as its first packet named it. Written by the host. */
@unmanaged
@final
export class FlowRecord {
  private _initiator_address_0: u64;
  private _initiator_address_8: u64;
  private _responder_address_16: u64;
  private _responder_address_24: u64;
  initiator_port: u16;
  responder_port: u16;
  protocol: u8;
  ip_version: u8;
  side: u8;
  vlan_count: u8;
  vlan_outer: u16;
  vlan_inner: u16;
  private _reserved_44_44: u32;
  start_ns: u64;
  seed: u64;
}
export const FLOW_RECORD_INITIATOR_ADDRESS_OFFSET: usize = 0;
export const FLOW_RECORD_RESPONDER_ADDRESS_OFFSET: usize = 16;
export const FLOW_RECORD_BYTES: usize = 64;
if (offsetof<FlowRecord>() > 64) ERROR("ABI: flow_record is longer than 64 bytes");
if (offsetof<FlowRecord>("initiator_port") != 32) ERROR("ABI: flow_record.initiator_port is not at 32");
if (offsetof<FlowRecord>("responder_port") != 34) ERROR("ABI: flow_record.responder_port is not at 34");
if (offsetof<FlowRecord>("protocol") != 36) ERROR("ABI: flow_record.protocol is not at 36");
if (offsetof<FlowRecord>("ip_version") != 37) ERROR("ABI: flow_record.ip_version is not at 37");
if (offsetof<FlowRecord>("side") != 38) ERROR("ABI: flow_record.side is not at 38");
if (offsetof<FlowRecord>("vlan_count") != 39) ERROR("ABI: flow_record.vlan_count is not at 39");
if (offsetof<FlowRecord>("vlan_outer") != 40) ERROR("ABI: flow_record.vlan_outer is not at 40");
if (offsetof<FlowRecord>("vlan_inner") != 42) ERROR("ABI: flow_record.vlan_inner is not at 42");
if (offsetof<FlowRecord>("start_ns") != 48) ERROR("ABI: flow_record.start_ns is not at 48");
if (offsetof<FlowRecord>("seed") != 56) ERROR("ABI: flow_record.seed is not at 56");

/** One per packet, written by the NF in order. The host zeroes it before the call. */
@unmanaged
@final
export class Result {
  verdict: u8;
  drop_reason: u8;
  flags: u16;
  header_length: u16;
  payload_length: u16;
  timeout: u32;
  out_port: u16;
  private _reserved_14_14: u16;
}
export const RESULT_BYTES: usize = 16;
if (offsetof<Result>() > 16) ERROR("ABI: result is longer than 16 bytes");
if (offsetof<Result>("verdict") != 0) ERROR("ABI: result.verdict is not at 0");
if (offsetof<Result>("drop_reason") != 1) ERROR("ABI: result.drop_reason is not at 1");
if (offsetof<Result>("flags") != 2) ERROR("ABI: result.flags is not at 2");
if (offsetof<Result>("header_length") != 4) ERROR("ABI: result.header_length is not at 4");
if (offsetof<Result>("payload_length") != 6) ERROR("ABI: result.payload_length is not at 6");
if (offsetof<Result>("timeout") != 8) ERROR("ABI: result.timeout is not at 8");
if (offsetof<Result>("out_port") != 12) ERROR("ABI: result.out_port is not at 12");

/** A frame the NF sends besides the packet. Written by the NF. */
@unmanaged
@final
export class EmitRecord {
  frame: u32;
  length: u16;
  direction: u8;
  packet: u8;
  private _reserved_8_8: u64;
}
export const EMIT_RECORD_BYTES: usize = 16;
if (offsetof<EmitRecord>() > 16) ERROR("ABI: emit_record is longer than 16 bytes");
if (offsetof<EmitRecord>("frame") != 0) ERROR("ABI: emit_record.frame is not at 0");
if (offsetof<EmitRecord>("length") != 4) ERROR("ABI: emit_record.length is not at 4");
if (offsetof<EmitRecord>("direction") != 6) ERROR("ABI: emit_record.direction is not at 6");
if (offsetof<EmitRecord>("packet") != 7) ERROR("ABI: emit_record.packet is not at 7");

/** Written by the SDK's abort before it traps. */
@unmanaged
@final
export class FaultRecord {
  is_set: u32;
  line: u32;
  column: u32;
  message_length: u16;
  file_length: u16;
  private _message_16: u64;
  private _message_24: u64;
  private _message_32: u64;
  private _message_40: u64;
  private _message_48: u64;
  private _message_56: u64;
  private _message_64: u64;
  private _message_72: u64;
  private _message_80: u64;
  private _message_88: u64;
  private _message_96: u64;
  private _message_104: u64;
  private _message_112: u64;
  private _message_120: u64;
  private _message_128: u64;
  private _message_136: u64;
  private _message_144: u64;
  private _message_152: u64;
  private _message_160: u64;
  private _message_168: u64;
  private _message_176: u64;
  private _message_184: u64;
  private _message_192: u64;
  private _message_200: u64;
  private _message_208: u64;
  private _message_216: u64;
  private _message_224: u64;
  private _message_232: u64;
  private _message_240: u64;
  private _message_248: u64;
  private _message_256: u64;
  private _message_264: u64;
  private _message_272: u64;
  private _message_280: u64;
  private _message_288: u64;
  private _message_296: u64;
  private _message_304: u64;
  private _message_312: u64;
  private _message_320: u64;
  private _message_328: u64;
  private _message_336: u64;
  private _message_344: u64;
  private _message_352: u64;
  private _message_360: u64;
  private _message_368: u64;
  private _message_376: u64;
  private _message_384: u64;
  private _message_392: u64;
  private _message_400: u64;
  private _message_408: u64;
  private _message_416: u64;
  private _message_424: u64;
  private _message_432: u64;
  private _message_440: u64;
  private _message_448: u64;
  private _message_456: u64;
  private _message_464: u64;
  private _message_472: u64;
  private _message_480: u64;
  private _message_488: u64;
  private _message_496: u64;
  private _message_504: u64;
  private _message_512: u64;
  private _file_520: u64;
  private _file_528: u64;
  private _file_536: u64;
  private _file_544: u64;
  private _file_552: u64;
  private _file_560: u64;
  private _file_568: u64;
  private _file_576: u64;
  private _file_584: u64;
  private _file_592: u64;
  private _file_600: u64;
  private _file_608: u64;
  private _file_616: u64;
  private _file_624: u64;
  private _file_632: u64;
  private _file_640: u64;
  private _file_648: u64;
  private _file_656: u64;
  private _file_664: u64;
  private _file_672: u64;
  private _file_680: u64;
  private _file_688: u64;
  private _file_696: u64;
  private _file_704: u64;
  private _file_712: u64;
  private _file_720: u64;
  private _file_728: u64;
  private _file_736: u64;
  private _file_744: u64;
  private _file_752: u64;
  private _file_760: u64;
  private _file_768: u64;
  private _file_776: u64;
  private _file_784: u64;
  private _file_792: u64;
  private _file_800: u64;
  private _file_808: u64;
  private _file_816: u64;
  private _file_824: u64;
  private _file_832: u64;
  private _file_840: u64;
  private _file_848: u64;
  private _file_856: u64;
  private _file_864: u64;
  private _file_872: u64;
  private _file_880: u64;
  private _file_888: u64;
  private _file_896: u64;
  private _file_904: u64;
  private _file_912: u64;
  private _file_920: u64;
  private _file_928: u64;
  private _file_936: u64;
  private _file_944: u64;
  private _file_952: u64;
  private _file_960: u64;
  private _file_968: u64;
  private _file_976: u64;
  private _file_984: u64;
  private _file_992: u64;
  private _file_1000: u64;
  private _file_1008: u64;
  private _file_1016: u64;
}
export const FAULT_RECORD_MESSAGE_OFFSET: usize = 16;
export const FAULT_RECORD_FILE_OFFSET: usize = 520;
export const FAULT_RECORD_BYTES: usize = 1024;
if (offsetof<FaultRecord>() > 1024) ERROR("ABI: fault_record is longer than 1024 bytes");
if (offsetof<FaultRecord>("is_set") != 0) ERROR("ABI: fault_record.is_set is not at 0");
if (offsetof<FaultRecord>("line") != 4) ERROR("ABI: fault_record.line is not at 4");
if (offsetof<FaultRecord>("column") != 8) ERROR("ABI: fault_record.column is not at 8");
if (offsetof<FaultRecord>("message_length") != 12) ERROR("ABI: fault_record.message_length is not at 12");
if (offsetof<FaultRecord>("file_length") != 14) ERROR("ABI: fault_record.file_length is not at 14");

/** Head of the log ring. The NF counts up written; record written % log_records is the next. */
@unmanaged
@final
export class LogRing {
  written: u32;
  private _reserved_4_4: u32;
  private _reserved_4_8: u64;
  private _reserved_4_16: u64;
  private _reserved_4_24: u64;
  private _reserved_4_32: u64;
  private _reserved_4_40: u64;
  private _reserved_4_48: u64;
  private _reserved_4_56: u64;
}
export const LOG_RING_BYTES: usize = 64;
if (offsetof<LogRing>() > 64) ERROR("ABI: log_ring is longer than 64 bytes");
if (offsetof<LogRing>("written") != 0) ERROR("ABI: log_ring.written is not at 0");

/** One log line. */
@unmanaged
@final
export class LogRecord {
  level: u8;
  reserved_1: u8;
  length: u16;
  sequence: u32;
  private _text_8: u64;
  private _text_16: u64;
  private _text_24: u64;
  private _text_32: u64;
  private _text_40: u64;
  private _text_48: u64;
  private _text_56: u64;
  private _text_64: u64;
  private _text_72: u64;
  private _text_80: u64;
  private _text_88: u64;
  private _text_96: u64;
  private _text_104: u64;
  private _text_112: u64;
  private _text_120: u64;
  private _text_128: u64;
  private _text_136: u64;
  private _text_144: u64;
  private _text_152: u64;
  private _text_160: u64;
  private _text_168: u64;
  private _text_176: u64;
  private _text_184: u64;
  private _text_192: u64;
  private _text_200: u64;
  private _text_208: u64;
  private _text_216: u64;
  private _text_224: u64;
  private _text_232: u64;
  private _text_240: u64;
  private _text_248: u64;
}
export const LOG_RECORD_TEXT_OFFSET: usize = 8;
export const LOG_RECORD_BYTES: usize = 256;
if (offsetof<LogRecord>() > 256) ERROR("ABI: log_record is longer than 256 bytes");
if (offsetof<LogRecord>("level") != 0) ERROR("ABI: log_record.level is not at 0");
if (offsetof<LogRecord>("reserved_1") != 1) ERROR("ABI: log_record.reserved_1 is not at 1");
if (offsetof<LogRecord>("length") != 2) ERROR("ABI: log_record.length is not at 2");
if (offsetof<LogRecord>("sequence") != 4) ERROR("ABI: log_record.sequence is not at 4");

export namespace VerdictValue {
  /** Not decided; after a call a fault. */
  // @ts-ignore: decorator
  @inline export const PENDING: u32 = 0;
  /** On to the next NF, or out of the other port. */
  // @ts-ignore: decorator
  @inline export const FORWARD: u32 = 1;
  /** Drop, counted under the NF's reason. */
  // @ts-ignore: decorator
  @inline export const DROP: u32 = 2;
  /** Back to where it came from, through the NFs before this one. Needs the right reply. */
  // @ts-ignore: decorator
  @inline export const REPLY: u32 = 3;
  /** Reserved for proxies; refused in version 1. */
  // @ts-ignore: decorator
  @inline export const CONSUME: u32 = 4;
}
export namespace PacketFlag {
  /** First packet of the flow this NF sees: the slot is zero. */
  // @ts-ignore: decorator
  @inline export const FIRST: u32 = 1;
  /** A fragment of a datagram. */
  // @ts-ignore: decorator
  @inline export const FRAGMENT: u32 = 2;
  /** A fragment other than the first: there is no L4 header. */
  // @ts-ignore: decorator
  @inline export const LATER_FRAGMENT: u32 = 4;
  /** Fewer bytes were captured than were on the wire. */
  // @ts-ignore: decorator
  @inline export const TRUNCATED: u32 = 8;
  /** An ICMP error about this flow; the header holds the inner headers. */
  // @ts-ignore: decorator
  @inline export const ICMP_ERROR: u32 = 16;
  /** The device verified the L4 checksum. */
  // @ts-ignore: decorator
  @inline export const CHECKSUM_GOOD: u32 = 32;
}
export namespace ResultFlag {
  /** Header bytes changed. Needs edit: headers. */
  // @ts-ignore: decorator
  @inline export const MODIFIED_HEADER: u32 = 1;
  /** Payload bytes changed. Needs edit: payload. */
  // @ts-ignore: decorator
  @inline export const MODIFIED_PAYLOAD: u32 = 2;
  /** Lengths or structure changed. Needs reshape. */
  // @ts-ignore: decorator
  @inline export const RESHAPED: u32 = 4;
  /** Close the flow after this call; with DROP on FIRST: refuse it. */
  // @ts-ignore: decorator
  @inline export const CLOSE_FLOW: u32 = 8;
  /** Ask migration-target soon. */
  // @ts-ignore: decorator
  @inline export const ASK_MIGRATE: u32 = 16;
  /** Call flow-timer after timeout ms. */
  // @ts-ignore: decorator
  @inline export const ARM_TIMER: u32 = 32;
}
export namespace CloseReasonValue {
  /** Idle for too long. */
  // @ts-ignore: decorator
  @inline export const EXPIRED: u32 = 1;
  /** TCP ended, or the NF asked with CLOSE_FLOW. */
  // @ts-ignore: decorator
  @inline export const FINISHED: u32 = 2;
  /** A later NF refused the new flow. */
  // @ts-ignore: decorator
  @inline export const REFUSED: u32 = 3;
  /** Room was needed. */
  // @ts-ignore: decorator
  @inline export const EVICTED: u32 = 4;
  /** An NF of the chain faulted on it. */
  // @ts-ignore: decorator
  @inline export const FAULT: u32 = 5;
  /** Its return key was taken. */
  // @ts-ignore: decorator
  @inline export const ALIAS_CONFLICT: u32 = 6;
  /** The run ended. */
  // @ts-ignore: decorator
  @inline export const SHUTDOWN: u32 = 7;
}
export namespace DropReasonValue {
  /** Not dropped. */
  // @ts-ignore: decorator
  @inline export const NONE: u32 = 0;
  /** Shorter than an Ethernet header, or cut inside a VLAN tag. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_ETHERNET: u32 = 1;
  /** IPv4 header or total length inconsistent. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_IPV4: u32 = 2;
  /** IPv6 header, extension header or payload length inconsistent. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_IPV6: u32 = 3;
  /** TCP, UDP, SCTP or ICMP header does not fit. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_L4: u32 = 4;
  /** ICMP error without a usable inner packet. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_ICMP_ERROR: u32 = 5;
  /** First fragment without its L4 header, or a fragment beyond 65,535 bytes. */
  // @ts-ignore: decorator
  @inline export const MALFORMED_FRAGMENT: u32 = 6;
  /** The capture ends before the headers do. */
  // @ts-ignore: decorator
  @inline export const TRUNCATED_HEADERS: u32 = 7;
  /** Headers longer than header_stride. */
  // @ts-ignore: decorator
  @inline export const HEADER_TOO_LONG: u32 = 8;
  /** Frame longer than frame_bytes_max. */
  // @ts-ignore: decorator
  @inline export const FRAME_TOO_LONG: u32 = 9;
  /** Neither IPv4 nor IPv6, and the policy says drop. */
  // @ts-ignore: decorator
  @inline export const NON_IP: u32 = 10;
  /** ICMP error about a flow that is not known. */
  // @ts-ignore: decorator
  @inline export const ICMP_ERROR_NO_FLOW: u32 = 11;
  /** Later fragment whose flow has ended or was refused. */
  // @ts-ignore: decorator
  @inline export const FRAGMENT_NO_FLOW: u32 = 12;
  /** Held fragment whose first fragment did not come in time. */
  // @ts-ignore: decorator
  @inline export const FRAGMENT_TIMEOUT: u32 = 13;
  /** A bound on held fragments or tracked datagrams was reached. */
  // @ts-ignore: decorator
  @inline export const FRAGMENT_OVERFLOW: u32 = 14;
  /** No room for a new flow. */
  // @ts-ignore: decorator
  @inline export const FLOW_TABLE_FULL: u32 = 15;
  /** An NF refused this flow a moment ago. */
  // @ts-ignore: decorator
  @inline export const FLOW_REFUSED: u32 = 16;
  /** The NF faulted on this packet. */
  // @ts-ignore: decorator
  @inline export const NF_FAULT: u32 = 17;
  /** The NF is being restarted. */
  // @ts-ignore: decorator
  @inline export const NF_UNAVAILABLE: u32 = 18;
  /** The NF faulted too often and fails closed. */
  // @ts-ignore: decorator
  @inline export const NF_QUARANTINED: u32 = 19;
  /** The flow's return key belongs to another flow. */
  // @ts-ignore: decorator
  @inline export const ALIAS_CONFLICT: u32 = 20;
  /** The packet would leave with another five-tuple than the flow's first. */
  // @ts-ignore: decorator
  @inline export const KEY_CHANGED: u32 = 21;
  /** The output port did not take the frame. */
  // @ts-ignore: decorator
  @inline export const PORT_FULL: u32 = 22;
  /** The packet pool is empty. */
  // @ts-ignore: decorator
  @inline export const NO_MBUF: u32 = 23;
  /** An emitted frame that does not parse. */
  // @ts-ignore: decorator
  @inline export const EMIT_INVALID: u32 = 24;
  /** Held or queued when the run ended. */
  // @ts-ignore: decorator
  @inline export const SHUTDOWN: u32 = 25;
}
export namespace FaultKindValue {
  /** Access outside what the NF may touch. */
  // @ts-ignore: decorator
  @inline export const OUT_OF_BOUNDS: u32 = 1;
  /** unreachable executed. */
  // @ts-ignore: decorator
  @inline export const UNREACHABLE: u32 = 2;
  /** throw or assert. */
  // @ts-ignore: decorator
  @inline export const ABORT: u32 = 3;
  /** The call took too long. */
  // @ts-ignore: decorator
  @inline export const DEADLINE: u32 = 4;
  /** Stack exhausted. */
  // @ts-ignore: decorator
  @inline export const STACK: u32 = 5;
  /** A result the NF may not give. */
  // @ts-ignore: decorator
  @inline export const BAD_RESULT: u32 = 6;
  /** Division by zero or integer overflow. */
  // @ts-ignore: decorator
  @inline export const INTEGER: u32 = 7;
  /** Invalid conversion of a float to an integer. */
  // @ts-ignore: decorator
  @inline export const BAD_CONVERSION: u32 = 8;
  /** Indirect call to nothing or to another type. */
  // @ts-ignore: decorator
  @inline export const INDIRECT_CALL: u32 = 9;
  /** init or configure failed. */
  // @ts-ignore: decorator
  @inline export const START: u32 = 10;
  /** Any other trap. */
  // @ts-ignore: decorator
  @inline export const OTHER: u32 = 11;
}
export namespace LogLevelValue {
  /**  */
  // @ts-ignore: decorator
  @inline export const DEBUG: u32 = 0;
  /**  */
  // @ts-ignore: decorator
  @inline export const INFO: u32 = 1;
  /**  */
  // @ts-ignore: decorator
  @inline export const WARN: u32 = 2;
  /**  */
  // @ts-ignore: decorator
  @inline export const ERROR: u32 = 3;
}
export namespace SideValue {
  /**  */
  // @ts-ignore: decorator
  @inline export const CLIENT: u32 = 0;
  /**  */
  // @ts-ignore: decorator
  @inline export const SERVER: u32 = 1;
}
