// Generated from sdk/abi/nf_abi.json by `npm run generate`. Do not edit.
// Fields by record, reserved ones left out.
#pragma once

#define NF_ABI_BURST_HEADER_FIELDS(X) X(now_ns) X(count) X(direction) X(config_length) X(burst_sequence)
#define NF_ABI_DESCRIPTOR_FIELDS(X) X(header) X(payload) X(header_length) X(payload_length) X(wire_length) X(l3_offset) X(l4_offset) X(l4_protocol) X(direction) X(flags) X(state) X(flow) X(flow_id) X(sequence) X(lease) X(header_room) X(payload_room) X(after_now_ns)
#define NF_ABI_FLOW_RECORD_FIELDS(X) X(initiator_address) X(responder_address) X(initiator_port) X(responder_port) X(protocol) X(ip_version) X(side) X(vlan_count) X(vlan_outer) X(vlan_inner) X(start_ns) X(seed)
#define NF_ABI_RUNTIME_RECORD_FIELDS(X) X(runtime) X(flows) X(load_permille) X(flags)
#define NF_ABI_RESULT_FIELDS(X) X(verdict) X(drop_reason) X(flags) X(header_length) X(payload_length) X(timeout) X(out_port)
#define NF_ABI_EMIT_RECORD_FIELDS(X) X(frame) X(length) X(direction) X(packet)
#define NF_ABI_FAULT_RECORD_FIELDS(X) X(is_set) X(line) X(column) X(message_length) X(file_length) X(message) X(file)
#define NF_ABI_LOG_RING_FIELDS(X) X(written)
#define NF_ABI_LOG_RECORD_FIELDS(X) X(level) X(length) X(sequence) X(text)
#define NF_ABI_RECORDS(X) X(burst_header, BurstHeader, NF_ABI_BURST_HEADER_FIELDS) X(descriptor, Descriptor, NF_ABI_DESCRIPTOR_FIELDS) X(flow_record, FlowRecord, NF_ABI_FLOW_RECORD_FIELDS) X(runtime_record, RuntimeRecord, NF_ABI_RUNTIME_RECORD_FIELDS) X(result, Result, NF_ABI_RESULT_FIELDS) X(emit_record, EmitRecord, NF_ABI_EMIT_RECORD_FIELDS) X(fault_record, FaultRecord, NF_ABI_FAULT_RECORD_FIELDS) X(log_ring, LogRing, NF_ABI_LOG_RING_FIELDS) X(log_record, LogRecord, NF_ABI_LOG_RECORD_FIELDS)
