// Traces of a tenant in one process.
#include <algorithm>

#include "runtime/snapshot.h"
#include "runtime/tenant_parts.h"
#include "runtime/trace_all.h"

namespace nf {

// Null: the vswitch's.
std::unique_ptr<TraceControl> Tenant::Parts::MakeTrace(Member* member) {
  return std::make_unique<TraceControl>(
      member == nullptr, static_cast<uint32_t>(spec.chain.size()),
      [this, member](TraceSession* session) {
        Command command{.kind = Command::Kind::kTrace, .trace = session};
        if (member != nullptr)
          Perform(*member, command);
        else
          PerformInVswitch(command);
      },
      [member](uint8_t nf, uint8_t reason) {
        return member != nullptr ? DropName(member->runtime->chain().nf(nf), reason) : std::string("drop");
      });
}

// Runtimes begin before the vswitch chooses, and end after it.
Expected<std::string> Tenant::Trace(const std::string& request) {
  Parts& parts = *parts_;
  const bool is_read = request.find("\"trace_read\"") != std::string::npos;
  std::lock_guard trace(parts.trace);
  std::unique_lock<std::mutex> membership(parts.membership, std::defer_lock), names(parts.names, std::defer_lock);
  // Reading asks no lcore, and goes on while runtimes come and go, and versions.
  if (is_read)
    names.lock();
  else
    membership.lock();
  std::vector<std::pair<uint16_t, TraceControl*>> members;
  for (const auto& member : parts.members) members.emplace_back(member->runtime->id(), member->trace.get());
  members.emplace_back(proto::kVswitch, parts.vswitch_trace.get());
  if (request.find("\"trace_stop\"") != std::string::npos) std::ranges::rotate(members, members.end() - 1);
  return TraceAll(members, request);
}

}  // namespace nf
