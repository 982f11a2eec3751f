// Makes a failing scenario smaller: fewer events, milder conditions, as long as it still fails.
#pragma once

#include <string>

#include "sim/scenario.h"

namespace nf::sim {

// `runs`: at most so many attempts.
Scenario Shrink(const Scenario& failing, int runs);

}  // namespace nf::sim
