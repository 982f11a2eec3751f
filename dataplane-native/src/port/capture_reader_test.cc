#include "port/capture_reader.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <vector>

#include "port/test_captures.h"

namespace nf {
namespace {

using namespace test;

struct Got {
  std::string bytes;
  uint32_t wire_length;
  uint64_t timestamp_ns;
  RecordOrigin origin;
};

class CaptureReaderTest : public testing::Test {
 protected:
  // All records of a file of these bytes, until its end or an error.
  std::vector<Got> Read(const std::string& file) {
    error_.reset();
    std::vector<Got> records;
    auto reader = CaptureReader::Open(folder_.Write("in", file));
    if (!reader) {
      error_ = reader.error();
      return records;
    }
    for (;;) {
      const auto record = (*reader)->Next();
      if (!record) error_ = record.error();
      if (!record || *record == nullptr) break;
      const CaptureRecord& r = **record;
      records.push_back(
          {std::string(reinterpret_cast<const char*>(r.bytes), r.captured), r.wire_length, r.timestamp_ns, r.origin});
    }
    return records;
  }
  ErrorCode Code(const std::string& file) {
    Read(file);
    return error_ ? error_->code : ErrorCode::kInternal;
  }

  TempFolder folder_;
  std::optional<Error> error_;
};

constexpr Order kLittle{false}, kBig{true};

TEST_F(CaptureReaderTest, ClassicInBothByteOrdersAndUnits) {
  for (const Order order : {kLittle, kBig}) {
    for (const bool nano : {false, true}) {
      const auto records = Read(order.PcapHeader(nano ? 0xa1b23c4d : 0xa1b2c3d4) +
                                order.PcapRecord(10, 5, "first frame", 100) + order.PcapRecord(11, 6, ""));
      ASSERT_FALSE(error_);
      ASSERT_EQ(records.size(), 2u);
      EXPECT_EQ(records[0].bytes, "first frame");
      EXPECT_EQ(records[0].wire_length, 100u);
      EXPECT_EQ(records[0].timestamp_ns, 10'000'000'000 + (nano ? 5 : 5000));
      EXPECT_EQ(records[0].origin.time_high, 10u);
      EXPECT_EQ(records[0].origin.time_low, 5u);
      EXPECT_EQ(records[0].origin.excess, 0u);
      EXPECT_EQ(records[1].bytes, "");
    }
  }
}

TEST_F(CaptureReaderTest, CapturedBeyondOriginalCountsAsWireLength) {
  const auto records = Read(kLittle.PcapHeader() + kLittle.PcapRecord(0, 0, "0123456789", 4));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].wire_length, 10u);
  EXPECT_EQ(records[0].origin.excess, 6u);
}

TEST_F(CaptureReaderTest, AFrameCheckSequenceInTheLinkTypeIsNoOtherLinkType) {
  EXPECT_EQ(Read(kLittle.PcapHeader(0xa1b2c3d4, 0x24000001) + kLittle.PcapRecord(0, 0, "x")).size(), 1u);
}

TEST_F(CaptureReaderTest, PcapngUnitsAndOffsets) {
  const auto interface = [](const std::string& options) { return kLittle.Interface(options); };
  const auto resolution = [](uint8_t value) { return kLittle.Option(9, std::string(1, static_cast<char>(value))); };
  const std::string file =
      kLittle.Section() + interface("") + interface(kLittle.Option(2, "eth0") + resolution(9)) +
      interface(resolution(12)) + interface(resolution(0x80 | 10)) +
      interface(resolution(3) + kLittle.Option(14, kLittle.U64(static_cast<uint64_t>(-2))) + kLittle.Option(0, "")) +
      interface(resolution(0)) + interface(resolution(0xff)) + kLittle.Enhanced(0, 0x1'0000'0005, "abc") +
      kLittle.Enhanced(1, 7, "abc") + kLittle.Enhanced(2, 7999, "abc") + kLittle.Enhanced(3, 1536, "abc") +
      kLittle.Enhanced(4, 5000, "abc") + kLittle.Enhanced(5, 3, "abc") + kLittle.Enhanced(6, ~uint64_t{0}, "abc");
  const auto records = Read(file);
  ASSERT_FALSE(error_) << error_->message;
  ASSERT_EQ(records.size(), 7u);
  EXPECT_EQ(records[0].timestamp_ns, 0x1'0000'0005u * 1000);
  EXPECT_EQ(records[0].origin.time_high, 1u);
  EXPECT_EQ(records[0].origin.time_low, 5u);
  EXPECT_EQ(records[0].origin.blocks_before, 8u);
  EXPECT_EQ(records[1].timestamp_ns, 7u);
  EXPECT_EQ(records[2].timestamp_ns, 7u);
  EXPECT_EQ(records[3].timestamp_ns, 1'500'000'000u);
  EXPECT_EQ(records[4].timestamp_ns, 3'000'000'000u);
  EXPECT_EQ(records[5].timestamp_ns, 3'000'000'000u);
  EXPECT_EQ(records[6].timestamp_ns, 0u);  // 2^64 units of 2^-127 s are no time at all.
}

TEST_F(CaptureReaderTest, PcapngSectionsHaveTheirOwnOrderAndInterfaces) {
  const auto records =
      Read(kLittle.Section() + kLittle.Interface() + kLittle.Enhanced(0, 1, "little") + kLittle.Block(5, "statistics") +
           kBig.Section() + kBig.Block(4, "names") + kBig.Interface(kBig.Option(9, "\x09")) +
           kBig.Enhanced(0, 2, "big", 60, kBig.Option(1, "comment")));
  ASSERT_FALSE(error_) << error_->message;
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].timestamp_ns, 1000u);
  EXPECT_EQ(records[1].timestamp_ns, 2u);
  EXPECT_EQ(records[1].bytes, "big");
  EXPECT_EQ(records[1].wire_length, 60u);
  EXPECT_EQ(records[1].origin.blocks_before, 4u);
}

TEST_F(CaptureReaderTest, PcapngSimpleAndObsoletePackets) {
  const auto records = Read(kBig.Section() + kBig.Interface("", 6) + kBig.Simple("123456", 100) +
                            kBig.Simple("1234", 4) + kBig.Obsolete(0, 9, "old"));
  ASSERT_FALSE(error_) << error_->message;
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].bytes, "123456");
  EXPECT_EQ(records[0].wire_length, 100u);
  EXPECT_EQ(records[0].timestamp_ns, 0u);
  EXPECT_EQ(records[1].bytes, "1234");
  EXPECT_EQ(records[2].bytes, "old");
  EXPECT_EQ(records[2].timestamp_ns, 9000u);
}

TEST_F(CaptureReaderTest, RefusesWhatIsNoEthernetCapture) {
  EXPECT_EQ(Code(""), ErrorCode::kCaptureFormat);
  EXPECT_EQ(Code("abc"), ErrorCode::kCaptureFormat);
  EXPECT_EQ(Code("no capture at all, whatever its name says"), ErrorCode::kCaptureFormat);
  EXPECT_EQ(Code(kLittle.PcapHeader(0xa1b2cd34)), ErrorCode::kCaptureFormat);
  EXPECT_EQ(Code(kLittle.PcapHeader(0xa1b2c3d4, 113)), ErrorCode::kCaptureLinkType);
  EXPECT_NE(error_->message.find("113"), std::string::npos);
  EXPECT_EQ(Code(kLittle.Section() + kLittle.Interface("", 0, 276)), ErrorCode::kCaptureLinkType);
  std::string version = kBig.PcapHeader();
  version[5] = 1;
  EXPECT_EQ(Code(version), ErrorCode::kCaptureFormat);
  const auto missing = CaptureReader::Open(folder_ / "nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kCaptureRead);
  EXPECT_EQ(CaptureReader::Open(folder_ / ".").error().code, ErrorCode::kCaptureRead);
}

TEST_F(CaptureReaderTest, RefusesDamagedBlocks) {
  const std::string start = kLittle.Section() + kLittle.Interface();
  const auto damaged = [&](const std::string& rest) { return Code(start + rest) == ErrorCode::kCaptureFormat; };
  EXPECT_TRUE(damaged(kLittle.Enhanced(1, 0, "x")));  // No such interface.
  EXPECT_TRUE(damaged(kLittle.U32(6) + kLittle.U32(13) + std::string(20, '\0')));
  EXPECT_TRUE(damaged(kLittle.U32(6) + kLittle.U32(8) + std::string(20, '\0')));
  EXPECT_TRUE(damaged(kLittle.Block(6, std::string(16, '\0'))));
  EXPECT_TRUE(damaged(kLittle.Block(1, "1234")));
  EXPECT_TRUE(damaged(kLittle.Interface(kLittle.U16(2) + kLittle.U16(50))));
  std::string lengths = kLittle.Enhanced(0, 0, "x");
  lengths[lengths.size() - 4] ^= 4;
  EXPECT_TRUE(damaged(lengths));
  std::string captured = kLittle.Enhanced(0, 0, "xxxx");
  captured[20] = 5;
  EXPECT_TRUE(damaged(captured));
  EXPECT_TRUE(damaged(kLittle.Block(0x0a0d0d0a, std::string(16, '\0'))));  // No byte-order magic.
  EXPECT_EQ(Code(kLittle.PcapHeader() + kLittle.U64(0) + kLittle.U32(262145) + kLittle.U32(262145)),
            ErrorCode::kCaptureFormat);
}

TEST_F(CaptureReaderTest, ACutFileIsAnErrorThatNamesThePlace) {
  const std::string pcap =
      kLittle.PcapHeader() + kLittle.PcapRecord(1, 2, "0123456789") + kLittle.PcapRecord(1, 2, "0123456789");
  const std::string pcapng = kLittle.Section() + kLittle.Interface() + kLittle.Enhanced(0, 1, "0123456789") +
                             kLittle.Block(5, "statistics") + kBig.Section() + kBig.Interface() +
                             kBig.Enhanced(0, 1, "0123456789", -1, kBig.Option(1, "comment"));
  for (const std::string& whole : {pcap, pcapng}) {
    const size_t records = Read(whole).size();
    ASSERT_FALSE(error_) << error_->message;
    size_t clean = 0;
    for (size_t bytes = 4; bytes < whole.size(); ++bytes) {
      EXPECT_LE(Read(whole.substr(0, bytes)).size(), records);
      if (!error_) {
        ++clean;  // Cut between two records or blocks.
        continue;
      }
      ASSERT_EQ(error_->code, ErrorCode::kCaptureTruncated) << bytes << ": " << error_->message;
      ASSERT_NE(error_->message.find("the file has " + std::to_string(bytes)), std::string::npos) << error_->message;
    }
    EXPECT_EQ(clean, whole == pcap ? 2u : 6u);
  }
  Read(pcap.substr(0, 60));
  EXPECT_NE(error_->message.find("record 2 that begins at byte 50"), std::string::npos) << error_->message;
}

TEST_F(CaptureReaderTest, LargeRecordsAndManyOfThem) {
  std::string file = kLittle.PcapHeader();
  for (uint32_t i = 0; i < 40; ++i) file += kLittle.PcapRecord(i, 0, std::string(i * 6553, static_cast<char>(i)));
  const auto records = Read(file);
  ASSERT_FALSE(error_) << error_->message;
  ASSERT_EQ(records.size(), 40u);
  for (uint32_t i = 0; i < 40; ++i) EXPECT_EQ(records[i].bytes, std::string(i * 6553, static_cast<char>(i)));
}

TEST_F(CaptureReaderTest, DamagedFilesNeverHurt) {
  std::mt19937 random(11);
  const std::string pcap = kBig.PcapHeader() + kBig.PcapRecord(1, 2, "0123456789") + kBig.PcapRecord(1, 2, "abc");
  const std::string pcapng = kLittle.Section() + kLittle.Interface(kLittle.Option(9, "\x09") + kLittle.Option(0, "")) +
                             kLittle.Enhanced(0, 1, "0123456789") + kLittle.Simple("1234", 9) +
                             kLittle.Obsolete(0, 1, "old packet") + kBig.Section() + kBig.Interface() +
                             kBig.Enhanced(0, 1, "0123456789");
  for (int round = 0; round < 4000; ++round) {
    std::string file = round % 2 ? pcap : pcapng;
    for (uint32_t i = random() % 4; i-- > 0;) file[random() % file.size()] = static_cast<char>(random());
    file.resize(random() % 3 == 0 ? random() % file.size() : file.size());
    for (const Got& record : Read(file)) ASSERT_GE(record.wire_length, record.bytes.size());
  }
}

}  // namespace
}  // namespace nf
