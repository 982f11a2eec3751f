#include "trace/filter.h"

#include <gtest/gtest.h>

namespace nf {
namespace {

// 10.0.0.1:4242 > 192.0.2.7:80, TCP.
FlowKey Key() {
  FlowKey key{};
  const uint8_t source[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  const uint8_t destination[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
  std::memcpy(key.source_address, source, 16);
  std::memcpy(key.destination_address, destination, 16);
  key.source_port = 4242;
  key.destination_port = 80;
  key.protocol = 6;
  key.ip_version = 4;
  return key;
}

TraceFilter::End End(std::initializer_list<uint8_t> ipv4, uint8_t bits, int32_t port = TraceFilter::kAnyPort) {
  TraceFilter::End end{.bits = static_cast<uint8_t>(96 + bits), .port = port};
  end.address[10] = end.address[11] = 0xff;
  std::copy(ipv4.begin(), ipv4.end(), end.address + 12);
  return end;
}

bool Matches(const TraceFilter& filter) {
  const bool matches = filter.Matches(Key());
  EXPECT_EQ(filter.Matches(Key().Reversed()), matches) << "either direction is the same";
  return matches;
}

TraceFilter With(std::initializer_list<TraceFilter::End> ends) {
  TraceFilter filter;
  for (const auto& end : ends) filter.ends[filter.ends_count++] = end;
  return filter;
}

TEST(TraceFilterTest, ProtocolAddressesAndPortsInEitherDirection) {
  EXPECT_TRUE(Matches({}));
  EXPECT_TRUE(Matches({.protocol = 6}));
  EXPECT_FALSE(Matches({.protocol = 17}));
  EXPECT_TRUE(Matches(With({End({10, 0, 0, 1}, 32)})));
  EXPECT_FALSE(Matches(With({End({10, 0, 0, 2}, 32)})));
  EXPECT_TRUE(Matches(With({End({10, 0, 0, 2}, 30)})));
  EXPECT_TRUE(Matches(With({End({10, 99, 0, 0}, 8)})));
  EXPECT_FALSE(Matches(With({End({10, 64, 0, 0}, 10)})));
  EXPECT_TRUE(Matches(With({{.port = 80}})));
  EXPECT_FALSE(Matches(With({{.port = 81}})));
}

TEST(TraceFilterTest, AnAddressWithAPortIsOneEndAndTwoWordsMayBeTwo) {
  EXPECT_TRUE(Matches(With({End({192, 0, 2, 7}, 32, 80)})));
  EXPECT_FALSE(Matches(With({End({10, 0, 0, 1}, 32, 80)})));
  EXPECT_TRUE(Matches(With({End({10, 0, 0, 1}, 32), {.port = 80}})));
  EXPECT_TRUE(Matches(With({End({10, 0, 0, 0}, 8), End({192, 0, 2, 0}, 24)})));
  EXPECT_FALSE(Matches(With({End({10, 0, 0, 0}, 8), End({192, 0, 3, 0}, 24)})));
}

}  // namespace
}  // namespace nf
