#include "port/capture_port.h"

#include <algorithm>
#include <cstring>

#include "nf_abi.h"

namespace nf {

Expected<std::unique_ptr<CapturePort>> CapturePort::Open(const Options& options, rte_mempool* pool) {
  std::unique_ptr<CapturePort> port(new CapturePort);
  port->pool_ = pool;
  auto side = ClientSide::Parse(options.client_cidrs);
  if (!side) return std::unexpected(side.error());
  port->client_side_ = std::move(*side);
  auto reader = CaptureReader::Open(options.in);
  if (!reader) return std::unexpected(reader.error());
  port->reader_ = std::move(*reader);
  port->Advance();
  if (port->error_) return std::unexpected(*port->error_);
  if (options.out.empty()) return port;
  auto writer = CaptureWriter::Create(options.out, port->reader_->format());
  if (!writer) return std::unexpected(writer.error());
  port->writer_ = std::move(*writer);
  return port;
}

CapturePort::~CapturePort() { rte_pktmbuf_free_bulk(spares_.data(), spares_count_); }

void CapturePort::Advance() {
  next_ = nullptr;
  if (auto record = reader_->Next()) {
    next_ = *record;
  } else {
    error_ = record.error();
  }
}

bool CapturePort::FillSpares() {
  const uint32_t missing = static_cast<uint32_t>(spares_.size()) - spares_count_;
  if (missing == 0) return true;
  if (rte_pktmbuf_alloc_bulk(pool_, spares_.data() + spares_count_, missing) != 0) return false;
  spares_count_ += missing;
  return true;
}

void CapturePort::Fill(rte_mbuf* mbuf, const CaptureRecord& record) {
  // Of a frame that is too long there is room for a part; its length tells that it was.
  const uint32_t bytes = std::min(record.captured, abi::kFrameBytesMax);
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes)), record.bytes, bytes);
  PacketMeta* meta = MetaOf(mbuf);
  meta->timestamp_ns = record.timestamp_ns;
  meta->arrival = arrival_++;
  meta->wire_length = record.wire_length;
  meta->in_port = client_side_.SideOf(record.bytes, record.captured, record.wire_length);
  meta->record = record.origin;
}

uint32_t CapturePort::RxBurst(rte_mbuf** packets, uint32_t count) {
  if (next_ == nullptr || !FillSpares()) return 0;
  const uint64_t first_ns = next_->timestamp_ns;
  uint32_t taken = 0;
  while (taken < count && next_ != nullptr && spares_count_ > 0) {
    if (next_->timestamp_ns > first_ns && next_->timestamp_ns - first_ns > abi::kPollGapNs) break;
    packets[taken] = spares_[--spares_count_];
    Fill(packets[taken++], *next_);
    Advance();
  }
  return taken;
}

uint32_t CapturePort::TxBurst(rte_mbuf** packets, uint32_t count) {
  if (writer_ != nullptr) {
    for (uint32_t i = 0; i < count; ++i) {
      writer_->Write(*MetaOf(packets[i]), rte_pktmbuf_mtod(packets[i], const uint8_t*), packets[i]->data_len);
    }
    if (writer_->failed()) next_ = nullptr;  // Nothing of the run will be left: no need to go on.
  }
  rte_pktmbuf_free_bulk(packets, count);
  return count;
}

Expected<void> CapturePort::Finish() {
  std::unique_ptr<CaptureWriter> writer = std::move(writer_);
  if (error_) return std::unexpected(*error_);
  if (writer == nullptr) return {};
  return writer->Finish();
}

}  // namespace nf
