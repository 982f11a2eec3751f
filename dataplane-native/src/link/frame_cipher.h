// Authenticates and encrypts control frames: AES-256-GCM over the payload, with both headers authenticated along. One
// key per tenant. The nonce is source, its incarnation and a counter, so no two frames of a tenant share one: whoever
// gives incarnations (the supervisor) gives each once. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "link/link_frame.h"

struct evp_cipher_ctx_st;

namespace nf::link {

using CipherKey = std::array<uint8_t, 32>;

class FrameCipher {
 public:
  // Errors: internal, when the library lacks the cipher.
  static Expected<FrameCipher> Create(const CipherKey& key);

  // `frame` begins with kControlHeaderBytes, complete; the payload behind them is encrypted in place, and the tag
  // written behind that.
  bool Seal(uint8_t* frame, size_t payload_bytes);
  // The payload of a frame with this header into `out`. False, and rubbish there, unless the frame is genuine.
  bool Open(std::span<const uint8_t> frame, const ControlHeader& header, uint8_t* out);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;
  FrameCipher(Context seal, Context open) : seal_(std::move(seal)), open_(std::move(open)) {}

  Context seal_, open_;
};

}  // namespace nf::link
