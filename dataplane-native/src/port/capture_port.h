// A port whose packets are the records of a capture file and whose output is another one: docs/packet_path.md, sections
// 1 (where a poll ends) and 8. One object is both the client's and the server's port; in_port tells the sides apart.
// The only port that touches files on an lcore: a capture has all the time that it needs.
//
// Output appears under its name when Finish succeeds, and not at all else. It must not be given more than one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "port/capture_reader.h"
#include "port/capture_writer.h"
#include "port/client_side.h"
#include "port/port.h"

namespace nf {

class CapturePort : public Port {
 public:
  struct Options {
    std::string in;
    std::string out;                        // Empty: what is sent goes nowhere.
    std::vector<std::string> client_cidrs;  // Empty: all packets come in on the client's side.
  };
  // `pool` must have as many packets as the runtime can hold at once and 32 more: while it is empty no packet comes.
  // Errors: capture.*, config.prefix.
  static Expected<std::unique_ptr<CapturePort>> Open(const Options& options, rte_mempool* pool);
  ~CapturePort() override;

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override;
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override;
  bool at_end() const override { return next_ == nullptr; }
  Expected<void> Finish() override;

 private:
  CapturePort() = default;
  void Advance();  // Looks at the next record; at_end() when there is none or it is damaged.
  bool FillSpares();
  void Fill(rte_mbuf* mbuf, const CaptureRecord& record);

  rte_mempool* pool_ = nullptr;
  std::unique_ptr<CaptureReader> reader_;
  std::unique_ptr<CaptureWriter> writer_;  // Null: no output.
  ClientSide client_side_;
  const CaptureRecord* next_ = nullptr;  // Read, but not yet given out.
  uint64_t arrival_ = 0;
  std::optional<Error> error_;
  // A poll never ends because the pool is empty: that would make the run depend on it.
  std::array<rte_mbuf*, 32> spares_;
  uint32_t spares_count_ = 0;
};

}  // namespace nf
