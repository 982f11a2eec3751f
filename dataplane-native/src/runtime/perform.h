// A command's way from a control thread to an lcore and back.
#pragma once

#include <functional>

#include "runtime/command.h"
#include "runtime/command_ring.h"
#include "runtime/lcore.h"

namespace nf {

// Has the lcore carry the command out; or does so itself by `execute` when `runs` says that there is no lcore that
// would, and when it ends before it did. One at a time for a ring. Blocks.
void PerformCommand(Lcore& lcore, bool runs, CommandRing& ring, Command& command,
                    const std::function<void(Command&)>& execute);

}  // namespace nf
