#include "chain/port_queues.h"

namespace nf {

void PortQueues::Transmit(Queue& queue) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < queue.count; ++i) bytes += MetaOf(queue.packets[i])->wire_length;
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]] {
    for (uint32_t i = 0; i < queue.count; ++i) tap->Out(queue.packets[i]);
  }
  if (claimed_ != nullptr) claimed_->Set(counters_.sent.value() + queue.count);
  const uint32_t taken = queue.port->TxBurst(queue.packets.data(), queue.count);
  counters_.sent.Add(taken);
  if (claimed_ != nullptr) claimed_->Set(counters_.sent.value());
  for (uint32_t i = taken; i < queue.count; ++i) {
    bytes -= MetaOf(queue.packets[i])->wire_length;
    counters_.Drop(queue.packets[i], abi::DropReason::kPortFull);
  }
  counters_.sent_bytes.Add(bytes);
  queue.count = 0;
}

}  // namespace nf
