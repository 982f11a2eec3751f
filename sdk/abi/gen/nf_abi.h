// Generated from sdk/abi/nf_abi.json by `npm run generate`. Do not edit.
// The NF ABI in C++: plain constants and records as they lie in a guest's memory (little-endian, naturally aligned, holes as explicit
// reserved fields). Guest memory is untrusted: copy a record out of it once, then judge the copy.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

static_assert(std::endian::native == std::endian::little, "the ABI is little-endian");

namespace nf::abi {

inline constexpr uint32_t kAbiVersion = 1;
inline constexpr const char* kWitPackage = "nfactor:nf@1.0.0";
inline constexpr const char* kWitWorld = "network-function";

// Limits.
inline constexpr uint32_t kBurstPackets = 32;  // Packets in one call.
inline constexpr uint32_t kHeaderStride = 256;  // Bytes per packet in the header area; a longer header is dropped as header_too_long.
inline constexpr uint32_t kPayloadStride = 9216;  // Bytes per packet in the payload area.
inline constexpr uint32_t kFrameBytesMax = 9216;  // Longest frame, Ethernet header included.
inline constexpr uint32_t kChainNfsMax = 16;  // NFs in one chain (the actor keeps one FIRST bit for each).
inline constexpr uint32_t kEmitsPerPacketMax = 2;  // Frames one packet may cause besides itself.
inline constexpr uint32_t kEmitsPerBurstMax = 64;  // Emit records of one call.
inline constexpr uint32_t kEmitStride = 9216;  // Bytes per frame in the emit area.
inline constexpr uint32_t kCountersMax = 64;  // An NF's own counters.
inline constexpr uint32_t kClusterRuntimesMax = 64;  // Runtimes that migration-target is shown.
inline constexpr uint32_t kLogRecords = 16;  // Records in the log ring.
inline constexpr uint32_t kLogTextBytesMax = 248;  // Text of one log record, UTF-16LE.
inline constexpr uint32_t kFaultTextBytesMax = 504;  // Message and file of a fault record, each, UTF-16LE.
inline constexpr uint32_t kStateBytesMax = 4096;  // One flow's state in one NF.
inline constexpr uint32_t kStateAlign = 8;  // A slot's size is rounded up to this.
inline constexpr uint32_t kConfigBytesMax = 524288;  // Encoded configuration (MessagePack).
inline constexpr uint32_t kModuleBytesMax = 1048576;  // Core module.
inline constexpr uint32_t kComponentBytesMax = 2097152;  // The whole artifact: a component with its core module and metadata.
inline constexpr uint32_t kMetadataBytesMax = 262144;  // One metadata section of the artifact: manifest, state schema, or configuration schema.
inline constexpr uint32_t kFunctionsMax = 2000;  // Functions of a module.
inline constexpr uint32_t kFunctionBodyBytesMax = 65536;  // One function's body.
inline constexpr uint32_t kFunctionLocalsMax = 500;  // Locals of one function, parameters included.
inline constexpr uint32_t kNestingMax = 256;  // Depth of blocks in one function.
inline constexpr uint32_t kTableElementsMax = 1024;  // Elements of the function table.
inline constexpr uint32_t kHeapPagesMax = 1024;  // 64 KiB pages of static data and heap.
inline constexpr uint32_t kDataSegmentsMax = 1000;  // Data segments of a module.
inline constexpr uint32_t kTypesMax = 1000;  // Function types of a module.
inline constexpr uint32_t kElementSegmentsMax = 100;  // Element segments of a module.
inline constexpr uint32_t kGlobalsMax = 1000;  // Globals of a module.
inline constexpr uint32_t kExportsMax = 64;  // Exports of a module.
inline constexpr uint32_t kBrTableTargetsMax = 1024;  // Targets of one br_table.
inline constexpr uint32_t kParamsMax = 16;  // Parameters of one function type.
inline constexpr uint32_t kTypeResultsMax = 16;  // Results of one function type.
inline constexpr uint32_t kResultsMax = 1;  // Results of an exported function.
inline constexpr uint32_t kIpv6ExtensionHeadersMax = 8;  // IPv6 extension headers walked before the packet counts as malformed.
inline constexpr uint32_t kVlanTagsMax = 2;  // VLAN tags parsed; a frame with more is handled as non-IP.
inline constexpr uint32_t kPollGapNs = 100000;  // A poll ends where the next packet is this much later than its first.
inline constexpr uint32_t kExpiryTickShift = 20;  // Flow deadlines are rounded to 2^20 ns (about 1 ms).
inline constexpr uint32_t kTickIntervalMs = 100;  // Shortest time between two calls of tick.
inline constexpr uint32_t kFaultQuarantineCount = 10;  // Faults within fault_quarantine_window_ns that quarantine an NF.
inline constexpr uint32_t kFaultQuarantineWindowNs = 1000000000;  // Window of fault_quarantine_count.
inline constexpr uint32_t kFragmentDatagramsMax = 4096;  // Fragmented datagrams tracked at once.
inline constexpr uint32_t kFragmentHeldMax = 1024;  // Fragments held back, all datagrams together.
inline constexpr uint32_t kFragmentHeldPerDatagramMax = 64;  // Fragments of one datagram held back until its first arrives.
inline constexpr uint64_t kFragmentTimeoutNs = 5000000000;  // Life of a datagram's entry, and longest time a fragment is held.
inline constexpr uint32_t kRefusedMs = 1000;  // How long the refusal of a flow is remembered.
inline constexpr uint32_t kLeaseQuarantineMs = 1000;  // How long a freed lease rests before it is offered again.

// Linear memory: areas (guest addresses), and the parts of the call and result areas.
inline constexpr uint32_t kPageBytes = 65536;
inline constexpr uint32_t kBasePages = 32768;
inline constexpr uint32_t kModuleBase = 0x80000000;
// Never mapped: a null pointer traps. Access: none.
inline constexpr uint32_t kNullAreaAddress = 0x00000000;
inline constexpr uint32_t kNullAreaBytes = 65536;
// Burst header, descriptors, flow records, runtimes. One per instance, written by the host. Access: read.
inline constexpr uint32_t kCallAreaAddress = 0x00010000;
inline constexpr uint32_t kCallAreaBytes = 8192;
// Results, emit records, counters, fault record, log ring. One per instance. Access: write.
inline constexpr uint32_t kResultAreaAddress = 0x00018000;
inline constexpr uint32_t kResultAreaBytes = 8192;
// Bytes [0, payload_offset) of each frame, one stride each. Shared by the chain. Access: by rights.
inline constexpr uint32_t kHeaderAreaAddress = 0x00020000;
inline constexpr uint32_t kHeaderAreaBytes = 8192;
// Payloads, one stride each. Shared by the chain; not mapped without the right. Access: by rights.
inline constexpr uint32_t kPayloadAreaAddress = 0x00080000;
inline constexpr uint32_t kPayloadAreaBytes = 294912;
// Frames the NF sends of its own, one stride each. One per instance, if granted. Access: by rights.
inline constexpr uint32_t kEmitAreaAddress = 0x00200000;
inline constexpr uint32_t kEmitAreaBytes = 589824;
// The encoded configuration. Only the pages it needs are mapped. Access: read.
inline constexpr uint32_t kConfigAreaAddress = 0x00300000;
inline constexpr uint32_t kConfigAreaBytes = 524288;
// Old bytes of the slot that migrate-state converts. Access: read.
inline constexpr uint32_t kStagingAreaAddress = 0x00380000;
inline constexpr uint32_t kStagingAreaBytes = 8192;
// The state store: slots of stride round_up(state-bytes, state_align). What the store does not fill is a hole. Access: write.
inline constexpr uint32_t kStateAreaAddress = 0x01000000;
inline constexpr uint32_t kStateAreaBytes = 2130706432;
// The module's static data and heap, heap_pages pages. Access: write.
inline constexpr uint32_t kModuleAreaAddress = 0x80000000;
inline constexpr uint32_t kModuleAreaBytes = 0;
inline constexpr uint32_t kBurstHeaderAddress = 0x00010000;
inline constexpr uint32_t kBurstHeaderOffset = kBurstHeaderAddress - kCallAreaAddress;
inline constexpr uint32_t kDescriptorsAddress = 0x00010040;
inline constexpr uint32_t kDescriptorsOffset = kDescriptorsAddress - kCallAreaAddress;
inline constexpr uint32_t kFlowRecordsAddress = 0x00010840;
inline constexpr uint32_t kFlowRecordsOffset = kFlowRecordsAddress - kCallAreaAddress;
inline constexpr uint32_t kClusterAddress = 0x00011040;
inline constexpr uint32_t kClusterOffset = kClusterAddress - kCallAreaAddress;
inline constexpr uint32_t kResultsAddress = 0x00018000;
inline constexpr uint32_t kResultsOffset = kResultsAddress - kResultAreaAddress;
inline constexpr uint32_t kEmitRecordsAddress = 0x00018200;
inline constexpr uint32_t kEmitRecordsOffset = kEmitRecordsAddress - kResultAreaAddress;
inline constexpr uint32_t kCountersAddress = 0x00018600;
inline constexpr uint32_t kCountersOffset = kCountersAddress - kResultAreaAddress;
inline constexpr uint32_t kFaultRecordAddress = 0x00018800;
inline constexpr uint32_t kFaultRecordOffset = kFaultRecordAddress - kResultAreaAddress;
inline constexpr uint32_t kLogRingAddress = 0x00018c00;
inline constexpr uint32_t kLogRingOffset = kLogRingAddress - kResultAreaAddress;
inline constexpr uint32_t kLogRecordsAddress = 0x00018c40;
inline constexpr uint32_t kLogRecordsOffset = kLogRecordsAddress - kResultAreaAddress;

// One per call. Written by the host.
struct BurstHeader {
  uint64_t now_ns;  // @0 Time of the poll in ns since the epoch; the only clock. Never goes back.
  uint32_t count;  // @8 Packets in this call, 1 to burst_packets; 0 in callbacks.
  uint8_t direction;  // @12 Direction of all packets of the call.
  uint8_t reserved_13[3];  // @13 Reserved, 0.
  uint32_t config_length;  // @16 Bytes of the encoded configuration.
  uint8_t reserved_20[4];  // @20 Reserved, 0.
  uint64_t burst_sequence;  // @24 Calls of this instance so far.
  uint8_t reserved_32[32];  // @32 Reserved, 0.
};
inline constexpr uint32_t kBurstHeaderBytes = 64;
static_assert(sizeof(BurstHeader) == 64 && alignof(BurstHeader) == 8);
static_assert(offsetof(BurstHeader, now_ns) == 0);
static_assert(offsetof(BurstHeader, count) == 8);
static_assert(offsetof(BurstHeader, direction) == 12);
static_assert(offsetof(BurstHeader, reserved_13) == 13);
static_assert(offsetof(BurstHeader, config_length) == 16);
static_assert(offsetof(BurstHeader, reserved_20) == 20);
static_assert(offsetof(BurstHeader, burst_sequence) == 24);
static_assert(offsetof(BurstHeader, reserved_32) == 32);

// One per packet. Written by the host.
struct Descriptor {
  uint32_t header;  // @0 Guest address of the packet's header bytes.
  uint32_t payload;  // @4 Guest address of the payload; 0 when the NF has no right to it.
  uint16_t header_length;  // @8 Header bytes: Ethernet to the end of the L4 header (see payload_offset).
  uint16_t payload_length;  // @10 Payload bytes visible; 0 without the right.
  uint32_t wire_length;  // @12 Length of the frame on the wire.
  uint16_t l3_offset;  // @16 Offset of the IP header.
  uint16_t l4_offset;  // @18 Offset of the L4 header; for later fragments the end of the IP header.
  uint8_t l4_protocol;  // @20 IP protocol of the L4 header.
  uint8_t direction;  // @21 0 from the flow's initiator, 1 to it.
  uint16_t flags;  // @22 packet_flag bits.
  uint32_t state;  // @24 Guest address of this flow's slot of this NF.
  uint32_t flow;  // @28 Guest address of the flow record.
  uint64_t flow_id;  // @32 Unique number of the flow.
  uint32_t sequence;  // @40 Packets of the flow before this one, both directions.
  uint32_t lease;  // @44 1 + index into the lease pool, 0 = none.
  uint16_t header_room;  // @48 Longest header_length a reshape may set.
  uint16_t payload_room;  // @50 Longest payload_length a reshape may set.
  uint32_t after_now_ns;  // @52 How much later than now_ns the packet came: from a capture up to poll_gap_ns, live 0.
  uint8_t reserved_56[8];  // @56 Reserved, 0.
};
inline constexpr uint32_t kDescriptorBytes = 64;
static_assert(sizeof(Descriptor) == 64 && alignof(Descriptor) == 8);
static_assert(offsetof(Descriptor, header) == 0);
static_assert(offsetof(Descriptor, payload) == 4);
static_assert(offsetof(Descriptor, header_length) == 8);
static_assert(offsetof(Descriptor, payload_length) == 10);
static_assert(offsetof(Descriptor, wire_length) == 12);
static_assert(offsetof(Descriptor, l3_offset) == 16);
static_assert(offsetof(Descriptor, l4_offset) == 18);
static_assert(offsetof(Descriptor, l4_protocol) == 20);
static_assert(offsetof(Descriptor, direction) == 21);
static_assert(offsetof(Descriptor, flags) == 22);
static_assert(offsetof(Descriptor, state) == 24);
static_assert(offsetof(Descriptor, flow) == 28);
static_assert(offsetof(Descriptor, flow_id) == 32);
static_assert(offsetof(Descriptor, sequence) == 40);
static_assert(offsetof(Descriptor, lease) == 44);
static_assert(offsetof(Descriptor, header_room) == 48);
static_assert(offsetof(Descriptor, payload_room) == 50);
static_assert(offsetof(Descriptor, after_now_ns) == 52);
static_assert(offsetof(Descriptor, reserved_56) == 56);

// A flow as its first packet named it. Written by the host.
struct FlowRecord {
  uint8_t initiator_address[16];  // @0 Network order; IPv4 mapped (::ffff:a.b.c.d).
  uint8_t responder_address[16];  // @16 Network order; IPv4 mapped.
  uint16_t initiator_port;  // @32 Host order; for ICMP see the flow key.
  uint16_t responder_port;  // @34 Host order.
  uint8_t protocol;  // @36 IP protocol.
  uint8_t ip_version;  // @37 4 or 6.
  uint8_t side;  // @38 Port the first packet came in on: 0 client, 1 server.
  uint8_t vlan_count;  // @39 0 to 2.
  uint16_t vlan_outer;  // @40 VLAN id, 12 bits; 0 without a tag.
  uint16_t vlan_inner;  // @42 VLAN id, 12 bits; 0 without a second tag.
  uint8_t reserved_44[4];  // @44 Reserved, 0.
  uint64_t start_ns;  // @48 Time of the poll that opened the flow.
  uint64_t seed;  // @56 Seed of the flow's random numbers.
};
inline constexpr uint32_t kFlowRecordBytes = 64;
static_assert(sizeof(FlowRecord) == 64 && alignof(FlowRecord) == 8);
static_assert(offsetof(FlowRecord, initiator_address) == 0);
static_assert(offsetof(FlowRecord, responder_address) == 16);
static_assert(offsetof(FlowRecord, initiator_port) == 32);
static_assert(offsetof(FlowRecord, responder_port) == 34);
static_assert(offsetof(FlowRecord, protocol) == 36);
static_assert(offsetof(FlowRecord, ip_version) == 37);
static_assert(offsetof(FlowRecord, side) == 38);
static_assert(offsetof(FlowRecord, vlan_count) == 39);
static_assert(offsetof(FlowRecord, vlan_outer) == 40);
static_assert(offsetof(FlowRecord, vlan_inner) == 42);
static_assert(offsetof(FlowRecord, reserved_44) == 44);
static_assert(offsetof(FlowRecord, start_ns) == 48);
static_assert(offsetof(FlowRecord, seed) == 56);

// A runtime of the tenant, for migration-target, in order of their numbers. Written by the host; means nothing outside that call.
struct RuntimeRecord {
  uint32_t runtime;  // @0 Number, from 1.
  uint32_t flows;  // @4 Flows that it has.
  uint16_t load_permille;  // @8 Share of its lcore's time that it worked, lately.
  uint16_t flags;  // @10 runtime_flag bits.
  uint8_t reserved_12[4];  // @12 Reserved, 0.
};
inline constexpr uint32_t kRuntimeRecordBytes = 16;
static_assert(sizeof(RuntimeRecord) == 16 && alignof(RuntimeRecord) == 4);
static_assert(offsetof(RuntimeRecord, runtime) == 0);
static_assert(offsetof(RuntimeRecord, flows) == 4);
static_assert(offsetof(RuntimeRecord, load_permille) == 8);
static_assert(offsetof(RuntimeRecord, flags) == 10);
static_assert(offsetof(RuntimeRecord, reserved_12) == 12);

// One per packet, written by the NF in order. The host zeroes it before the call.
struct Result {
  uint8_t verdict;  // @0 verdict.
  uint8_t drop_reason;  // @1 0, or 128 to 255: the NF's own, named in nf.yaml.
  uint16_t flags;  // @2 result_flag bits.
  uint16_t header_length;  // @4 With RESHAPED the new length, else 0.
  uint16_t payload_length;  // @6 With RESHAPED the new length, else 0.
  uint32_t timeout;  // @8 ms: with ARM_TIMER the timer, else the flow's new idle time; 0 = keep.
  uint16_t out_port;  // @12 Reserved, 0.
  uint8_t reserved_14[2];  // @14 Reserved, 0.
};
inline constexpr uint32_t kResultBytes = 16;
static_assert(sizeof(Result) == 16 && alignof(Result) == 4);
static_assert(offsetof(Result, verdict) == 0);
static_assert(offsetof(Result, drop_reason) == 1);
static_assert(offsetof(Result, flags) == 2);
static_assert(offsetof(Result, header_length) == 4);
static_assert(offsetof(Result, payload_length) == 6);
static_assert(offsetof(Result, timeout) == 8);
static_assert(offsetof(Result, out_port) == 12);
static_assert(offsetof(Result, reserved_14) == 14);

// A frame the NF sends besides the packet. Written by the NF.
struct EmitRecord {
  uint32_t frame;  // @0 Guest address: the start of a stride of the emit area.
  uint16_t length;  // @4 Frame bytes, 14 to frame_bytes_max; 0 = unused record.
  uint8_t direction;  // @6 Direction the frame takes through the rest of the chain.
  uint8_t packet;  // @7 Index of the packet that caused it; the frame leaves behind it.
  uint8_t reserved_8[8];  // @8 Reserved, 0.
};
inline constexpr uint32_t kEmitRecordBytes = 16;
static_assert(sizeof(EmitRecord) == 16 && alignof(EmitRecord) == 4);
static_assert(offsetof(EmitRecord, frame) == 0);
static_assert(offsetof(EmitRecord, length) == 4);
static_assert(offsetof(EmitRecord, direction) == 6);
static_assert(offsetof(EmitRecord, packet) == 7);
static_assert(offsetof(EmitRecord, reserved_8) == 8);

// Written by the SDK's abort before it traps.
struct FaultRecord {
  uint32_t is_set;  // @0 1 when abort wrote this record.
  uint32_t line;  // @4 Source line.
  uint32_t column;  // @8 Source column.
  uint16_t message_length;  // @12 Bytes of the message.
  uint16_t file_length;  // @14 Bytes of the file name.
  uint8_t message[504];  // @16 UTF-16LE.
  uint8_t file[504];  // @520 UTF-16LE.
};
inline constexpr uint32_t kFaultRecordBytes = 1024;
static_assert(sizeof(FaultRecord) == 1024 && alignof(FaultRecord) == 4);
static_assert(offsetof(FaultRecord, is_set) == 0);
static_assert(offsetof(FaultRecord, line) == 4);
static_assert(offsetof(FaultRecord, column) == 8);
static_assert(offsetof(FaultRecord, message_length) == 12);
static_assert(offsetof(FaultRecord, file_length) == 14);
static_assert(offsetof(FaultRecord, message) == 16);
static_assert(offsetof(FaultRecord, file) == 520);

// Head of the log ring. The NF counts up written; record written % log_records is the next.
struct LogRing {
  uint32_t written;  // @0 Records ever written by this instance.
  uint8_t reserved_4[60];  // @4 Reserved, 0.
};
inline constexpr uint32_t kLogRingBytes = 64;
static_assert(sizeof(LogRing) == 64 && alignof(LogRing) == 4);
static_assert(offsetof(LogRing, written) == 0);
static_assert(offsetof(LogRing, reserved_4) == 4);

// One log line.
struct LogRecord {
  uint8_t level;  // @0 log_level.
  uint8_t reserved_1[1];  // @1 Reserved, 0.
  uint16_t length;  // @2 Bytes of the text.
  uint32_t sequence;  // @4 Value of written before this record.
  uint8_t text[248];  // @8 UTF-16LE.
};
inline constexpr uint32_t kLogRecordBytes = 256;
static_assert(sizeof(LogRecord) == 256 && alignof(LogRecord) == 4);
static_assert(offsetof(LogRecord, level) == 0);
static_assert(offsetof(LogRecord, reserved_1) == 1);
static_assert(offsetof(LogRecord, length) == 2);
static_assert(offsetof(LogRecord, sequence) == 4);
static_assert(offsetof(LogRecord, text) == 8);

enum class Verdict : uint8_t {
  kPending = 0,  // Not decided; after a call a fault.
  kForward = 1,  // On to the next NF, or out of the other port.
  kDrop = 2,  // Drop, counted under the NF's reason.
  kReply = 3,  // Back to where it came from, through the NFs before this one. Needs the right reply.
  kConsume = 4,  // Reserved for proxies; refused in version 1.
};
inline constexpr uint32_t kVerdictCount = 5;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* VerdictName(Verdict value) {
  switch (value) {
    case Verdict::kPending:
      return "PENDING";
    case Verdict::kForward:
      return "FORWARD";
    case Verdict::kDrop:
      return "DROP";
    case Verdict::kReply:
      return "REPLY";
    case Verdict::kConsume:
      return "CONSUME";
  }
  return "unknown";
}

inline constexpr uint16_t kPacketFlagFirst = 1;  // First packet of the flow this NF sees: the slot is zero.
inline constexpr uint16_t kPacketFlagFragment = 2;  // A fragment of a datagram.
inline constexpr uint16_t kPacketFlagLaterFragment = 4;  // A fragment other than the first: there is no L4 header.
inline constexpr uint16_t kPacketFlagTruncated = 8;  // Fewer bytes were captured than were on the wire.
inline constexpr uint16_t kPacketFlagIcmpError = 16;  // An ICMP error about this flow; the header holds the inner headers.
inline constexpr uint16_t kPacketFlagChecksumGood = 32;  // The device verified the L4 checksum.
inline constexpr uint16_t kPacketFlagAll = 63;  // Every bit that has a meaning.

inline constexpr uint16_t kResultFlagModifiedHeader = 1;  // Header bytes changed. Needs edit: headers.
inline constexpr uint16_t kResultFlagModifiedPayload = 2;  // Payload bytes changed. Needs edit: payload.
inline constexpr uint16_t kResultFlagReshaped = 4;  // Lengths or structure changed. Needs reshape.
inline constexpr uint16_t kResultFlagCloseFlow = 8;  // Close the flow after this call; with DROP on FIRST: refuse it.
inline constexpr uint16_t kResultFlagAskMigrate = 16;  // Ask migration-target soon. Without effect where flows have nowhere to go.
inline constexpr uint16_t kResultFlagArmTimer = 32;  // Call flow-timer after timeout ms.
inline constexpr uint16_t kResultFlagAll = 63;  // Every bit that has a meaning.

enum class CloseReason : uint8_t {
  kExpired = 1,  // Idle for too long.
  kFinished = 2,  // TCP ended, or the NF asked with CLOSE_FLOW.
  kRefused = 3,  // A later NF refused the new flow.
  kEvicted = 4,  // Room was needed.
  kFault = 5,  // An NF of the chain faulted on it.
  kAliasConflict = 6,  // Its return key was taken.
  kShutdown = 7,  // The run ended.
};
inline constexpr uint32_t kCloseReasonCount = 8;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* CloseReasonName(CloseReason value) {
  switch (value) {
    case CloseReason::kExpired:
      return "EXPIRED";
    case CloseReason::kFinished:
      return "FINISHED";
    case CloseReason::kRefused:
      return "REFUSED";
    case CloseReason::kEvicted:
      return "EVICTED";
    case CloseReason::kFault:
      return "FAULT";
    case CloseReason::kAliasConflict:
      return "ALIAS_CONFLICT";
    case CloseReason::kShutdown:
      return "SHUTDOWN";
  }
  return "unknown";
}

enum class ArrivalReason : uint8_t {
  kMoved = 1,  // From another runtime, which goes on without it.
};
inline constexpr uint32_t kArrivalReasonCount = 2;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* ArrivalReasonName(ArrivalReason value) {
  switch (value) {
    case ArrivalReason::kMoved:
      return "MOVED";
  }
  return "unknown";
}

inline constexpr uint16_t kRuntimeFlagOwn = 1;  // The one that asks: it has the flow.
inline constexpr uint16_t kRuntimeFlagDraining = 2;  // It is being emptied, and takes no flows.
inline constexpr uint16_t kRuntimeFlagAll = 3;  // Every bit that has a meaning.

enum class DropReason : uint8_t {
  kNone = 0,  // Not dropped.
  kMalformedEthernet = 1,  // Shorter than an Ethernet header, or cut inside a VLAN tag.
  kMalformedIpv4 = 2,  // IPv4 header or total length inconsistent.
  kMalformedIpv6 = 3,  // IPv6 header, extension header or payload length inconsistent.
  kMalformedL4 = 4,  // TCP, UDP, SCTP or ICMP header does not fit.
  kMalformedIcmpError = 5,  // ICMP error without a usable inner packet.
  kMalformedFragment = 6,  // First fragment without its L4 header, or a fragment beyond 65,535 bytes.
  kTruncatedHeaders = 7,  // The capture ends before the headers do.
  kHeaderTooLong = 8,  // Headers longer than header_stride.
  kFrameTooLong = 9,  // Frame longer than frame_bytes_max; as a rule segments that the kernel joined: turn GRO and TSO off where frames are taken.
  kNonIp = 10,  // Neither IPv4 nor IPv6, and the policy says drop.
  kIcmpErrorNoFlow = 11,  // ICMP error about a flow that is not known.
  kFragmentNoFlow = 12,  // Later fragment whose flow has ended or was refused.
  kFragmentTimeout = 13,  // Held fragment whose first fragment did not come in time.
  kFragmentOverflow = 14,  // A bound on held fragments or tracked datagrams was reached.
  kFlowTableFull = 15,  // No room for a new flow.
  kFlowRefused = 16,  // An NF refused this flow a moment ago.
  kNfFault = 17,  // The NF faulted on this packet.
  kNfUnavailable = 18,  // The NF is being restarted.
  kNfQuarantined = 19,  // The NF faulted too often and fails closed.
  kAliasConflict = 20,  // The flow's return key belongs to another flow.
  kKeyChanged = 21,  // The packet would leave with another five-tuple than the flow's first.
  kPortFull = 22,  // The output port did not take the frame.
  kNoMbuf = 23,  // The packet pool is empty.
  kEmitInvalid = 24,  // An emitted frame that does not parse.
  kShutdown = 25,  // Held or queued when the run ended.
  kRuntimeFull = 26,  // The input queue of the flow's runtime is full.
  kNoRuntime = 27,  // No runtime takes new flows.
  kStalePacket = 28,  // Reached a runtime that does not own the flow any more, or reached it twice or too late.
  kFlowUnknown = 29,  // Reached a runtime that knows no such flow and may not open it.
  kFlowClosing = 30,  // Came by the return key of a flow that has just ended.
  kMoveBufferFull = 31,  // Too many packets wait for flows that are moving.
  kMoveAbandoned = 32,  // Waited for a flow that was moving, and the move came to nothing.
  kStaleOutput = 33,  // Left a runtime that was not the flow's owner any more.
  kFencedOutput = 34,  // Left a runtime that is dead to the vswitch.
  kReplicaBufferFull = 35,  // Too much output waits for replicas of its flows.
  kUnprotected = 36,  // Output of a flow that had no replica, where none may leave without.
  kRelayLost = 38,  // On its way through a replica when a runtime was removed by force; what is missing at the end.
};
inline constexpr uint32_t kDropReasonCount = 39;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* DropReasonName(DropReason value) {
  switch (value) {
    case DropReason::kNone:
      return "none";
    case DropReason::kMalformedEthernet:
      return "malformed_ethernet";
    case DropReason::kMalformedIpv4:
      return "malformed_ipv4";
    case DropReason::kMalformedIpv6:
      return "malformed_ipv6";
    case DropReason::kMalformedL4:
      return "malformed_l4";
    case DropReason::kMalformedIcmpError:
      return "malformed_icmp_error";
    case DropReason::kMalformedFragment:
      return "malformed_fragment";
    case DropReason::kTruncatedHeaders:
      return "truncated_headers";
    case DropReason::kHeaderTooLong:
      return "header_too_long";
    case DropReason::kFrameTooLong:
      return "frame_too_long";
    case DropReason::kNonIp:
      return "non_ip";
    case DropReason::kIcmpErrorNoFlow:
      return "icmp_error_no_flow";
    case DropReason::kFragmentNoFlow:
      return "fragment_no_flow";
    case DropReason::kFragmentTimeout:
      return "fragment_timeout";
    case DropReason::kFragmentOverflow:
      return "fragment_overflow";
    case DropReason::kFlowTableFull:
      return "flow_table_full";
    case DropReason::kFlowRefused:
      return "flow_refused";
    case DropReason::kNfFault:
      return "nf_fault";
    case DropReason::kNfUnavailable:
      return "nf_unavailable";
    case DropReason::kNfQuarantined:
      return "nf_quarantined";
    case DropReason::kAliasConflict:
      return "alias_conflict";
    case DropReason::kKeyChanged:
      return "key_changed";
    case DropReason::kPortFull:
      return "port_full";
    case DropReason::kNoMbuf:
      return "no_mbuf";
    case DropReason::kEmitInvalid:
      return "emit_invalid";
    case DropReason::kShutdown:
      return "shutdown";
    case DropReason::kRuntimeFull:
      return "runtime_full";
    case DropReason::kNoRuntime:
      return "no_runtime";
    case DropReason::kStalePacket:
      return "stale_packet";
    case DropReason::kFlowUnknown:
      return "flow_unknown";
    case DropReason::kFlowClosing:
      return "flow_closing";
    case DropReason::kMoveBufferFull:
      return "move_buffer_full";
    case DropReason::kMoveAbandoned:
      return "move_abandoned";
    case DropReason::kStaleOutput:
      return "stale_output";
    case DropReason::kFencedOutput:
      return "fenced_output";
    case DropReason::kReplicaBufferFull:
      return "replica_buffer_full";
    case DropReason::kUnprotected:
      return "unprotected";
    case DropReason::kRelayLost:
      return "relay_lost";
  }
  return "unknown";
}

enum class FaultKind : uint8_t {
  kOutOfBounds = 1,  // Access outside what the NF may touch.
  kUnreachable = 2,  // unreachable executed.
  kAbort = 3,  // throw or assert.
  kDeadline = 4,  // The call took too long.
  kStack = 5,  // Stack exhausted.
  kBadResult = 6,  // A result the NF may not give.
  kInteger = 7,  // Division by zero or integer overflow.
  kBadConversion = 8,  // Invalid conversion of a float to an integer.
  kIndirectCall = 9,  // Indirect call to nothing or to another type.
  kStart = 10,  // init or configure failed.
  kOther = 11,  // Any other trap.
};
inline constexpr uint32_t kFaultKindCount = 12;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* FaultKindName(FaultKind value) {
  switch (value) {
    case FaultKind::kOutOfBounds:
      return "out_of_bounds";
    case FaultKind::kUnreachable:
      return "unreachable";
    case FaultKind::kAbort:
      return "abort";
    case FaultKind::kDeadline:
      return "deadline";
    case FaultKind::kStack:
      return "stack";
    case FaultKind::kBadResult:
      return "bad_result";
    case FaultKind::kInteger:
      return "integer";
    case FaultKind::kBadConversion:
      return "bad_conversion";
    case FaultKind::kIndirectCall:
      return "indirect_call";
    case FaultKind::kStart:
      return "start";
    case FaultKind::kOther:
      return "other";
  }
  return "unknown";
}

enum class LogLevel : uint8_t {
  kDebug = 0,
  kInfo = 1,
  kWarn = 2,
  kError = 3,
};
inline constexpr uint32_t kLogLevelCount = 4;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* LogLevelName(LogLevel value) {
  switch (value) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

enum class Side : uint8_t {
  kClient = 0,
  kServer = 1,
};
inline constexpr uint32_t kSideCount = 2;  // One more than the largest value.
// The name as it is written in counters, messages and JSON; "unknown" for any other value.
inline constexpr const char* SideName(Side value) {
  switch (value) {
    case Side::kClient:
      return "client";
    case Side::kServer:
      return "server";
  }
  return "unknown";
}

// What a module exports, as core WebAssembly types.
enum class WasmType : uint8_t { kNone, kI32, kI64 };
struct ExportSpec {
  const char* name;
  WasmType params[4];
  uint8_t param_count;
  WasmType result;
  bool is_required;
};
enum class Export : uint8_t {
  kAbiVersion = 0,
  kStateBytes = 1,
  kStateVersion = 2,
  kInit = 3,
  kConfigure = 4,
  kProcessBurst = 5,
  kFlowClose = 6,
  kMigrationTarget = 7,
  kFlowArrived = 8,
  kFlowLeft = 9,
  kMigrateState = 10,
  kFlowTimer = 11,
  kTick = 12,
};
inline constexpr uint32_t kExportCount = 13;
// Indexed by Export.
inline constexpr ExportSpec kExports[kExportCount] = {
    {"abi-version", {WasmType::kNone, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 0, WasmType::kI32, true},  // 1.
    {"state-bytes", {WasmType::kNone, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 0, WasmType::kI32, true},  // Size of one slot, 0 to state_bytes_max.
    {"state-version", {WasmType::kNone, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 0, WasmType::kI32, true},  // Version of the state layout.
    {"init", {WasmType::kNone, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 0, WasmType::kNone, true},  // Top-level code. Called once, first.
    {"configure", {WasmType::kI32, WasmType::kI32, WasmType::kNone, WasmType::kNone}, 2, WasmType::kI32, true},  // MessagePack in the config area. 0 = accepted, else the NF's own code.
    {"process-burst", {WasmType::kI32, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 1, WasmType::kNone, true},  // n packets, descriptors 0 to n-1.
    {"flow-close", {WasmType::kI32, WasmType::kI32, WasmType::kI32, WasmType::kNone}, 3, WasmType::kNone, true},  // A flow this NF opened has ended.
    {"migration-target", {WasmType::kI32, WasmType::kI32, WasmType::kI32, WasmType::kI32}, 4, WasmType::kI32, false},  // n runtime_records at cluster. Runtime to move this flow to; 0 = stay.
    {"flow-arrived", {WasmType::kI32, WasmType::kI32, WasmType::kI32, WasmType::kNone}, 3, WasmType::kI32, false},  // A flow that this NF has opened elsewhere arrives with its state; reason is an arrival_reason. Not 0 = refuse: it stays where it was.
    {"flow-left", {WasmType::kI32, WasmType::kI32, WasmType::kNone, WasmType::kNone}, 2, WasmType::kNone, false},  // A flow has moved away, with its state as it is here.
    {"migrate-state", {WasmType::kI32, WasmType::kI32, WasmType::kI32, WasmType::kI32}, 4, WasmType::kI32, false},  // Converts one slot; 0 = done.
    {"flow-timer", {WasmType::kI32, WasmType::kI32, WasmType::kI64, WasmType::kNone}, 3, WasmType::kNone, false},  // The timer asked for with ARM_TIMER.
    {"tick", {WasmType::kI64, WasmType::kNone, WasmType::kNone, WasmType::kNone}, 1, WasmType::kNone, false},  // At most every tick_interval_ms.
};
inline constexpr const char* kMemoryExport = "memory";

}  // namespace nf::abi
