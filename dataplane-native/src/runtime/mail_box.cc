#include "runtime/mail_box.h"

#include <rte_errno.h>

#include <atomic>
#include <string>

namespace nf {
namespace {

constexpr uint32_t kFrames = 1024;

}  // namespace

Expected<std::unique_ptr<MailBox>> MailBox::Create() {
  static std::atomic<uint32_t> number = 0;
  const std::string name = "nf_mail_" + std::to_string(number++);
  rte_ring* ring = rte_ring_create(name.c_str(), kFrames, SOCKET_ID_ANY, RING_F_SC_DEQ);
  if (ring != nullptr) return std::unique_ptr<MailBox>(new MailBox(ring));
  return Fail(ErrorCode::kEalMemory, std::string("no ring for messages could be made: ") + rte_strerror(rte_errno));
}

MailBox::~MailBox() {
  rte_mbuf* mbuf;
  while (Take(&mbuf, 1) != 0) rte_pktmbuf_free(mbuf);
  rte_ring_free(ring_);
}

}  // namespace nf
