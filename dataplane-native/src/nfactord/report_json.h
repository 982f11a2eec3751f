// What a run says, as JSON on one line.
#pragma once

#include <string>

#include "runtime/report.h"

namespace nf {

std::string ToJson(const RunReport& report);
std::string ToJson(const Event& event);

}  // namespace nf
