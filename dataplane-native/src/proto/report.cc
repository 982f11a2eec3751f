// A runtime's word to a new V: what it is to each flow. Until V has heard everybody, nothing here becomes what it has
// not been reported as.
#include "proto/runtime_machine.h"

namespace nf::proto {

void RuntimeMachine::BeginReport() {
  reporting_ = knew_vswitch_;  // A runtime that starts has nothing to tell.
  report_ended_ = false;
  report_at_ = 0;
  knew_vswitch_ = true;
}

ReportRecord RuntimeMachine::ReportOf(uint32_t index) const {
  const Actor& a = actors_[index];
  ReportRecord report{
      .entry = a.entry,
      .epoch = a.epoch,
      .handle = handle(index),
      .sequence = a.expected - 1,
      .role = FlowRole::kOwner,
      .flags = static_cast<uint8_t>((a.state == ActorState::kClosing ? kIsClosing : 0) | (a.safe ? kIsSafe : 0)),
      .key = a.key};
  if (a.state == ActorState::kAwaiting) {
    report.role = FlowRole::kAwaiting;
    report.epoch = a.came_epoch;
    report.attempt = a.came_attempt;
    report.sequence = a.held.count > 0 ? held_.back(a.held).header.stamp.sequence : 0;
  } else if (a.migration != kNone && migrations_[a.migration].new_epoch != 0) {
    const Migration& migration = migrations_[a.migration];
    report.role = FlowRole::kFinal;
    report.attempt = migration.id.attempt;
    report.new_epoch = migration.new_epoch;
    report.switch_sequence = migration.switch_sequence;
    report.other = migration.target;
  }
  return report;
}

bool RuntimeMachine::SayReport(ReportRecord report, uint32_t bytes) {
  report.bytes = static_cast<uint16_t>(bytes);
  return messages_->Say(kVswitch, MessageType::kReport, {reinterpret_cast<const uint8_t*>(&report), sizeof report},
                        std::span(report_bytes_).first(bytes));
}

// What finds no room in the channel is said in a later turn.
void RuntimeMachine::Report() {
  if (report_ended_) return;
  const auto actors = static_cast<uint32_t>(actors_.size());
  const uint32_t replicas_end = actors + (replicas_ ? replicas_->capacity() : 0);
  const auto end = static_cast<uint32_t>(replicas_end + views_.size());
  for (; report_at_ < end; ++report_at_) {
    if (report_at_ >= replicas_end) {
      const uint32_t entry = report_at_ - replicas_end;
      const uint32_t floor = views_[entry].floor;
      if (floor != 0 && !Tell(kVswitch, MessageType::kOver, {entry, floor, 0})) return;
      continue;
    }
    if (report_at_ < actors) {
      const Actor& a = actors_[report_at_];
      if (a.state == ActorState::kFree) continue;
      const bool has_flow = a.state != ActorState::kAwaiting;
      if (!SayReport(ReportOf(report_at_), has_flow ? host_->WriteReport(report_at_, report_bytes_) : 0)) return;
      continue;
    }
    const uint32_t place = report_at_ - actors;
    const auto& replica = replicas_->at(place);
    if (replica.entry == kNone) continue;
    const ReportRecord report{.entry = replica.entry,
                              .epoch = replica.epoch,
                              .handle = 0,
                              .sequence = replica.number,
                              .attempt = 0,
                              .new_epoch = 0,
                              .switch_sequence = 0,
                              .role = FlowRole::kReplica,
                              .flags = 0,
                              .bytes = 0,
                              .other = replicas_->owner(place),
                              .key = replicas_->key(place)};
    if (!SayReport(report, replication_->WriteReplicaReport(place, report_bytes_))) return;
  }
  report_ended_ = Tell(kVswitch, MessageType::kReported, {});
}

}  // namespace nf::proto
