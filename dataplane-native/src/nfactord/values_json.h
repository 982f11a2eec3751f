// What a member says of itself, as native_types.ts has it: what is a bigint there is a decimal string, bytes are hex.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "link/link_counters.h"
#include "runtime/report.h"

namespace nf {

nlohmann::json ToValue(const CountersSnapshot& counters);
nlohmann::json ToValue(const RunReport& report);
nlohmann::json ToValue(const RuntimeStatus& status);
nlohmann::json ToValue(const OperationReport& report);
nlohmann::json ToValue(const SwapReport& report);
nlohmann::json ToValue(const FlowsPage& page);
nlohmann::json ToValue(const Event& event);
nlohmann::json ToValue(const Error& error);
nlohmann::json ToValue(const link::LinkCounters& counters);

// One line; text that is no UTF-8 is replaced.
std::string ToLine(const nlohmann::json& value);

}  // namespace nf
