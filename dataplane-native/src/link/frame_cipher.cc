#include "link/frame_cipher.h"

#include <openssl/evp.h>

namespace nf::link {
namespace {

using Nonce = std::array<uint8_t, 12>;

Nonce NonceOf(const ControlHeader& header) {
  Nonce nonce;
  std::memcpy(nonce.data(), &header.source, 2);
  std::memcpy(nonce.data() + 2, &header.incarnation, 4);
  std::memcpy(nonce.data() + 6, &header.counter_low, 4);
  std::memcpy(nonce.data() + 10, &header.counter_high, 2);
  return nonce;
}

}  // namespace

void FrameCipher::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

Expected<FrameCipher> FrameCipher::Create(const CipherKey& key) {
  Context seal(EVP_CIPHER_CTX_new()), open(EVP_CIPHER_CTX_new());
  static_assert(sizeof(Nonce) == 12, "what GCM takes by itself");
  if (!seal || !open || EVP_EncryptInit_ex(seal.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) != 1 ||
      EVP_DecryptInit_ex(open.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) != 1) {
    return Fail(ErrorCode::kInternal, "the cipher for links, AES-256-GCM, could not be made");
  }
  return FrameCipher(std::move(seal), std::move(open));
}

bool FrameCipher::Seal(uint8_t* frame, size_t payload_bytes) {
  ControlHeader header;
  std::memcpy(&header, frame + sizeof(OuterHeader), sizeof header);
  const Nonce nonce = NonceOf(header);
  uint8_t* payload = frame + kControlHeaderBytes;
  EVP_CIPHER_CTX* context = seal_.get();
  int bytes = 0;
  return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &bytes, frame, kControlHeaderBytes) == 1 &&
         EVP_EncryptUpdate(context, payload, &bytes, payload, static_cast<int>(payload_bytes)) == 1 &&
         EVP_EncryptFinal_ex(context, payload + payload_bytes, &bytes) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kControlTagBytes, payload + payload_bytes) == 1;
}

bool FrameCipher::Open(std::span<const uint8_t> frame, const ControlHeader& header, uint8_t* out) {
  const Nonce nonce = NonceOf(header);
  const uint8_t* payload = frame.data() + kControlHeaderBytes;
  std::array<uint8_t, kControlTagBytes> tag;
  std::memcpy(tag.data(), payload + header.bytes, tag.size());
  EVP_CIPHER_CTX* context = open_.get();
  int bytes = 0;
  return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &bytes, frame.data(), kControlHeaderBytes) == 1 &&
         EVP_DecryptUpdate(context, out, &bytes, payload, header.bytes) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kControlTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context, out + header.bytes, &bytes) == 1;
}

}  // namespace nf::link
