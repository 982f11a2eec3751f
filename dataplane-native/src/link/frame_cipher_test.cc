#include "link/frame_cipher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "link/replay_window.h"

namespace nf::link {
namespace {

FrameCipher Cipher(uint8_t key) {
  CipherKey bytes;
  bytes.fill(key);
  auto cipher = FrameCipher::Create(bytes);
  EXPECT_TRUE(cipher.has_value());
  return std::move(*cipher);
}

std::vector<uint8_t> Sealed(FrameCipher& cipher, const std::vector<uint8_t>& payload, uint64_t counter = 1) {
  std::vector<uint8_t> frame(kControlOverheadBytes + payload.size());
  const OuterHeader outer = {.destination = AddressOf(1, 2), .source = AddressOf(1, 3), .ether_type = {0x88, 0xb5}};
  const ControlHeader header = {.version = kControlVersion,
                                .kind = ControlKind::kMail,
                                .source = 3,
                                .incarnation = 99,
                                .counter_low = static_cast<uint32_t>(counter),
                                .counter_high = static_cast<uint16_t>(counter >> 32),
                                .bytes = static_cast<uint16_t>(payload.size())};
  std::memcpy(frame.data(), &outer, sizeof outer);
  std::memcpy(frame.data() + sizeof outer, &header, sizeof header);
  std::ranges::copy(payload, frame.begin() + kControlHeaderBytes);
  EXPECT_TRUE(cipher.Seal(frame.data(), payload.size()));
  return frame;
}

bool Opens(FrameCipher& cipher, const std::vector<uint8_t>& frame, std::vector<uint8_t>* payload = nullptr) {
  const auto header = DecodeControl(frame);
  if (!header) return false;
  std::vector<uint8_t> out(header->bytes + 1);
  if (!cipher.Open(frame, *header, out.data())) return false;
  out.resize(header->bytes);
  if (payload != nullptr) *payload = out;
  return true;
}

TEST(FrameCipher, WhatIsSealedOpensAndCannotBeReadBetween) {
  FrameCipher one = Cipher(7), other = Cipher(7);
  for (const size_t bytes : {0, 1, 16, 40, 1000, 4096}) {
    const std::vector<uint8_t> payload(bytes, 0x5a);
    const auto frame = Sealed(one, payload);
    std::vector<uint8_t> read;
    ASSERT_TRUE(Opens(other, frame, &read)) << bytes;
    EXPECT_EQ(read, payload);
    if (bytes < 16) continue;
    EXPECT_NE(std::memcmp(frame.data() + kControlHeaderBytes, payload.data(), bytes), 0);
  }
}

TEST(FrameCipher, PaddingOfALinkChangesNothing) {
  FrameCipher cipher = Cipher(7);
  auto frame = Sealed(cipher, {1, 2, 3});
  frame.resize(64);
  EXPECT_TRUE(Opens(cipher, frame));
}

TEST(FrameCipher, AnyFlippedBitIsRefused) {
  FrameCipher cipher = Cipher(7);
  const auto frame = Sealed(cipher, std::vector<uint8_t>(28, 1));
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    auto bad = frame;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(Opens(cipher, bad)) << "bit " << bit;
  }
  EXPECT_TRUE(Opens(cipher, frame)) << "the cipher is none the worse";
}

TEST(FrameCipher, AnotherTenantsKeyIsRefused) {
  FrameCipher cipher = Cipher(7), foreign = Cipher(8);
  EXPECT_FALSE(Opens(cipher, Sealed(foreign, {1, 2, 3})));
}

TEST(FrameCipher, TheCounterIsPartOfTheNonce) {
  FrameCipher cipher = Cipher(7);
  const std::vector<uint8_t> payload(64, 0);
  const auto first = Sealed(cipher, payload, 1), high = Sealed(cipher, payload, uint64_t{1} << 32 | 1);
  EXPECT_NE(std::memcmp(first.data() + kControlHeaderBytes, high.data() + kControlHeaderBytes, 64), 0);
}

TEST(ReplayWindow, EachNumberIsGoodOnce) {
  ReplayWindow window;
  EXPECT_FALSE(window.Take(0));
  for (uint64_t number = 1; number < 5000; ++number) {
    EXPECT_TRUE(window.Take(number));
    EXPECT_FALSE(window.Take(number));
  }
  EXPECT_FALSE(window.Take(4999 - ReplayWindow::kNumbers)) << "too old to know";
}

// Against a set of all that have come.
TEST(ReplayWindow, KnowsWhatHasComeInAnyOrder) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ReplayWindow window;
    std::vector<bool> come(100'000);
    uint64_t highest = 0;
    for (int i = 0; i < 3000; ++i) {
      const uint64_t jump = random() % 40 == 0 ? random() % 3000 : random() % 8;
      const uint64_t back = random() % 1500;
      uint64_t number = random() % 2 == 0 ? highest + jump : (highest > back ? highest - back : 1);
      number = std::clamp<uint64_t>(number, 1, come.size() - 1);
      const bool is_new = !come[number] && number + ReplayWindow::kNumbers > highest;
      ASSERT_EQ(window.Take(number), is_new) << number << " with highest " << highest;
      if (!is_new) continue;
      come[number] = true;
      highest = std::max(highest, number);
    }
  }
}

}  // namespace
}  // namespace nf::link
