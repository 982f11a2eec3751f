// Generated from sdk/abi/nf_abi.json by `npm run generate`. Do not edit.
// The NF ABI in TypeScript. Offsets are bytes from a record's start; addresses are guest addresses.

export const ABI_VERSION = 1;
export const WIT_PACKAGE = "nfactor:nf@1.0.0";
export const WIT_WORLD = "network-function";

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
  /** Runtimes that migration-target is shown. */
  cluster_runtimes_max: 64,
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
  /** The whole artifact: a component with its core module and metadata. */
  component_bytes_max: 2097152,
  /** One metadata section of the artifact: manifest, state schema, or configuration schema. */
  metadata_bytes_max: 262144,
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
  /** Element segments of a module. */
  element_segments_max: 100,
  /** Globals of a module. */
  globals_max: 1000,
  /** Exports of a module. */
  exports_max: 64,
  /** Targets of one br_table. */
  br_table_targets_max: 1024,
  /** Parameters of one function type. */
  params_max: 16,
  /** Results of one function type. */
  type_results_max: 16,
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

export const PAGE_BYTES = 65536;
export const BASE_PAGES = 32768;
export const MODULE_BASE = 0x80000000;

export type Access = "none" | "read" | "write" | "by rights";
export const AREAS = {
  /** Never mapped: a null pointer traps. */
  null: { address: 0x00000000, bytes: 65536, access: "none" },
  /** Burst header, descriptors, flow records, runtimes. One per instance, written by the host. */
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
} as const satisfies Record<string, { address: number; bytes: number; access: Access }>;

/** Guest addresses of the parts of the call area. */
export const CALL = {
  burst_header: 0x00010000,
  descriptors: 0x00010040,
  flow_records: 0x00010840,
  cluster: 0x00011040,
} as const;
/** Guest addresses of the parts of the result area. */
export const RESULT = {
  results: 0x00018000,
  emit_records: 0x00018200,
  counters: 0x00018600,
  fault_record: 0x00018800,
  log_ring: 0x00018c00,
  log_records: 0x00018c40,
} as const;

export const RECORDS = {
  /** One per call. Written by the host. */
  burst_header: {
    bytes: 64,
    fields: {
      /** Time of the poll in ns since the epoch; the only clock. Never goes back. */
      now_ns: { offset: 0, type: "u64" },
      /** Packets in this call, 1 to burst_packets; 0 in callbacks. */
      count: { offset: 8, type: "u32" },
      /** Direction of all packets of the call. */
      direction: { offset: 12, type: "u8" },
      /** Bytes of the encoded configuration. */
      config_length: { offset: 16, type: "u32" },
      /** Calls of this instance so far. */
      burst_sequence: { offset: 24, type: "u64" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[13, 3], [20, 4], [32, 32]],
  },
  /** One per packet. Written by the host. */
  descriptor: {
    bytes: 64,
    fields: {
      /** Guest address of the packet's header bytes. */
      header: { offset: 0, type: "u32" },
      /** Guest address of the payload; 0 when the NF has no right to it. */
      payload: { offset: 4, type: "u32" },
      /** Header bytes: Ethernet to the end of the L4 header (see payload_offset). */
      header_length: { offset: 8, type: "u16" },
      /** Payload bytes visible; 0 without the right. */
      payload_length: { offset: 10, type: "u16" },
      /** Length of the frame on the wire. */
      wire_length: { offset: 12, type: "u32" },
      /** Offset of the IP header. */
      l3_offset: { offset: 16, type: "u16" },
      /** Offset of the L4 header; for later fragments the end of the IP header. */
      l4_offset: { offset: 18, type: "u16" },
      /** IP protocol of the L4 header. */
      l4_protocol: { offset: 20, type: "u8" },
      /** 0 from the flow's initiator, 1 to it. */
      direction: { offset: 21, type: "u8" },
      /** packet_flag bits. */
      flags: { offset: 22, type: "u16" },
      /** Guest address of this flow's slot of this NF. */
      state: { offset: 24, type: "u32" },
      /** Guest address of the flow record. */
      flow: { offset: 28, type: "u32" },
      /** Unique number of the flow. */
      flow_id: { offset: 32, type: "u64" },
      /** Packets of the flow before this one, both directions. */
      sequence: { offset: 40, type: "u32" },
      /** 1 + index into the lease pool, 0 = none. */
      lease: { offset: 44, type: "u32" },
      /** Longest header_length a reshape may set. */
      header_room: { offset: 48, type: "u16" },
      /** Longest payload_length a reshape may set. */
      payload_room: { offset: 50, type: "u16" },
      /** How much later than now_ns the packet came: from a capture up to poll_gap_ns, live 0. */
      after_now_ns: { offset: 52, type: "u32" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[56, 8]],
  },
  /** A flow as its first packet named it. Written by the host. */
  flow_record: {
    bytes: 64,
    fields: {
      /** Network order; IPv4 mapped (::ffff:a.b.c.d). */
      initiator_address: { offset: 0, type: "u8", length: 16 },
      /** Network order; IPv4 mapped. */
      responder_address: { offset: 16, type: "u8", length: 16 },
      /** Host order; for ICMP see the flow key. */
      initiator_port: { offset: 32, type: "u16" },
      /** Host order. */
      responder_port: { offset: 34, type: "u16" },
      /** IP protocol. */
      protocol: { offset: 36, type: "u8" },
      /** 4 or 6. */
      ip_version: { offset: 37, type: "u8" },
      /** Port the first packet came in on: 0 client, 1 server. */
      side: { offset: 38, type: "u8" },
      /** 0 to 2. */
      vlan_count: { offset: 39, type: "u8" },
      /** VLAN id, 12 bits; 0 without a tag. */
      vlan_outer: { offset: 40, type: "u16" },
      /** VLAN id, 12 bits; 0 without a second tag. */
      vlan_inner: { offset: 42, type: "u16" },
      /** Time of the poll that opened the flow. */
      start_ns: { offset: 48, type: "u64" },
      /** Seed of the flow's random numbers. */
      seed: { offset: 56, type: "u64" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[44, 4]],
  },
  /** A runtime of the tenant, for migration-target, in order of their numbers. Written by the host; means nothing outside that call. */
  runtime_record: {
    bytes: 16,
    fields: {
      /** Number, from 1. */
      runtime: { offset: 0, type: "u32" },
      /** Flows that it has. */
      flows: { offset: 4, type: "u32" },
      /** Share of its lcore's time that it worked, lately. */
      load_permille: { offset: 8, type: "u16" },
      /** runtime_flag bits. */
      flags: { offset: 10, type: "u16" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[12, 4]],
  },
  /** One per packet, written by the NF in order. The host zeroes it before the call. */
  result: {
    bytes: 16,
    fields: {
      /** verdict. */
      verdict: { offset: 0, type: "u8" },
      /** 0, or 128 to 255: the NF's own, named in nf.yaml. */
      drop_reason: { offset: 1, type: "u8" },
      /** result_flag bits. */
      flags: { offset: 2, type: "u16" },
      /** With RESHAPED the new length, else 0. */
      header_length: { offset: 4, type: "u16" },
      /** With RESHAPED the new length, else 0. */
      payload_length: { offset: 6, type: "u16" },
      /** ms: with ARM_TIMER the timer, else the flow's new idle time; 0 = keep. */
      timeout: { offset: 8, type: "u32" },
      /** Reserved, 0. */
      out_port: { offset: 12, type: "u16" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[14, 2]],
  },
  /** A frame the NF sends besides the packet. Written by the NF. */
  emit_record: {
    bytes: 16,
    fields: {
      /** Guest address: the start of a stride of the emit area. */
      frame: { offset: 0, type: "u32" },
      /** Frame bytes, 14 to frame_bytes_max; 0 = unused record. */
      length: { offset: 4, type: "u16" },
      /** Direction the frame takes through the rest of the chain. */
      direction: { offset: 6, type: "u8" },
      /** Index of the packet that caused it; the frame leaves behind it. */
      packet: { offset: 7, type: "u8" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[8, 8]],
  },
  /** Written by the SDK's abort before it traps. */
  fault_record: {
    bytes: 1024,
    fields: {
      /** 1 when abort wrote this record. */
      is_set: { offset: 0, type: "u32" },
      /** Source line. */
      line: { offset: 4, type: "u32" },
      /** Source column. */
      column: { offset: 8, type: "u32" },
      /** Bytes of the message. */
      message_length: { offset: 12, type: "u16" },
      /** Bytes of the file name. */
      file_length: { offset: 14, type: "u16" },
      /** UTF-16LE. */
      message: { offset: 16, type: "u8", length: 504 },
      /** UTF-16LE. */
      file: { offset: 520, type: "u8", length: 504 },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [],
  },
  /** Head of the log ring. The NF counts up written; record written % log_records is the next. */
  log_ring: {
    bytes: 64,
    fields: {
      /** Records ever written by this instance. */
      written: { offset: 0, type: "u32" },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[4, 60]],
  },
  /** One log line. */
  log_record: {
    bytes: 256,
    fields: {
      /** log_level. */
      level: { offset: 0, type: "u8" },
      /** Bytes of the text. */
      length: { offset: 2, type: "u16" },
      /** Value of written before this record. */
      sequence: { offset: 4, type: "u32" },
      /** UTF-16LE. */
      text: { offset: 8, type: "u8", length: 248 },
    },
    /** [offset, bytes] of what is reserved and zero. */
    reserved: [[1, 1]],
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
export const DESCRIPTOR_AFTER_NOW_NS_OFFSET = 52;
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
export const RUNTIME_RECORD_BYTES = 16;
export const RUNTIME_RECORD_RUNTIME_OFFSET = 0;
export const RUNTIME_RECORD_FLOWS_OFFSET = 4;
export const RUNTIME_RECORD_LOAD_PERMILLE_OFFSET = 8;
export const RUNTIME_RECORD_FLAGS_OFFSET = 10;
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
export type VerdictName = keyof typeof Verdict;
const verdictNames: ReadonlyMap<number, string> = new Map([[0, "PENDING"], [1, "FORWARD"], [2, "DROP"], [3, "REPLY"], [4, "CONSUME"]]);
/** The name of a verdict; unknown_<value> for a value that has none. */
export function verdictName(value: number): string {
  return verdictNames.get(value) ?? `unknown_${String(value)}`;
}

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
export type PacketFlagName = keyof typeof PacketFlag;
/** Every bit of packet_flag that has a meaning. */
export const PACKET_FLAG_ALL = 63;

export const ResultFlag = {
  /** Header bytes changed. Needs edit: headers. */
  MODIFIED_HEADER: 1,
  /** Payload bytes changed. Needs edit: payload. */
  MODIFIED_PAYLOAD: 2,
  /** Lengths or structure changed. Needs reshape. */
  RESHAPED: 4,
  /** Close the flow after this call; with DROP on FIRST: refuse it. */
  CLOSE_FLOW: 8,
  /** Ask migration-target soon. Without effect where flows have nowhere to go. */
  ASK_MIGRATE: 16,
  /** Call flow-timer after timeout ms. */
  ARM_TIMER: 32,
} as const;
export type ResultFlag = (typeof ResultFlag)[keyof typeof ResultFlag];
export type ResultFlagName = keyof typeof ResultFlag;
/** Every bit of result_flag that has a meaning. */
export const RESULT_FLAG_ALL = 63;

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
export type CloseReasonName = keyof typeof CloseReason;
const closeReasonNames: ReadonlyMap<number, string> = new Map([[1, "EXPIRED"], [2, "FINISHED"], [3, "REFUSED"], [4, "EVICTED"], [5, "FAULT"], [6, "ALIAS_CONFLICT"], [7, "SHUTDOWN"]]);
/** The name of a close_reason; unknown_<value> for a value that has none. */
export function closeReasonName(value: number): string {
  return closeReasonNames.get(value) ?? `unknown_${String(value)}`;
}

export const ArrivalReason = {
  /** From another runtime, which goes on without it. */
  MOVED: 1,
} as const;
export type ArrivalReason = (typeof ArrivalReason)[keyof typeof ArrivalReason];
export type ArrivalReasonName = keyof typeof ArrivalReason;
const arrivalReasonNames: ReadonlyMap<number, string> = new Map([[1, "MOVED"]]);
/** The name of a arrival_reason; unknown_<value> for a value that has none. */
export function arrivalReasonName(value: number): string {
  return arrivalReasonNames.get(value) ?? `unknown_${String(value)}`;
}

export const RuntimeFlag = {
  /** The one that asks: it has the flow. */
  OWN: 1,
  /** It is being emptied, and takes no flows. */
  DRAINING: 2,
} as const;
export type RuntimeFlag = (typeof RuntimeFlag)[keyof typeof RuntimeFlag];
export type RuntimeFlagName = keyof typeof RuntimeFlag;
/** Every bit of runtime_flag that has a meaning. */
export const RUNTIME_FLAG_ALL = 3;

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
  /** Frame longer than frame_bytes_max; as a rule segments that the kernel joined: turn GRO and TSO off where frames are taken. */
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
  /** The input queue of the flow's runtime is full. */
  runtime_full: 26,
  /** No runtime takes new flows. */
  no_runtime: 27,
  /** Reached a runtime that does not own the flow any more, or reached it twice or too late. */
  stale_packet: 28,
  /** Reached a runtime that knows no such flow and may not open it. */
  flow_unknown: 29,
  /** Came by the return key of a flow that has just ended. */
  flow_closing: 30,
  /** Too many packets wait for flows that are moving. */
  move_buffer_full: 31,
  /** Waited for a flow that was moving, and the move came to nothing. */
  move_abandoned: 32,
  /** Left a runtime that was not the flow's owner any more. */
  stale_output: 33,
  /** Left a runtime that is dead to the vswitch. */
  fenced_output: 34,
  /** Too much output waits for replicas of its flows. */
  replica_buffer_full: 35,
  /** Output of a flow that had no replica, where none may leave without. */
  unprotected: 36,
  /** On its way through a replica when a runtime was removed by force; what is missing at the end. */
  relay_lost: 38,
} as const;
export type DropReason = (typeof DropReason)[keyof typeof DropReason];
export type DropReasonName = keyof typeof DropReason;
const dropReasonNames: ReadonlyMap<number, string> = new Map([[0, "none"], [1, "malformed_ethernet"], [2, "malformed_ipv4"], [3, "malformed_ipv6"], [4, "malformed_l4"], [5, "malformed_icmp_error"], [6, "malformed_fragment"], [7, "truncated_headers"], [8, "header_too_long"], [9, "frame_too_long"], [10, "non_ip"], [11, "icmp_error_no_flow"], [12, "fragment_no_flow"], [13, "fragment_timeout"], [14, "fragment_overflow"], [15, "flow_table_full"], [16, "flow_refused"], [17, "nf_fault"], [18, "nf_unavailable"], [19, "nf_quarantined"], [20, "alias_conflict"], [21, "key_changed"], [22, "port_full"], [23, "no_mbuf"], [24, "emit_invalid"], [25, "shutdown"], [26, "runtime_full"], [27, "no_runtime"], [28, "stale_packet"], [29, "flow_unknown"], [30, "flow_closing"], [31, "move_buffer_full"], [32, "move_abandoned"], [33, "stale_output"], [34, "fenced_output"], [35, "replica_buffer_full"], [36, "unprotected"], [38, "relay_lost"]]);
/** The name of a drop_reason; unknown_<value> for a value that has none. */
export function dropReasonName(value: number): string {
  return dropReasonNames.get(value) ?? `unknown_${String(value)}`;
}

/** What a drop reason means, for people; by its name. */
export const DROP_REASON_DOCS: Readonly<Record<string, string>> = {
  none: "Not dropped.",
  malformed_ethernet: "Shorter than an Ethernet header, or cut inside a VLAN tag.",
  malformed_ipv4: "IPv4 header or total length inconsistent.",
  malformed_ipv6: "IPv6 header, extension header or payload length inconsistent.",
  malformed_l4: "TCP, UDP, SCTP or ICMP header does not fit.",
  malformed_icmp_error: "ICMP error without a usable inner packet.",
  malformed_fragment: "First fragment without its L4 header, or a fragment beyond 65,535 bytes.",
  truncated_headers: "The capture ends before the headers do.",
  header_too_long: "Headers longer than header_stride.",
  frame_too_long: "Frame longer than frame_bytes_max; as a rule segments that the kernel joined: turn GRO and TSO off where frames are taken.",
  non_ip: "Neither IPv4 nor IPv6, and the policy says drop.",
  icmp_error_no_flow: "ICMP error about a flow that is not known.",
  fragment_no_flow: "Later fragment whose flow has ended or was refused.",
  fragment_timeout: "Held fragment whose first fragment did not come in time.",
  fragment_overflow: "A bound on held fragments or tracked datagrams was reached.",
  flow_table_full: "No room for a new flow.",
  flow_refused: "An NF refused this flow a moment ago.",
  nf_fault: "The NF faulted on this packet.",
  nf_unavailable: "The NF is being restarted.",
  nf_quarantined: "The NF faulted too often and fails closed.",
  alias_conflict: "The flow's return key belongs to another flow.",
  key_changed: "The packet would leave with another five-tuple than the flow's first.",
  port_full: "The output port did not take the frame.",
  no_mbuf: "The packet pool is empty.",
  emit_invalid: "An emitted frame that does not parse.",
  shutdown: "Held or queued when the run ended.",
  runtime_full: "The input queue of the flow's runtime is full.",
  no_runtime: "No runtime takes new flows.",
  stale_packet: "Reached a runtime that does not own the flow any more, or reached it twice or too late.",
  flow_unknown: "Reached a runtime that knows no such flow and may not open it.",
  flow_closing: "Came by the return key of a flow that has just ended.",
  move_buffer_full: "Too many packets wait for flows that are moving.",
  move_abandoned: "Waited for a flow that was moving, and the move came to nothing.",
  stale_output: "Left a runtime that was not the flow's owner any more.",
  fenced_output: "Left a runtime that is dead to the vswitch.",
  replica_buffer_full: "Too much output waits for replicas of its flows.",
  unprotected: "Output of a flow that had no replica, where none may leave without.",
  relay_lost: "On its way through a replica when a runtime was removed by force; what is missing at the end.",
};

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
export type FaultKindName = keyof typeof FaultKind;
const faultKindNames: ReadonlyMap<number, string> = new Map([[1, "out_of_bounds"], [2, "unreachable"], [3, "abort"], [4, "deadline"], [5, "stack"], [6, "bad_result"], [7, "integer"], [8, "bad_conversion"], [9, "indirect_call"], [10, "start"], [11, "other"]]);
/** The name of a fault_kind; unknown_<value> for a value that has none. */
export function faultKindName(value: number): string {
  return faultKindNames.get(value) ?? `unknown_${String(value)}`;
}

export const LogLevel = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];
export type LogLevelName = keyof typeof LogLevel;
const logLevelNames: ReadonlyMap<number, string> = new Map([[0, "debug"], [1, "info"], [2, "warn"], [3, "error"]]);
/** The name of a log_level; unknown_<value> for a value that has none. */
export function logLevelName(value: number): string {
  return logLevelNames.get(value) ?? `unknown_${String(value)}`;
}

export const Side = {
  client: 0,
  server: 1,
} as const;
export type Side = (typeof Side)[keyof typeof Side];
export type SideName = keyof typeof Side;
const sideNames: ReadonlyMap<number, string> = new Map([[0, "client"], [1, "server"]]);
/** The name of a side; unknown_<value> for a value that has none. */
export function sideName(value: number): string {
  return sideNames.get(value) ?? `unknown_${String(value)}`;
}

export type AbiScalar = "u32" | "u64";
export type RequiredExport = "abi-version" | "state-bytes" | "state-version" | "init" | "configure" | "process-burst" | "flow-close";
export type OptionalExport = "migration-target" | "flow-arrived" | "flow-left" | "migrate-state" | "flow-timer" | "tick";
export interface ExportSpec<Name extends string = string> {
  readonly name: Name;
  readonly params: readonly { readonly name: string; readonly type: AbiScalar }[];
  readonly result: AbiScalar | undefined;
}
export const EXPORTS: {
  readonly required: readonly ExportSpec<RequiredExport>[];
  readonly optional: readonly ExportSpec<OptionalExport>[];
  readonly memory: string;
} = {
  required: [
    // 1.
    { name: "abi-version", params: [], result: "u32" },
    // Size of one slot, 0 to state_bytes_max.
    { name: "state-bytes", params: [], result: "u32" },
    // Version of the state layout.
    { name: "state-version", params: [], result: "u32" },
    // Top-level code. Called once, first.
    { name: "init", params: [], result: undefined },
    // MessagePack in the config area. 0 = accepted, else the NF's own code.
    { name: "configure", params: [{ name: "ptr", type: "u32" }, { name: "len", type: "u32" }], result: "u32" },
    // n packets, descriptors 0 to n-1.
    { name: "process-burst", params: [{ name: "n", type: "u32" }], result: undefined },
    // A flow this NF opened has ended.
    { name: "flow-close", params: [{ name: "flow", type: "u32" }, { name: "state", type: "u32" }, { name: "reason", type: "u32" }], result: undefined },
  ],
  optional: [
    // n runtime_records at cluster. Runtime to move this flow to; 0 = stay.
    { name: "migration-target", params: [{ name: "cluster", type: "u32" }, { name: "n", type: "u32" }, { name: "flow", type: "u32" }, { name: "state", type: "u32" }], result: "u32" },
    // A flow that this NF has opened elsewhere arrives with its state; reason is an arrival_reason. Not 0 = refuse: it stays where it was.
    { name: "flow-arrived", params: [{ name: "flow", type: "u32" }, { name: "state", type: "u32" }, { name: "reason", type: "u32" }], result: "u32" },
    // A flow has moved away, with its state as it is here.
    { name: "flow-left", params: [{ name: "flow", type: "u32" }, { name: "state", type: "u32" }], result: undefined },
    // Converts one slot; 0 = done.
    { name: "migrate-state", params: [{ name: "from-version", type: "u32" }, { name: "old", type: "u32" }, { name: "old-len", type: "u32" }, { name: "new", type: "u32" }], result: "u32" },
    // The timer asked for with ARM_TIMER.
    { name: "flow-timer", params: [{ name: "flow", type: "u32" }, { name: "state", type: "u32" }, { name: "now-ns", type: "u64" }], result: undefined },
    // At most every tick_interval_ms.
    { name: "tick", params: [{ name: "now-ms", type: "u64" }], result: undefined },
  ],
  memory: "memory",
};
export const MEMORY_EXPORT = EXPORTS.memory;
