// What a bridge tells the control thread of links, and how that thread notices.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace nf::link {

struct LinkEvent {
  enum class Kind : uint8_t { kUp, kDown, kFencedByDeath, kFencedByLink, kFencedBySilence };
  Kind kind;
  uint16_t member;
  uint32_t incarnation;
};

// From the lcore to one control thread, which is woken up by a descriptor. There are a handful of events in a link's
// life, and 16 links: a ring that is full has a reader that is gone, and what it misses is in the status.
class LinkEvents {
 public:
  LinkEvents();
  ~LinkEvents();
  LinkEvents(const LinkEvents&) = delete;
  LinkEvents& operator=(const LinkEvents&) = delete;

  void Put(const LinkEvent& event);  // The lcore.
  std::optional<LinkEvent> Take();   // The control thread.
  int fd() const { return fd_; }     // Readable when there is something; Take until there is nothing.

 private:
  static constexpr uint32_t kEvents = 256;
  int fd_;
  std::array<LinkEvent, kEvents> events_;
  std::atomic<uint32_t> head_{0}, tail_{0};
};

}  // namespace nf::link
