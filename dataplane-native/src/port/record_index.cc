#include "port/record_index.h"

#include <algorithm>

namespace nf {

void RecordIndex::Create(const std::string& path, uint32_t late_max) {
  in_order_.CreateNameless(path);
  late_runs_.CreateNameless(path);
  late_max_ = late_max;
}

void RecordIndex::Append(const IndexedRecord& record) {
  if (empty_ || last_ < record) {
    empty_ = false;
    last_ = record;
    in_order_.Append(&record, sizeof record);
    return;
  }
  late_.push_back(record);
  if (late_.size() >= late_max_) SpillLate();
}

void RecordIndex::SpillLate() {
  std::stable_sort(late_.begin(), late_.end());
  const uint64_t begin = late_runs_.size();
  late_runs_.Append(late_.data(), late_.size() * sizeof(IndexedRecord));
  runs_.push_back({.file = &late_runs_, .next = begin, .end = late_runs_.size(), .piece = {}});
  late_.clear();
}

void RecordIndex::StartMerge() {
  if (!late_.empty()) SpillLate();
  runs_.push_back({.file = &in_order_, .next = 0, .end = in_order_.size(), .piece = {}});
}

bool RecordIndex::Peek(Run* run) {
  if (run->at < run->piece.size()) return true;
  if (run->next == run->end) return false;
  const size_t count = std::min<size_t>(kPiece, (run->end - run->next) / sizeof(IndexedRecord));
  run->piece.resize(count);
  run->at = 0;
  if (!run->file->ReadAt(run->next, run->piece.data(), count * sizeof(IndexedRecord))) return false;
  run->next += count * sizeof(IndexedRecord);
  return true;
}

bool RecordIndex::Next(IndexedRecord* record) {
  Run* first = nullptr;
  for (Run& run : runs_) {
    if (Peek(&run) && (first == nullptr || run.piece[run.at] < first->piece[first->at])) first = &run;
  }
  if (first == nullptr) return false;
  *record = first->piece[first->at++];
  return true;
}

}  // namespace nf
