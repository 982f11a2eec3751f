// Makes control frames out of mbufs and takes them apart again: knows who this member is and which lives of others
// there are. One thread.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "link/frame_cipher.h"
#include "link/link_counters.h"
#include "link/link_frame.h"
#include "link/replay_window.h"
#include "runtime/member_mail.h"

namespace nf::link {

// Who a member is on links.
struct Identity {
  uint16_t tenant = 0;
  uint16_t member = 0;
  uint32_t incarnation = 0;
  CipherKey key{};
};

class ControlCodec {
 public:
  static Expected<ControlCodec> Create(const Identity& identity);
  // What is refused is counted there; before anything else.
  void set_counters(LinkCounters* counters) { counters_ = counters; }

  const Identity& identity() const { return identity_; }

  // The life of a member whose frames are taken from now on; 0: none. Again the same: nothing.
  void SetPeer(uint16_t member, uint32_t incarnation);
  uint32_t incarnation_of(uint16_t member) const { return senders_[member].incarnation; }

  // Makes `mbuf`, which holds the payload alone, a control frame to this member. False, and counted, when there is no
  // room.
  bool Seal(rte_mbuf* mbuf, ControlKind kind, uint16_t to);

  struct Opened {
    ControlKind kind;
    uint16_t source;
    uint16_t bytes;  // Of the payload.
  };
  static constexpr size_t kPayloadMax = kFrameBytesMax;
  // The payload of a frame to this member into `out`, which has room for kPayloadMax. Nothing, and counted, unless it
  // is genuine, new, and of a life that lives.
  std::optional<Opened> Open(std::span<const uint8_t> frame, uint8_t* out);

 private:
  struct Sender {
    uint32_t incarnation = 0;
    ReplayWindow window;
  };
  ControlCodec(const Identity& identity, FrameCipher cipher) : identity_(identity), cipher_(std::move(cipher)) {}
  std::nullopt_t Refuse(LinkCount why) {
    counters_->Add(why);
    return std::nullopt;
  }

  Identity identity_;
  FrameCipher cipher_;
  LinkCounters* counters_ = nullptr;
  uint64_t sealed_ = 0;
  std::array<Sender, kMembersMax> senders_;
};

}  // namespace nf::link
