// Generated from nf_abi.json by generate.ts. Do not edit.

export const ABI_VERSION = 1;
export const WIT_PACKAGE = "nfactor:nf@1.0.0";
export const WIT_WORLD = "network-function";
export const PAGE_BYTES = 65536;
export const BASE_PAGES = 32768;
export const MEMORY_EXPORT = "memory";

export const LIMITS = {
  /** Packets in one call. */
  burst_packets: 32,
  /** Bytes per packet in the header area; a longer header is dropped as header_too_long. */
  header_stride: 256,
  /** Bytes per packet in the payload area. */
  payload_stride: 9216,
  /** Longest frame, Ethernet header included. */
  frame_bytes_max: 9216,
  /** NFs in one chain (the actor keeps one FIRST bit for each). */
  chain_nfs_max: 16,
  /** Frames one packet may cause besides itself. */
  emits_per_packet_max: 2,
  /** Emit records of one call. */
  emits_per_burst_max: 64,
  /** Bytes per frame in the emit area. */
  emit_stride: 9216,
  /** An NF's own counters. */
  counters_max: 64,
  /** Records in the log ring. */
  log_records: 16,
  /** Text of one log record, UTF-16LE. */
  log_text_bytes_max: 248,
  /** Message and file of a fault record, each, UTF-16LE. */
  fault_text_bytes_max: 504,
  /** One flow's state in one NF. */
  state_bytes_max: 4096,
  /** A slot's size is rounded up to this. */
  state_align: 8,
  /** Encoded configuration (MessagePack). */
  config_bytes_max: 524288,
  /** Core module. */
  module_bytes_max: 1048576,
  /** Functions of a module. */
  functions_max: 2000,
  /** One function's body. */
  function_body_bytes_max: 65536,
  /** Locals of one function, parameters included. */
  function_locals_max: 500,
  /** Depth of blocks in one function. */
  nesting_max: 256,
  /** Elements of the function table. */
  table_elements_max: 1024,
  /** 64 KiB pages of static data and heap. */
  heap_pages_max: 1024,
  /** Data segments of a module. */
  data_segments_max: 1000,
  /** Function types of a module. */
  types_max: 1000,
  /** Globals of a module. */
  globals_max: 1000,
  /** Exports of a module. */
  exports_max: 64,
  /** Targets of one br_table. */
  br_table_targets_max: 1024,
  /** Parameters of one function type. */
  params_max: 16,
  /** Results of an exported function. */
  results_max: 1,
  /** IPv6 extension headers walked before the packet counts as malformed. */
  ipv6_extension_headers_max: 8,
  /** VLAN tags parsed; a frame with more is handled as non-IP. */
  vlan_tags_max: 2,
  /** A poll ends where the next packet is this much later than its first. */
  poll_gap_ns: 100000,
  /** Flow deadlines are rounded to 2^20 ns (about 1 ms). */
  expiry_tick_shift: 20,
  /** Shortest time between two calls of tick. */
  tick_interval_ms: 100,
  /** Faults within fault_quarantine_window_ns that quarantine an NF. */
  fault_quarantine_count: 10,
  /** Window of fault_quarantine_count. */
  fault_quarantine_window_ns: 1000000000,
  /** Fragmented datagrams tracked at once. */
  fragment_datagrams_max: 4096,
  /** Fragments held back, all datagrams together. */
  fragment_held_max: 1024,
  /** Fragments of one datagram held back until its first arrives. */
  fragment_held_per_datagram_max: 64,
  /** Life of a datagram's entry, and longest time a fragment is held. */
  fragment_timeout_ns: 5000000000,
  /** How long the refusal of a flow is remembered. */
  refused_ms: 1000,
  /** How long a freed lease rests before it is offered again. */
  lease_quarantine_ms: 1000,
} as const;

export const AREAS = {
  /** Never mapped: a null pointer traps. */
  null: { address: 0x00000000, bytes: 65536, access: "none" },
  /** Burst header, descriptors, flow records. One per instance, written by the host. */
  call: { address: 0x00010000, bytes: 8192, access: "read" },
  /** Results, emit records, counters, fault record, log ring. One per instance. */
  result: { address: 0x00018000, bytes: 8192, access: "write" },
  /** Bytes [0, payload_offset) of each frame, one stride each. Shared by the chain. */
  header: { address: 0x00020000, bytes: 8192, access: "by rights" },
  /** Payloads, one stride each. Shared by the chain; not mapped without the right. */
  payload: { address: 0x00080000, bytes: 294912, access: "by rights" },
  /** Frames the NF sends of its own, one stride each. One per instance, if granted. */
  emit: { address: 0x00200000, bytes: 589824, access: "by rights" },
  /** The encoded configuration. Only the pages it needs are mapped. */
  config: { address: 0x00300000, bytes: 524288, access: "read" },
  /** Old bytes of the slot that migrate-state converts. */
  staging: { address: 0x00380000, bytes: 8192, access: "read" },
  /** The state store: slots of stride round_up(state-bytes, state_align). What the store does not fill is a hole. */
  state: { address: 0x01000000, bytes: 2130706432, access: "write" },
  /** The module's static data and heap, heap_pages pages. */
  module: { address: 0x80000000, bytes: 0, access: "write" },
} as const;
export const MODULE_BASE = 0x80000000;
export const CALL = {
  burst_header: 0x00010000,
  descriptors: 0x00010040,
  flow_records: 0x00010840,
} as const;
export const RESULT = {
  results: 0x00018000,
  emit_records: 0x00018200,
  counters: 0x00018600,
  fault_record: 0x00018800,
  log_ring: 0x00018c00,
  log_records: 0x00018c40,
} as const;

export const RECORDS = {
  burst_header: {
    bytes: 64,
    fields: {
      now_ns: { offset: 0, type: "u64" },
      count: { offset: 8, type: "u32" },
      direction: { offset: 12, type: "u8" },
      reserved_13: { offset: 13, type: "u8[3]" },
      config_length: { offset: 16, type: "u32" },
      reserved_20: { offset: 20, type: "u8[4]" },
      burst_sequence: { offset: 24, type: "u64" },
      reserved_32: { offset: 32, type: "u8[32]" },
    },
  },
  descriptor: {
    bytes: 64,
    fields: {
      header: { offset: 0, type: "u32" },
      payload: { offset: 4, type: "u32" },
      header_length: { offset: 8, type: "u16" },
      payload_length: { offset: 10, type: "u16" },
      wire_length: { offset: 12, type: "u32" },
      l3_offset: { offset: 16, type: "u16" },
      l4_offset: { offset: 18, type: "u16" },
      l4_protocol: { offset: 20, type: "u8" },
      direction: { offset: 21, type: "u8" },
      flags: { offset: 22, type: "u16" },
      state: { offset: 24, type: "u32" },
      flow: { offset: 28, type: "u32" },
      flow_id: { offset: 32, type: "u64" },
      sequence: { offset: 40, type: "u32" },
      lease: { offset: 44, type: "u32" },
      header_room: { offset: 48, type: "u16" },
      payload_room: { offset: 50, type: "u16" },
      reserved_52: { offset: 52, type: "u8[12]" },
    },
  },
  flow_record: {
    bytes: 64,
    fields: {
      initiator_address: { offset: 0, type: "u8[16]" },
      responder_address: { offset: 16, type: "u8[16]" },
      initiator_port: { offset: 32, type: "u16" },
      responder_port: { offset: 34, type: "u16" },
      protocol: { offset: 36, type: "u8" },
      ip_version: { offset: 37, type: "u8" },
      side: { offset: 38, type: "u8" },
      vlan_count: { offset: 39, type: "u8" },
      vlan_outer: { offset: 40, type: "u16" },
      vlan_inner: { offset: 42, type: "u16" },
      reserved_44: { offset: 44, type: "u8[4]" },
      start_ns: { offset: 48, type: "u64" },
      seed: { offset: 56, type: "u64" },
    },
  },
  result: {
    bytes: 16,
    fields: {
      verdict: { offset: 0, type: "u8" },
      drop_reason: { offset: 1, type: "u8" },
      flags: { offset: 2, type: "u16" },
      header_length: { offset: 4, type: "u16" },
      payload_length: { offset: 6, type: "u16" },
      timeout: { offset: 8, type: "u32" },
      out_port: { offset: 12, type: "u16" },
      reserved_14: { offset: 14, type: "u8[2]" },
    },
  },
  emit_record: {
    bytes: 16,
    fields: {
      frame: { offset: 0, type: "u32" },
      length: { offset: 4, type: "u16" },
      direction: { offset: 6, type: "u8" },
      packet: { offset: 7, type: "u8" },
      reserved_8: { offset: 8, type: "u8[8]" },
    },
  },
  fault_record: {
    bytes: 1024,
    fields: {
      is_set: { offset: 0, type: "u32" },
      line: { offset: 4, type: "u32" },
      column: { offset: 8, type: "u32" },
      message_length: { offset: 12, type: "u16" },
      file_length: { offset: 14, type: "u16" },
      message: { offset: 16, type: "u8[504]" },
      file: { offset: 520, type: "u8[504]" },
    },
  },
  log_ring: {
    bytes: 64,
    fields: {
      written: { offset: 0, type: "u32" },
      reserved_4: { offset: 4, type: "u8[60]" },
    },
  },
  log_record: {
    bytes: 256,
    fields: {
      level: { offset: 0, type: "u8" },
      reserved_1: { offset: 1, type: "u8" },
      length: { offset: 2, type: "u16" },
      sequence: { offset: 4, type: "u32" },
      text: { offset: 8, type: "u8[248]" },
    },
  },
} as const;
export const BURST_HEADER_BYTES = 64;
export const BURST_HEADER_NOW_NS_OFFSET = 0;
export const BURST_HEADER_COUNT_OFFSET = 8;
export const BURST_HEADER_DIRECTION_OFFSET = 12;
export const BURST_HEADER_CONFIG_LENGTH_OFFSET = 16;
export const BURST_HEADER_BURST_SEQUENCE_OFFSET = 24;
export const DESCRIPTOR_BYTES = 64;
export const DESCRIPTOR_HEADER_OFFSET = 0;
export const DESCRIPTOR_PAYLOAD_OFFSET = 4;
export const DESCRIPTOR_HEADER_LENGTH_OFFSET = 8;
export const DESCRIPTOR_PAYLOAD_LENGTH_OFFSET = 10;
export const DESCRIPTOR_WIRE_LENGTH_OFFSET = 12;
export const DESCRIPTOR_L3_OFFSET_OFFSET = 16;
export const DESCRIPTOR_L4_OFFSET_OFFSET = 18;
export const DESCRIPTOR_L4_PROTOCOL_OFFSET = 20;
export const DESCRIPTOR_DIRECTION_OFFSET = 21;
export const DESCRIPTOR_FLAGS_OFFSET = 22;
export const DESCRIPTOR_STATE_OFFSET = 24;
export const DESCRIPTOR_FLOW_OFFSET = 28;
export const DESCRIPTOR_FLOW_ID_OFFSET = 32;
export const DESCRIPTOR_SEQUENCE_OFFSET = 40;
export const DESCRIPTOR_LEASE_OFFSET = 44;
export const DESCRIPTOR_HEADER_ROOM_OFFSET = 48;
export const DESCRIPTOR_PAYLOAD_ROOM_OFFSET = 50;
export const FLOW_RECORD_BYTES = 64;
export const FLOW_RECORD_INITIATOR_ADDRESS_OFFSET = 0;
export const FLOW_RECORD_RESPONDER_ADDRESS_OFFSET = 16;
export const FLOW_RECORD_INITIATOR_PORT_OFFSET = 32;
export const FLOW_RECORD_RESPONDER_PORT_OFFSET = 34;
export const FLOW_RECORD_PROTOCOL_OFFSET = 36;
export const FLOW_RECORD_IP_VERSION_OFFSET = 37;
export const FLOW_RECORD_SIDE_OFFSET = 38;
export const FLOW_RECORD_VLAN_COUNT_OFFSET = 39;
export const FLOW_RECORD_VLAN_OUTER_OFFSET = 40;
export const FLOW_RECORD_VLAN_INNER_OFFSET = 42;
export const FLOW_RECORD_START_NS_OFFSET = 48;
export const FLOW_RECORD_SEED_OFFSET = 56;
export const RESULT_BYTES = 16;
export const RESULT_VERDICT_OFFSET = 0;
export const RESULT_DROP_REASON_OFFSET = 1;
export const RESULT_FLAGS_OFFSET = 2;
export const RESULT_HEADER_LENGTH_OFFSET = 4;
export const RESULT_PAYLOAD_LENGTH_OFFSET = 6;
export const RESULT_TIMEOUT_OFFSET = 8;
export const RESULT_OUT_PORT_OFFSET = 12;
export const EMIT_RECORD_BYTES = 16;
export const EMIT_RECORD_FRAME_OFFSET = 0;
export const EMIT_RECORD_LENGTH_OFFSET = 4;
export const EMIT_RECORD_DIRECTION_OFFSET = 6;
export const EMIT_RECORD_PACKET_OFFSET = 7;
export const FAULT_RECORD_BYTES = 1024;
export const FAULT_RECORD_IS_SET_OFFSET = 0;
export const FAULT_RECORD_LINE_OFFSET = 4;
export const FAULT_RECORD_COLUMN_OFFSET = 8;
export const FAULT_RECORD_MESSAGE_LENGTH_OFFSET = 12;
export const FAULT_RECORD_FILE_LENGTH_OFFSET = 14;
export const FAULT_RECORD_MESSAGE_OFFSET = 16;
export const FAULT_RECORD_FILE_OFFSET = 520;
export const LOG_RING_BYTES = 64;
export const LOG_RING_WRITTEN_OFFSET = 0;
export const LOG_RECORD_BYTES = 256;
export const LOG_RECORD_LEVEL_OFFSET = 0;
export const LOG_RECORD_LENGTH_OFFSET = 2;
export const LOG_RECORD_SEQUENCE_OFFSET = 4;
export const LOG_RECORD_TEXT_OFFSET = 8;

export const Verdict = {
  /** Not decided; after a call a fault. */
  PENDING: 0,
  /** On to the next NF, or out of the other port. */
  FORWARD: 1,
  /** Drop, counted under the NF's reason. */
  DROP: 2,
  /** Back to where it came from, through the NFs before this one. Needs the right reply. */
  REPLY: 3,
  /** Reserved for proxies; refused in version 1. */
  CONSUME: 4,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];
const VERDICT_NAMES = new Map<number, string>(Object.entries(Verdict).map(([name, value]) => [value, name]));
export const verdictName = (value: number): string => VERDICT_NAMES.get(value) ?? `unknown_${String(value)}`;

export const PacketFlag = {
  /** First packet of the flow this NF sees: the slot is zero. */
  FIRST: 1,
  /** A fragment of a datagram. */
  FRAGMENT: 2,
  /** A fragment other than the first: there is no L4 header. */
  LATER_FRAGMENT: 4,
  /** Fewer bytes were captured than were on the wire. */
  TRUNCATED: 8,
  /** An ICMP error about this flow; the header holds the inner headers. */
  ICMP_ERROR: 16,
  /** The device verified the L4 checksum. */
  CHECKSUM_GOOD: 32,
} as const;
export type PacketFlag = (typeof PacketFlag)[keyof typeof PacketFlag];

export const ResultFlag = {
  /** Header bytes changed. Needs edit: headers. */
  MODIFIED_HEADER: 1,
  /** Payload bytes changed. Needs edit: payload. */
  MODIFIED_PAYLOAD: 2,
  /** Lengths or structure changed. Needs reshape. */
  RESHAPED: 4,
  /** Close the flow after this call; with DROP on FIRST: refuse it. */
  CLOSE_FLOW: 8,
  /** Ask migration-target soon. */
  ASK_MIGRATE: 16,
  /** Call flow-timer after timeout ms. */
  ARM_TIMER: 32,
} as const;
export type ResultFlag = (typeof ResultFlag)[keyof typeof ResultFlag];

export const CloseReason = {
  /** Idle for too long. */
  EXPIRED: 1,
  /** TCP ended, or the NF asked with CLOSE_FLOW. */
  FINISHED: 2,
  /** A later NF refused the new flow. */
  REFUSED: 3,
  /** Room was needed. */
  EVICTED: 4,
  /** An NF of the chain faulted on it. */
  FAULT: 5,
  /** Its return key was taken. */
  ALIAS_CONFLICT: 6,
  /** The run ended. */
  SHUTDOWN: 7,
} as const;
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason];
const CLOSE_REASON_NAMES = new Map<number, string>(Object.entries(CloseReason).map(([name, value]) => [value, name]));
export const closeReasonName = (value: number): string => CLOSE_REASON_NAMES.get(value) ?? `unknown_${String(value)}`;

export const DropReason = {
  /** Not dropped. */
  none: 0,
  /** Shorter than an Ethernet header, or cut inside a VLAN tag. */
  malformed_ethernet: 1,
  /** IPv4 header or total length inconsistent. */
  malformed_ipv4: 2,
  /** IPv6 header, extension header or payload length inconsistent. */
  malformed_ipv6: 3,
  /** TCP, UDP, SCTP or ICMP header does not fit. */
  malformed_l4: 4,
  /** ICMP error without a usable inner packet. */
  malformed_icmp_error: 5,
  /** First fragment without its L4 header, or a fragment beyond 65,535 bytes. */
  malformed_fragment: 6,
  /** The capture ends before the headers do. */
  truncated_headers: 7,
  /** Headers longer than header_stride. */
  header_too_long: 8,
  /** Frame longer than frame_bytes_max. */
  frame_too_long: 9,
  /** Neither IPv4 nor IPv6, and the policy says drop. */
  non_ip: 10,
  /** ICMP error about a flow that is not known. */
  icmp_error_no_flow: 11,
  /** Later fragment whose flow has ended or was refused. */
  fragment_no_flow: 12,
  /** Held fragment whose first fragment did not come in time. */
  fragment_timeout: 13,
  /** A bound on held fragments or tracked datagrams was reached. */
  fragment_overflow: 14,
  /** No room for a new flow. */
  flow_table_full: 15,
  /** An NF refused this flow a moment ago. */
  flow_refused: 16,
  /** The NF faulted on this packet. */
  nf_fault: 17,
  /** The NF is being restarted. */
  nf_unavailable: 18,
  /** The NF faulted too often and fails closed. */
  nf_quarantined: 19,
  /** The flow's return key belongs to another flow. */
  alias_conflict: 20,
  /** The packet would leave with another five-tuple than the flow's first. */
  key_changed: 21,
  /** The output port did not take the frame. */
  port_full: 22,
  /** The packet pool is empty. */
  no_mbuf: 23,
  /** An emitted frame that does not parse. */
  emit_invalid: 24,
  /** Held or queued when the run ended. */
  shutdown: 25,
} as const;
export type DropReason = (typeof DropReason)[keyof typeof DropReason];
const DROP_REASON_NAMES = new Map<number, string>(Object.entries(DropReason).map(([name, value]) => [value, name]));
export const dropReasonName = (value: number): string => DROP_REASON_NAMES.get(value) ?? `unknown_${String(value)}`;

export const FaultKind = {
  /** Access outside what the NF may touch. */
  out_of_bounds: 1,
  /** unreachable executed. */
  unreachable: 2,
  /** throw or assert. */
  abort: 3,
  /** The call took too long. */
  deadline: 4,
  /** Stack exhausted. */
  stack: 5,
  /** A result the NF may not give. */
  bad_result: 6,
  /** Division by zero or integer overflow. */
  integer: 7,
  /** Invalid conversion of a float to an integer. */
  bad_conversion: 8,
  /** Indirect call to nothing or to another type. */
  indirect_call: 9,
  /** init or configure failed. */
  start: 10,
  /** Any other trap. */
  other: 11,
} as const;
export type FaultKind = (typeof FaultKind)[keyof typeof FaultKind];
const FAULT_KIND_NAMES = new Map<number, string>(Object.entries(FaultKind).map(([name, value]) => [value, name]));
export const faultKindName = (value: number): string => FAULT_KIND_NAMES.get(value) ?? `unknown_${String(value)}`;

export const LogLevel = {
  /**  */
  debug: 0,
  /**  */
  info: 1,
  /**  */
  warn: 2,
  /**  */
  error: 3,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];
const LOG_LEVEL_NAMES = new Map<number, string>(Object.entries(LogLevel).map(([name, value]) => [value, name]));
export const logLevelName = (value: number): string => LOG_LEVEL_NAMES.get(value) ?? `unknown_${String(value)}`;

export const Side = {
  /**  */
  client: 0,
  /**  */
  server: 1,
} as const;
export type Side = (typeof Side)[keyof typeof Side];
const SIDE_NAMES = new Map<number, string>(Object.entries(Side).map(([name, value]) => [value, name]));
export const sideName = (value: number): string => SIDE_NAMES.get(value) ?? `unknown_${String(value)}`;

export type ExportValue = "u32" | "u64";
export interface ExportType {
  readonly name: string;
  readonly params: readonly ExportValue[];
  readonly result: ExportValue | null;
}
export const EXPORTS: { readonly required: readonly ExportType[]; readonly optional: readonly ExportType[] } = {
  required: [
    { name: "abi-version", params: [], result: "u32" },
    { name: "state-bytes", params: [], result: "u32" },
    { name: "state-version", params: [], result: "u32" },
    { name: "init", params: [], result: null },
    { name: "configure", params: ["u32", "u32"], result: "u32" },
    { name: "process-burst", params: ["u32"], result: null },
    { name: "flow-close", params: ["u32", "u32", "u32"], result: null },
  ],
  optional: [
    { name: "migration-target", params: ["u32", "u32", "u32", "u32"], result: "u32" },
    { name: "flow-arrived", params: ["u32", "u32", "u32"], result: "u32" },
    { name: "flow-left", params: ["u32", "u32"], result: null },
    { name: "migrate-state", params: ["u32", "u32", "u32", "u32"], result: "u32" },
    { name: "flow-timer", params: ["u32", "u32", "u64"], result: null },
    { name: "tick", params: ["u64"], result: null },
  ],
};
