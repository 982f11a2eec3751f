// Where in an unordered file each record lies, and in which order they belong. Records come almost in order, a few
// late: those in order go to one list on disk, the late ones to a bounded buffer, which goes to disk in sorted runs.
// The order of all is a merge of these.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "port/scratch_file.h"

namespace nf {

struct IndexedRecord {
  uint64_t arrival;
  uint64_t offset;
  uint32_t length;
  uint32_t blocks_before;
  uint32_t order;  // Among records of the same arrival: 0, then frames that it caused.
  uint32_t zero;

  bool operator<(const IndexedRecord& other) const {
    return arrival != other.arrival ? arrival < other.arrival : order < other.order;
  }
};

class RecordIndex {
 public:
  // Scratch files are made in the folder of `path`. `late_max`: late records kept in memory.
  void Create(const std::string& path, uint32_t late_max = 65536);

  void Append(const IndexedRecord& record);
  bool has_late() const { return !late_.empty() || !runs_.empty(); }
  int error() const { return in_order_.error() != 0 ? in_order_.error() : late_runs_.error(); }

  // All records in their order, once, after the last Append.
  void StartMerge();
  bool Next(IndexedRecord* record);

 private:
  // A sorted list of records on disk, read piece by piece.
  struct Run {
    ScratchFile* file;
    uint64_t next;  // Offset of what was not yet read.
    uint64_t end;
    std::vector<IndexedRecord> piece;
    size_t at = 0;
  };
  static constexpr size_t kPiece = 1024;
  void SpillLate();
  bool Peek(Run* run);  // False at its end.

  ScratchFile in_order_;
  ScratchFile late_runs_;
  std::vector<IndexedRecord> late_;
  uint32_t late_max_ = 0;
  std::vector<Run> runs_;
  IndexedRecord last_{};
  bool empty_ = true;
};

}  // namespace nf
