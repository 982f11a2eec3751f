// Generated from sdk/abi/nf_abi.json by `npm run generate`. Do not edit.
// The NF ABI in AssemblyScript. Descriptors and flow records are read-only to the NF: a store to them traps.

export const ABI_VERSION: u32 = 1;

/** Packets in one call. */
export const BURST_PACKETS: u32 = 32;
/** Bytes per packet in the header area; a longer header is dropped as header_too_long. */
export const HEADER_STRIDE: u32 = 256;
/** Bytes per packet in the payload area. */
export const PAYLOAD_STRIDE: u32 = 9216;
/** Longest frame, Ethernet header included. */
export const FRAME_BYTES_MAX: u32 = 9216;
/** NFs in one chain (the actor keeps one FIRST bit for each). */
export const CHAIN_NFS_MAX: u32 = 16;
/** Frames one packet may cause besides itself. */
export const EMITS_PER_PACKET_MAX: u32 = 2;
/** Emit records of one call. */
export const EMITS_PER_BURST_MAX: u32 = 64;
/** Bytes per frame in the emit area. */
export const EMIT_STRIDE: u32 = 9216;
/** An NF's own counters. */
export const COUNTERS_MAX: u32 = 64;
/** Runtimes that migration-target is shown. */
export const CLUSTER_RUNTIMES_MAX: u32 = 64;
/** Records in the log ring. */
export const LOG_RECORDS: u32 = 16;
/** Text of one log record, UTF-16LE. */
export const LOG_TEXT_BYTES_MAX: u32 = 248;
/** Message and file of a fault record, each, UTF-16LE. */
export const FAULT_TEXT_BYTES_MAX: u32 = 504;
/** One flow's state in one NF. */
export const STATE_BYTES_MAX: u32 = 4096;
/** A slot's size is rounded up to this. */
export const STATE_ALIGN: u32 = 8;
/** Encoded configuration (MessagePack). */
export const CONFIG_BYTES_MAX: u32 = 524288;
/** Core module. */
export const MODULE_BYTES_MAX: u32 = 1048576;
/** The whole artifact: a component with its core module and metadata. */
export const COMPONENT_BYTES_MAX: u32 = 2097152;
/** One metadata section of the artifact: manifest, state schema, or configuration schema. */
export const METADATA_BYTES_MAX: u32 = 262144;
/** Functions of a module. */
export const FUNCTIONS_MAX: u32 = 2000;
/** One function's body. */
export const FUNCTION_BODY_BYTES_MAX: u32 = 65536;
/** Locals of one function, parameters included. */
export const FUNCTION_LOCALS_MAX: u32 = 500;
/** Depth of blocks in one function. */
export const NESTING_MAX: u32 = 256;
/** Elements of the function table. */
export const TABLE_ELEMENTS_MAX: u32 = 1024;
/** 64 KiB pages of static data and heap. */
export const HEAP_PAGES_MAX: u32 = 1024;
/** Data segments of a module. */
export const DATA_SEGMENTS_MAX: u32 = 1000;
/** Function types of a module. */
export const TYPES_MAX: u32 = 1000;
/** Element segments of a module. */
export const ELEMENT_SEGMENTS_MAX: u32 = 100;
/** Globals of a module. */
export const GLOBALS_MAX: u32 = 1000;
/** Exports of a module. */
export const EXPORTS_MAX: u32 = 64;
/** Targets of one br_table. */
export const BR_TABLE_TARGETS_MAX: u32 = 1024;
/** Parameters of one function type. */
export const PARAMS_MAX: u32 = 16;
/** Results of one function type. */
export const TYPE_RESULTS_MAX: u32 = 16;
/** Results of an exported function. */
export const RESULTS_MAX: u32 = 1;
/** IPv6 extension headers walked before the packet counts as malformed. */
export const IPV6_EXTENSION_HEADERS_MAX: u32 = 8;
/** VLAN tags parsed; a frame with more is handled as non-IP. */
export const VLAN_TAGS_MAX: u32 = 2;
/** A poll ends where the next packet is this much later than its first. */
export const POLL_GAP_NS: u32 = 100000;
/** Flow deadlines are rounded to 2^20 ns (about 1 ms). */
export const EXPIRY_TICK_SHIFT: u32 = 20;
/** Shortest time between two calls of tick. */
export const TICK_INTERVAL_MS: u32 = 100;
/** Faults within fault_quarantine_window_ns that quarantine an NF. */
export const FAULT_QUARANTINE_COUNT: u32 = 10;
/** Window of fault_quarantine_count. */
export const FAULT_QUARANTINE_WINDOW_NS: u32 = 1000000000;
/** Fragmented datagrams tracked at once. */
export const FRAGMENT_DATAGRAMS_MAX: u32 = 4096;
/** Fragments held back, all datagrams together. */
export const FRAGMENT_HELD_MAX: u32 = 1024;
/** Fragments of one datagram held back until its first arrives. */
export const FRAGMENT_HELD_PER_DATAGRAM_MAX: u32 = 64;
/** Life of a datagram's entry, and longest time a fragment is held. */
export const FRAGMENT_TIMEOUT_NS: u64 = 5000000000;
/** How long the refusal of a flow is remembered. */
export const REFUSED_MS: u32 = 1000;
/** How long a freed lease rests before it is offered again. */
export const LEASE_QUARANTINE_MS: u32 = 1000;

/** Never mapped: a null pointer traps. */
export const NULL_AREA: usize = 0x00000000;
export const NULL_AREA_BYTES: u32 = 65536;
/** Burst header, descriptors, flow records, runtimes. One per instance, written by the host. */
export const CALL_AREA: usize = 0x00010000;
export const CALL_AREA_BYTES: u32 = 8192;
/** Results, emit records, counters, fault record, log ring. One per instance. */
export const RESULT_AREA: usize = 0x00018000;
export const RESULT_AREA_BYTES: u32 = 8192;
/** Bytes [0, payload_offset) of each frame, one stride each. Shared by the chain. */
export const HEADER_AREA: usize = 0x00020000;
export const HEADER_AREA_BYTES: u32 = 8192;
/** Payloads, one stride each. Shared by the chain; not mapped without the right. */
export const PAYLOAD_AREA: usize = 0x00080000;
export const PAYLOAD_AREA_BYTES: u32 = 294912;
/** Frames the NF sends of its own, one stride each. One per instance, if granted. */
export const EMIT_AREA: usize = 0x00200000;
export const EMIT_AREA_BYTES: u32 = 589824;
/** The encoded configuration. Only the pages it needs are mapped. */
export const CONFIG_AREA: usize = 0x00300000;
export const CONFIG_AREA_BYTES: u32 = 524288;
/** Old bytes of the slot that migrate-state converts. */
export const STAGING_AREA: usize = 0x00380000;
export const STAGING_AREA_BYTES: u32 = 8192;
/** The state store: slots of stride round_up(state-bytes, state_align). What the store does not fill is a hole. */
export const STATE_AREA: usize = 0x01000000;
export const STATE_AREA_BYTES: u32 = 2130706432;
/** The module's static data and heap, heap_pages pages. */
export const MODULE_AREA: usize = 0x80000000;
export const MODULE_AREA_BYTES: u32 = 0;

export const BURST_HEADER_ADDRESS: usize = 0x00010000;
export const DESCRIPTORS_ADDRESS: usize = 0x00010040;
export const FLOW_RECORDS_ADDRESS: usize = 0x00010840;
export const CLUSTER_ADDRESS: usize = 0x00011040;
export const RESULTS_ADDRESS: usize = 0x00018000;
export const EMIT_RECORDS_ADDRESS: usize = 0x00018200;
export const COUNTERS_ADDRESS: usize = 0x00018600;
export const FAULT_RECORD_ADDRESS: usize = 0x00018800;
export const LOG_RING_ADDRESS: usize = 0x00018c00;
export const LOG_RECORDS_ADDRESS: usize = 0x00018c40;

/** One per call. Written by the host. */
@unmanaged
export class BurstHeader {
  /** Time of the poll in ns since the epoch; the only clock. Never goes back. */
  now_ns: u64;
  /** Packets in this call, 1 to burst_packets; 0 in callbacks. */
  count: u32;
  /** Direction of all packets of the call. */
  direction: u8;
  /** Reserved, 0. */
  reserved_13_0: u8;
  /** Reserved, 0. */
  reserved_13_1: u16;
  /** Bytes of the encoded configuration. */
  config_length: u32;
  /** Reserved, 0. */
  reserved_20_0: u32;
  /** Calls of this instance so far. */
  burst_sequence: u64;
  /** Reserved, 0. */
  reserved_32_0: u64;
  /** Reserved, 0. */
  reserved_32_8: u64;
  /** Reserved, 0. */
  reserved_32_16: u64;
  /** Reserved, 0. */
  reserved_32_24: u64;
}
export const BURST_HEADER_BYTES: usize = 64;
if (offsetof<BurstHeader>("now_ns") != 0) ERROR("BurstHeader.now_ns is not at 0, where the ABI has it");
if (offsetof<BurstHeader>("count") != 8) ERROR("BurstHeader.count is not at 8, where the ABI has it");
if (offsetof<BurstHeader>("direction") != 12) ERROR("BurstHeader.direction is not at 12, where the ABI has it");
if (offsetof<BurstHeader>("reserved_13_0") != 13) ERROR("BurstHeader.reserved_13_0 is not at 13, where the ABI has it");
if (offsetof<BurstHeader>("reserved_13_1") != 14) ERROR("BurstHeader.reserved_13_1 is not at 14, where the ABI has it");
if (offsetof<BurstHeader>("config_length") != 16) ERROR("BurstHeader.config_length is not at 16, where the ABI has it");
if (offsetof<BurstHeader>("reserved_20_0") != 20) ERROR("BurstHeader.reserved_20_0 is not at 20, where the ABI has it");
if (offsetof<BurstHeader>("burst_sequence") != 24) ERROR("BurstHeader.burst_sequence is not at 24, where the ABI has it");
if (offsetof<BurstHeader>("reserved_32_0") != 32) ERROR("BurstHeader.reserved_32_0 is not at 32, where the ABI has it");
if (offsetof<BurstHeader>("reserved_32_8") != 40) ERROR("BurstHeader.reserved_32_8 is not at 40, where the ABI has it");
if (offsetof<BurstHeader>("reserved_32_16") != 48) ERROR("BurstHeader.reserved_32_16 is not at 48, where the ABI has it");
if (offsetof<BurstHeader>("reserved_32_24") != 56) ERROR("BurstHeader.reserved_32_24 is not at 56, where the ABI has it");
if (offsetof<BurstHeader>() != 64) ERROR("BurstHeader is not 64 bytes, as the ABI has it");

/** One per packet. Written by the host. */
@unmanaged
export class Descriptor {
  /** Guest address of the packet's header bytes. */
  header: u32;
  /** Guest address of the payload; 0 when the NF has no right to it. */
  payload: u32;
  /** Header bytes: Ethernet to the end of the L4 header (see payload_offset). */
  header_length: u16;
  /** Payload bytes visible; 0 without the right. */
  payload_length: u16;
  /** Length of the frame on the wire. */
  wire_length: u32;
  /** Offset of the IP header. */
  l3_offset: u16;
  /** Offset of the L4 header; for later fragments the end of the IP header. */
  l4_offset: u16;
  /** IP protocol of the L4 header. */
  l4_protocol: u8;
  /** 0 from the flow's initiator, 1 to it. */
  direction: u8;
  /** packet_flag bits. */
  flags: u16;
  /** Guest address of this flow's slot of this NF. */
  state: u32;
  /** Guest address of the flow record. */
  flow: u32;
  /** Unique number of the flow. */
  flow_id: u64;
  /** Packets of the flow before this one, both directions. */
  sequence: u32;
  /** 1 + index into the lease pool, 0 = none. */
  lease: u32;
  /** Longest header_length a reshape may set. */
  header_room: u16;
  /** Longest payload_length a reshape may set. */
  payload_room: u16;
  /** How much later than now_ns the packet came: from a capture up to poll_gap_ns, live 0. */
  after_now_ns: u32;
  /** Reserved, 0. */
  reserved_56_0: u64;
}
export const DESCRIPTOR_BYTES: usize = 64;
if (offsetof<Descriptor>("header") != 0) ERROR("Descriptor.header is not at 0, where the ABI has it");
if (offsetof<Descriptor>("payload") != 4) ERROR("Descriptor.payload is not at 4, where the ABI has it");
if (offsetof<Descriptor>("header_length") != 8) ERROR("Descriptor.header_length is not at 8, where the ABI has it");
if (offsetof<Descriptor>("payload_length") != 10) ERROR("Descriptor.payload_length is not at 10, where the ABI has it");
if (offsetof<Descriptor>("wire_length") != 12) ERROR("Descriptor.wire_length is not at 12, where the ABI has it");
if (offsetof<Descriptor>("l3_offset") != 16) ERROR("Descriptor.l3_offset is not at 16, where the ABI has it");
if (offsetof<Descriptor>("l4_offset") != 18) ERROR("Descriptor.l4_offset is not at 18, where the ABI has it");
if (offsetof<Descriptor>("l4_protocol") != 20) ERROR("Descriptor.l4_protocol is not at 20, where the ABI has it");
if (offsetof<Descriptor>("direction") != 21) ERROR("Descriptor.direction is not at 21, where the ABI has it");
if (offsetof<Descriptor>("flags") != 22) ERROR("Descriptor.flags is not at 22, where the ABI has it");
if (offsetof<Descriptor>("state") != 24) ERROR("Descriptor.state is not at 24, where the ABI has it");
if (offsetof<Descriptor>("flow") != 28) ERROR("Descriptor.flow is not at 28, where the ABI has it");
if (offsetof<Descriptor>("flow_id") != 32) ERROR("Descriptor.flow_id is not at 32, where the ABI has it");
if (offsetof<Descriptor>("sequence") != 40) ERROR("Descriptor.sequence is not at 40, where the ABI has it");
if (offsetof<Descriptor>("lease") != 44) ERROR("Descriptor.lease is not at 44, where the ABI has it");
if (offsetof<Descriptor>("header_room") != 48) ERROR("Descriptor.header_room is not at 48, where the ABI has it");
if (offsetof<Descriptor>("payload_room") != 50) ERROR("Descriptor.payload_room is not at 50, where the ABI has it");
if (offsetof<Descriptor>("after_now_ns") != 52) ERROR("Descriptor.after_now_ns is not at 52, where the ABI has it");
if (offsetof<Descriptor>("reserved_56_0") != 56) ERROR("Descriptor.reserved_56_0 is not at 56, where the ABI has it");
if (offsetof<Descriptor>() != 64) ERROR("Descriptor is not 64 bytes, as the ABI has it");

/** A flow as its first packet named it. Written by the host. */
@unmanaged
export class FlowRecord {
  /** Network order; IPv4 mapped (::ffff:a.b.c.d). */
  initiator_address_0: u64;
  /** Network order; IPv4 mapped (::ffff:a.b.c.d). */
  initiator_address_8: u64;
  /** Network order; IPv4 mapped. */
  responder_address_0: u64;
  /** Network order; IPv4 mapped. */
  responder_address_8: u64;
  /** Host order; for ICMP see the flow key. */
  initiator_port: u16;
  /** Host order. */
  responder_port: u16;
  /** IP protocol. */
  protocol: u8;
  /** 4 or 6. */
  ip_version: u8;
  /** Port the first packet came in on: 0 client, 1 server. */
  side: u8;
  /** 0 to 2. */
  vlan_count: u8;
  /** VLAN id, 12 bits; 0 without a tag. */
  vlan_outer: u16;
  /** VLAN id, 12 bits; 0 without a second tag. */
  vlan_inner: u16;
  /** Reserved, 0. */
  reserved_44_0: u32;
  /** Time of the poll that opened the flow. */
  start_ns: u64;
  /** Seed of the flow's random numbers. */
  seed: u64;
}
export const FLOW_RECORD_BYTES: usize = 64;
if (offsetof<FlowRecord>("initiator_address_0") != 0) ERROR("FlowRecord.initiator_address_0 is not at 0, where the ABI has it");
if (offsetof<FlowRecord>("initiator_address_8") != 8) ERROR("FlowRecord.initiator_address_8 is not at 8, where the ABI has it");
if (offsetof<FlowRecord>("responder_address_0") != 16) ERROR("FlowRecord.responder_address_0 is not at 16, where the ABI has it");
if (offsetof<FlowRecord>("responder_address_8") != 24) ERROR("FlowRecord.responder_address_8 is not at 24, where the ABI has it");
if (offsetof<FlowRecord>("initiator_port") != 32) ERROR("FlowRecord.initiator_port is not at 32, where the ABI has it");
if (offsetof<FlowRecord>("responder_port") != 34) ERROR("FlowRecord.responder_port is not at 34, where the ABI has it");
if (offsetof<FlowRecord>("protocol") != 36) ERROR("FlowRecord.protocol is not at 36, where the ABI has it");
if (offsetof<FlowRecord>("ip_version") != 37) ERROR("FlowRecord.ip_version is not at 37, where the ABI has it");
if (offsetof<FlowRecord>("side") != 38) ERROR("FlowRecord.side is not at 38, where the ABI has it");
if (offsetof<FlowRecord>("vlan_count") != 39) ERROR("FlowRecord.vlan_count is not at 39, where the ABI has it");
if (offsetof<FlowRecord>("vlan_outer") != 40) ERROR("FlowRecord.vlan_outer is not at 40, where the ABI has it");
if (offsetof<FlowRecord>("vlan_inner") != 42) ERROR("FlowRecord.vlan_inner is not at 42, where the ABI has it");
if (offsetof<FlowRecord>("reserved_44_0") != 44) ERROR("FlowRecord.reserved_44_0 is not at 44, where the ABI has it");
if (offsetof<FlowRecord>("start_ns") != 48) ERROR("FlowRecord.start_ns is not at 48, where the ABI has it");
if (offsetof<FlowRecord>("seed") != 56) ERROR("FlowRecord.seed is not at 56, where the ABI has it");
if (offsetof<FlowRecord>() != 64) ERROR("FlowRecord is not 64 bytes, as the ABI has it");

/** A runtime of the tenant, for migration-target, in order of their numbers. Written by the host; means nothing outside that call. */
@unmanaged
export class RuntimeRecord {
  /** Number, from 1. */
  runtime: u32;
  /** Flows that it has. */
  flows: u32;
  /** Share of its lcore's time that it worked, lately. */
  load_permille: u16;
  /** runtime_flag bits. */
  flags: u16;
  /** Reserved, 0. */
  reserved_12_0: u32;
}
export const RUNTIME_RECORD_BYTES: usize = 16;
if (offsetof<RuntimeRecord>("runtime") != 0) ERROR("RuntimeRecord.runtime is not at 0, where the ABI has it");
if (offsetof<RuntimeRecord>("flows") != 4) ERROR("RuntimeRecord.flows is not at 4, where the ABI has it");
if (offsetof<RuntimeRecord>("load_permille") != 8) ERROR("RuntimeRecord.load_permille is not at 8, where the ABI has it");
if (offsetof<RuntimeRecord>("flags") != 10) ERROR("RuntimeRecord.flags is not at 10, where the ABI has it");
if (offsetof<RuntimeRecord>("reserved_12_0") != 12) ERROR("RuntimeRecord.reserved_12_0 is not at 12, where the ABI has it");
if (offsetof<RuntimeRecord>() != 16) ERROR("RuntimeRecord is not 16 bytes, as the ABI has it");

/** One per packet, written by the NF in order. The host zeroes it before the call. */
@unmanaged
export class Result {
  /** verdict. */
  verdict: u8;
  /** 0, or 128 to 255: the NF's own, named in nf.yaml. */
  drop_reason: u8;
  /** result_flag bits. */
  flags: u16;
  /** With RESHAPED the new length, else 0. */
  header_length: u16;
  /** With RESHAPED the new length, else 0. */
  payload_length: u16;
  /** ms: with ARM_TIMER the timer, else the flow's new idle time; 0 = keep. */
  timeout: u32;
  /** Reserved, 0. */
  out_port: u16;
  /** Reserved, 0. */
  reserved_14_0: u16;
}
export const RESULT_BYTES: usize = 16;
if (offsetof<Result>("verdict") != 0) ERROR("Result.verdict is not at 0, where the ABI has it");
if (offsetof<Result>("drop_reason") != 1) ERROR("Result.drop_reason is not at 1, where the ABI has it");
if (offsetof<Result>("flags") != 2) ERROR("Result.flags is not at 2, where the ABI has it");
if (offsetof<Result>("header_length") != 4) ERROR("Result.header_length is not at 4, where the ABI has it");
if (offsetof<Result>("payload_length") != 6) ERROR("Result.payload_length is not at 6, where the ABI has it");
if (offsetof<Result>("timeout") != 8) ERROR("Result.timeout is not at 8, where the ABI has it");
if (offsetof<Result>("out_port") != 12) ERROR("Result.out_port is not at 12, where the ABI has it");
if (offsetof<Result>("reserved_14_0") != 14) ERROR("Result.reserved_14_0 is not at 14, where the ABI has it");
if (offsetof<Result>() != 16) ERROR("Result is not 16 bytes, as the ABI has it");

/** A frame the NF sends besides the packet. Written by the NF. */
@unmanaged
export class EmitRecord {
  /** Guest address: the start of a stride of the emit area. */
  frame: u32;
  /** Frame bytes, 14 to frame_bytes_max; 0 = unused record. */
  length: u16;
  /** Direction the frame takes through the rest of the chain. */
  direction: u8;
  /** Index of the packet that caused it; the frame leaves behind it. */
  packet: u8;
  /** Reserved, 0. */
  reserved_8_0: u64;
}
export const EMIT_RECORD_BYTES: usize = 16;
if (offsetof<EmitRecord>("frame") != 0) ERROR("EmitRecord.frame is not at 0, where the ABI has it");
if (offsetof<EmitRecord>("length") != 4) ERROR("EmitRecord.length is not at 4, where the ABI has it");
if (offsetof<EmitRecord>("direction") != 6) ERROR("EmitRecord.direction is not at 6, where the ABI has it");
if (offsetof<EmitRecord>("packet") != 7) ERROR("EmitRecord.packet is not at 7, where the ABI has it");
if (offsetof<EmitRecord>("reserved_8_0") != 8) ERROR("EmitRecord.reserved_8_0 is not at 8, where the ABI has it");
if (offsetof<EmitRecord>() != 16) ERROR("EmitRecord is not 16 bytes, as the ABI has it");

/** Written by the SDK's abort before it traps. */
@unmanaged
export class FaultRecord {
  /** 1 when abort wrote this record. */
  is_set: u32;
  /** Source line. */
  line: u32;
  /** Source column. */
  column: u32;
  /** Bytes of the message. */
  message_length: u16;
  /** Bytes of the file name. */
  file_length: u16;
}
export const FAULT_RECORD_BYTES: usize = 1024;
/** UTF-16LE. */
export const FAULT_RECORD_MESSAGE_OFFSET: usize = 16;
/** UTF-16LE. */
export const FAULT_RECORD_FILE_OFFSET: usize = 520;
if (offsetof<FaultRecord>("is_set") != 0) ERROR("FaultRecord.is_set is not at 0, where the ABI has it");
if (offsetof<FaultRecord>("line") != 4) ERROR("FaultRecord.line is not at 4, where the ABI has it");
if (offsetof<FaultRecord>("column") != 8) ERROR("FaultRecord.column is not at 8, where the ABI has it");
if (offsetof<FaultRecord>("message_length") != 12) ERROR("FaultRecord.message_length is not at 12, where the ABI has it");
if (offsetof<FaultRecord>("file_length") != 14) ERROR("FaultRecord.file_length is not at 14, where the ABI has it");

/** Head of the log ring. The NF counts up written; record written % log_records is the next. */
@unmanaged
export class LogRing {
  /** Records ever written by this instance. */
  written: u32;
}
export const LOG_RING_BYTES: usize = 64;
if (offsetof<LogRing>("written") != 0) ERROR("LogRing.written is not at 0, where the ABI has it");

/** One log line. */
@unmanaged
export class LogRecord {
  /** log_level. */
  level: u8;
  /** Reserved, 0. */
  reserved_1_0: u8;
  /** Bytes of the text. */
  length: u16;
  /** Value of written before this record. */
  sequence: u32;
}
export const LOG_RECORD_BYTES: usize = 256;
/** UTF-16LE. */
export const LOG_RECORD_TEXT_OFFSET: usize = 8;
if (offsetof<LogRecord>("level") != 0) ERROR("LogRecord.level is not at 0, where the ABI has it");
if (offsetof<LogRecord>("reserved_1_0") != 1) ERROR("LogRecord.reserved_1_0 is not at 1, where the ABI has it");
if (offsetof<LogRecord>("length") != 2) ERROR("LogRecord.length is not at 2, where the ABI has it");
if (offsetof<LogRecord>("sequence") != 4) ERROR("LogRecord.sequence is not at 4, where the ABI has it");

export enum Verdict {
  /** Not decided; after a call a fault. */
  PENDING = 0,
  /** On to the next NF, or out of the other port. */
  FORWARD = 1,
  /** Drop, counted under the NF's reason. */
  DROP = 2,
  /** Back to where it came from, through the NFs before this one. Needs the right reply. */
  REPLY = 3,
  /** Reserved for proxies; refused in version 1. */
  CONSUME = 4,
}

export enum PacketFlag {
  /** First packet of the flow this NF sees: the slot is zero. */
  FIRST = 1,
  /** A fragment of a datagram. */
  FRAGMENT = 2,
  /** A fragment other than the first: there is no L4 header. */
  LATER_FRAGMENT = 4,
  /** Fewer bytes were captured than were on the wire. */
  TRUNCATED = 8,
  /** An ICMP error about this flow; the header holds the inner headers. */
  ICMP_ERROR = 16,
  /** The device verified the L4 checksum. */
  CHECKSUM_GOOD = 32,
}

export enum ResultFlag {
  /** Header bytes changed. Needs edit: headers. */
  MODIFIED_HEADER = 1,
  /** Payload bytes changed. Needs edit: payload. */
  MODIFIED_PAYLOAD = 2,
  /** Lengths or structure changed. Needs reshape. */
  RESHAPED = 4,
  /** Close the flow after this call; with DROP on FIRST: refuse it. */
  CLOSE_FLOW = 8,
  /** Ask migration-target soon. Without effect where flows have nowhere to go. */
  ASK_MIGRATE = 16,
  /** Call flow-timer after timeout ms. */
  ARM_TIMER = 32,
}

export enum CloseReason {
  /** Idle for too long. */
  EXPIRED = 1,
  /** TCP ended, or the NF asked with CLOSE_FLOW. */
  FINISHED = 2,
  /** A later NF refused the new flow. */
  REFUSED = 3,
  /** Room was needed. */
  EVICTED = 4,
  /** An NF of the chain faulted on it. */
  FAULT = 5,
  /** Its return key was taken. */
  ALIAS_CONFLICT = 6,
  /** The run ended. */
  SHUTDOWN = 7,
}

export enum ArrivalReason {
  /** From another runtime, which goes on without it. */
  MOVED = 1,
}

export enum RuntimeFlag {
  /** The one that asks: it has the flow. */
  OWN = 1,
  /** It is being emptied, and takes no flows. */
  DRAINING = 2,
}

export enum DropReason {
  /** Not dropped. */
  none = 0,
  /** Shorter than an Ethernet header, or cut inside a VLAN tag. */
  malformed_ethernet = 1,
  /** IPv4 header or total length inconsistent. */
  malformed_ipv4 = 2,
  /** IPv6 header, extension header or payload length inconsistent. */
  malformed_ipv6 = 3,
  /** TCP, UDP, SCTP or ICMP header does not fit. */
  malformed_l4 = 4,
  /** ICMP error without a usable inner packet. */
  malformed_icmp_error = 5,
  /** First fragment without its L4 header, or a fragment beyond 65,535 bytes. */
  malformed_fragment = 6,
  /** The capture ends before the headers do. */
  truncated_headers = 7,
  /** Headers longer than header_stride. */
  header_too_long = 8,
  /** Frame longer than frame_bytes_max; as a rule segments that the kernel joined: turn GRO and TSO off where frames are taken. */
  frame_too_long = 9,
  /** Neither IPv4 nor IPv6, and the policy says drop. */
  non_ip = 10,
  /** ICMP error about a flow that is not known. */
  icmp_error_no_flow = 11,
  /** Later fragment whose flow has ended or was refused. */
  fragment_no_flow = 12,
  /** Held fragment whose first fragment did not come in time. */
  fragment_timeout = 13,
  /** A bound on held fragments or tracked datagrams was reached. */
  fragment_overflow = 14,
  /** No room for a new flow. */
  flow_table_full = 15,
  /** An NF refused this flow a moment ago. */
  flow_refused = 16,
  /** The NF faulted on this packet. */
  nf_fault = 17,
  /** The NF is being restarted. */
  nf_unavailable = 18,
  /** The NF faulted too often and fails closed. */
  nf_quarantined = 19,
  /** The flow's return key belongs to another flow. */
  alias_conflict = 20,
  /** The packet would leave with another five-tuple than the flow's first. */
  key_changed = 21,
  /** The output port did not take the frame. */
  port_full = 22,
  /** The packet pool is empty. */
  no_mbuf = 23,
  /** An emitted frame that does not parse. */
  emit_invalid = 24,
  /** Held or queued when the run ended. */
  shutdown = 25,
  /** The input queue of the flow's runtime is full. */
  runtime_full = 26,
  /** No runtime takes new flows. */
  no_runtime = 27,
  /** Reached a runtime that does not own the flow any more, or reached it twice or too late. */
  stale_packet = 28,
  /** Reached a runtime that knows no such flow and may not open it. */
  flow_unknown = 29,
  /** Came by the return key of a flow that has just ended. */
  flow_closing = 30,
  /** Too many packets wait for flows that are moving. */
  move_buffer_full = 31,
  /** Waited for a flow that was moving, and the move came to nothing. */
  move_abandoned = 32,
  /** Left a runtime that was not the flow's owner any more. */
  stale_output = 33,
  /** Left a runtime that is dead to the vswitch. */
  fenced_output = 34,
  /** Too much output waits for replicas of its flows. */
  replica_buffer_full = 35,
  /** Output of a flow that had no replica, where none may leave without. */
  unprotected = 36,
  /** On its way through a replica when a runtime was removed by force; what is missing at the end. */
  relay_lost = 38,
}

export enum FaultKind {
  /** Access outside what the NF may touch. */
  out_of_bounds = 1,
  /** unreachable executed. */
  unreachable = 2,
  /** throw or assert. */
  abort = 3,
  /** The call took too long. */
  deadline = 4,
  /** Stack exhausted. */
  stack = 5,
  /** A result the NF may not give. */
  bad_result = 6,
  /** Division by zero or integer overflow. */
  integer = 7,
  /** Invalid conversion of a float to an integer. */
  bad_conversion = 8,
  /** Indirect call to nothing or to another type. */
  indirect_call = 9,
  /** init or configure failed. */
  start = 10,
  /** Any other trap. */
  other = 11,
}

export enum LogLevel {
  debug = 0,
  info = 1,
  warn = 2,
  error = 3,
}

export enum Side {
  client = 0,
  server = 1,
}
