#include "port/capture_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "port/capture_reader.h"
#include "port/test_captures.h"

namespace nf {
namespace {

using namespace test;

constexpr Order kLittle{false}, kBig{true};

struct Read {
  std::string bytes;
  PacketMeta meta;
};

class CaptureWriterTest : public testing::Test {
 protected:
  std::vector<Read> ReadAll(const std::string& file) {
    reader_ = std::move(*CaptureReader::Open(folder_.Write("in", file)));
    std::vector<Read> records;
    while (const CaptureRecord* record = *reader_->Next()) {
      Read read{std::string(reinterpret_cast<const char*>(record->bytes), record->captured), {}};
      read.meta.arrival = records.size();
      read.meta.wire_length = record->wire_length;
      read.meta.record = record->origin;
      records.push_back(read);
    }
    return records;
  }
  static void Write(CaptureWriter& writer, const Read& record) {
    writer.Write(record.meta, reinterpret_cast<const uint8_t*>(record.bytes.data()),
                 static_cast<uint32_t>(record.bytes.size()));
  }
  std::string WriteAll(const std::vector<Read>& records) {
    auto writer = std::move(*CaptureWriter::Create(folder_ / "out", reader_->format()));
    for (const Read& record : records) Write(*writer, record);
    const auto finished = writer->Finish();
    EXPECT_TRUE(finished) << finished.error().message;
    return ReadFile(folder_ / "out");
  }

  TempFolder folder_;
  std::unique_ptr<CaptureReader> reader_;
};

std::string SomePcap(const Order& order, uint32_t magic, uint32_t records) {
  std::string file = order.PcapHeader(magic, 0x24000001);
  for (uint32_t i = 0; i < records; ++i) {
    // A fraction beyond a second and an original length below the captured one: copied as they are.
    file += order.PcapRecord(i, i % 5 == 0 ? 2'000'000'000 : i, "frame " + std::to_string(i), i % 7 == 0 ? 3 : 1500);
  }
  return file;
}

std::string SomePcapng() {
  const std::string speed = kBig.Option(8, kBig.U64(1000));
  return kLittle.Section() + kLittle.Interface() + kLittle.Enhanced(0, 1, "a") + kLittle.Enhanced(0, 1, "bc") +
         kLittle.Interface(kLittle.Option(2, "late")) + kLittle.Enhanced(1, 2, "def") + kBig.Section() +
         kBig.Interface(speed) + kBig.Enhanced(0, 3, "ghij", 99) + kBig.Interface();
}

TEST_F(CaptureWriterTest, AnUnchangedClassicFileIsIdentical) {
  for (const Order& order : {kLittle, kBig}) {
    for (const uint32_t magic : {0xa1b2c3d4, 0xa1b23c4d}) {
      const std::string file = SomePcap(order, magic, 100);
      EXPECT_EQ(WriteAll(ReadAll(file)), file);
      EXPECT_EQ(folder_.files(), 2u);  // In and out, and nothing else.
    }
  }
}

TEST_F(CaptureWriterTest, PcapngKeepsItsBlocksAtTheirPlaces) {
  const std::string file = SomePcapng();
  EXPECT_EQ(WriteAll(ReadAll(file)), file);
  // The length of a section is given as unknown, since it may change.
  EXPECT_EQ(WriteAll(ReadAll(kBig.Section(76) + kBig.Interface())), kBig.Section() + kBig.Interface());
  // Blocks that are not packets and options of packets are not kept, other packets become enhanced ones.
  EXPECT_EQ(WriteAll(ReadAll(kBig.Section() + kBig.Block(4, "names") + kBig.Interface() + kBig.Simple("1234", 9) +
                             kBig.Obsolete(0, 5, "old!") + kBig.Enhanced(0, 6, "x", -1, kBig.Option(1, "comment")))),
            kBig.Section() + kBig.Interface() + kBig.Enhanced(0, 0, "1234", 9) + kBig.Enhanced(0, 5, "old!") +
                kBig.Enhanced(0, 6, "x"));
}

TEST_F(CaptureWriterTest, DroppedRecordsLeaveTheRest) {
  auto records = ReadAll(SomePcapng());
  records.erase(records.begin(), records.begin() + 3);
  EXPECT_EQ(WriteAll(records), kLittle.Section() + kLittle.Interface() + kLittle.Interface(kLittle.Option(2, "late")) +
                                   kBig.Section() + kBig.Interface(kBig.Option(8, kBig.U64(1000))) +
                                   kBig.Enhanced(0, 3, "ghij", 99) + kBig.Interface());
}

TEST_F(CaptureWriterTest, BothLengthsFollowAnEdit) {
  auto records = ReadAll(kLittle.PcapHeader() + kLittle.PcapRecord(1, 2, "0123456789", 1500) +
                         kLittle.PcapRecord(1, 3, "0123456789", 4));
  for (Read& record : records) {
    record.bytes += "ab";
    record.meta.wire_length += 2;
  }
  EXPECT_EQ(WriteAll(records), kLittle.PcapHeader() + kLittle.PcapRecord(1, 2, "0123456789ab", 1502) +
                                   kLittle.PcapRecord(1, 3, "0123456789ab", 6));
}

TEST_F(CaptureWriterTest, LateRecordsComeToTheirPlaces) {
  for (const std::string& file : {SomePcap(kBig, 0xa1b2c3d4, 400), SomePcapng()}) {
    auto records = ReadAll(file);
    std::mt19937 random(5);
    for (int round = 0; round < 20; ++round) {
      std::shuffle(records.begin(), records.end(), random);
      ASSERT_EQ(WriteAll(records), file);
    }
    EXPECT_EQ(folder_.files(), 2u);
  }
}

TEST_F(CaptureWriterTest, FramesFollowTheirCause) {
  auto records = ReadAll(kLittle.PcapHeader() + kLittle.PcapRecord(1, 1, "one") + kLittle.PcapRecord(2, 2, "two"));
  Read first = records[0], second = records[0];
  first.bytes = "made";
  first.meta.wire_length = 4;
  first.meta.emitted = 1;
  second = first;
  first.meta.emit_order = 1;
  second.meta.emit_order = 2;
  second.bytes = "more";
  const std::string wanted = kLittle.PcapHeader() + kLittle.PcapRecord(1, 1, "one") + kLittle.PcapRecord(1, 1, "made") +
                             kLittle.PcapRecord(1, 1, "more") + kLittle.PcapRecord(2, 2, "two");
  EXPECT_EQ(WriteAll({records[0], first, second, records[1]}), wanted);
  EXPECT_EQ(WriteAll({records[1], second, records[0], first}), wanted);
}

TEST_F(CaptureWriterTest, ThereIsNothingBeforeTheEnd) {
  ReadAll(kLittle.PcapHeader());
  folder_.Write("out", "what was there");
  auto writer = std::move(*CaptureWriter::Create(folder_ / "out", reader_->format()));
  EXPECT_EQ(ReadFile(folder_ / "out"), "what was there");
  writer.reset();  // A run that failed.
  EXPECT_EQ(ReadFile(folder_ / "out"), "what was there");
  EXPECT_EQ(folder_.files(), 2u);
  EXPECT_EQ(WriteAll({}), kLittle.PcapHeader());
}

TEST_F(CaptureWriterTest, SaysWhatCannotBeWritten) {
  ReadAll(kLittle.PcapHeader());
  const auto code = [&](const std::string& path) {
    const auto writer = CaptureWriter::Create(path, reader_->format());
    return writer ? ErrorCode::kInternal : writer.error().code;
  };
  EXPECT_EQ(code(folder_ / "no/such/folder/out"), ErrorCode::kCaptureWrite);
  EXPECT_EQ(code("/dev/null"), ErrorCode::kCaptureWrite);
  EXPECT_EQ(code(folder_ / "."), ErrorCode::kCaptureWrite);
}

TEST(RecordIndex, SpillsAndMergesAnyOrder) {
  TempFolder folder;
  std::mt19937 random(9);
  for (const uint32_t late_max : {1u, 7u, 1000u}) {
    RecordIndex index;
    index.Create(folder / "x", late_max);
    std::vector<uint64_t> arrivals(5000);
    for (size_t i = 0; i < arrivals.size(); ++i) arrivals[i] = i;
    for (int i = 0; i < 1000; ++i) std::swap(arrivals[random() % 5000], arrivals[random() % 5000]);
    if (late_max == 1) arrivals.resize(300);
    for (const uint64_t arrival : arrivals) {
      index.Append({.arrival = arrival, .offset = arrival * 3, .length = 1, .blocks_before = 0, .order = 0, .zero = 0});
    }
    std::sort(arrivals.begin(), arrivals.end());
    index.StartMerge();
    IndexedRecord record;
    for (const uint64_t arrival : arrivals) {
      ASSERT_TRUE(index.Next(&record));
      ASSERT_EQ(record.arrival, arrival);
      ASSERT_EQ(record.offset, arrival * 3);
    }
    EXPECT_FALSE(index.Next(&record));
    EXPECT_EQ(index.error(), 0);
  }
}

}  // namespace
}  // namespace nf
