// A flow as it goes from one runtime to another: its actor, how its responder answers, leases, timers, and the slots of
// the NFs that have opened it. Times are those of one machine.
#pragma once

#include <cstdint>
#include <span>

#include "chain/chain.h"
#include "flow/flows.h"
#include "proto/messages.h"
#include "runtime/flow_report.h"
#include "runtime/runtime_spec.h"

namespace nf {

// Where the actor lies in the image of a flow.
inline constexpr size_t kFlowImageActor = 8;

// The longest image that a flow of this chain can have.
uint32_t FlowImageBytesMax(std::span<const NfSpec> chain);

// What two runtimes must have in common: the same NFs in the same places, and the same layout of each state.
proto::Digests FlowImageDigests(std::span<const NfSpec> chain);

// The flow, for which no call is pending, or that there is none at this place. Bytes written, 0 if `out` is too small.
uint32_t WriteFlowImage(const Chain& chain, const Flows& flows, uint32_t flow, std::span<uint8_t> out);

// The difference of that image from `before`, as a delta (proto/word_delta.h), without making it. More bytes than `out`
// has: it can't be said so, or would be longer than all of it.
size_t WriteFlowDelta(const Chain& chain, const Flows& flows, uint32_t flow, std::span<const uint8_t> before,
                      std::span<uint8_t> out);

// Makes of the image what the delta says. False, and it is as it was: it would be none any more. `scratch` has room for
// the longest image.
bool ApplyFlowDelta(const Chain& chain, std::span<const uint8_t> delta, std::span<uint8_t> image,
                    std::span<uint8_t> scratch);

// Whether ReadFlowImage would take it.
bool IsFlowImage(const Chain& chain, std::span<const uint8_t> image);

// What a vswitch is told of the flow. False: the image has none.
bool ReportFlowImage(const Chain& chain, std::span<const uint8_t> image, FlowReport* report);

// Makes the flow at a free place what the image says. False, and nothing changed, when it is not an image that
// WriteFlowImage would have written for this chain.
bool ReadFlowImage(Chain& chain, Flows& flows, uint32_t flow, std::span<const uint8_t> image);

}  // namespace nf
