// One command of a trace to several members of one process.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "trace/control.h"

namespace nf {

// In this order. The answers as a JSON list, each with `member`; who has no such trace is left out when it is read
// from. Errors: member.command.
Expected<std::string> TraceAll(const std::vector<std::pair<uint16_t, TraceControl*>>& members,
                               const std::string& request);

}  // namespace nf
