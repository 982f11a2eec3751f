#include "runtime/perform.h"

#include <chrono>
#include <thread>

#include "base/check.h"

namespace nf {
namespace {

// How often a control thread looks whether its command is done. Being woken up instead would cost the lcore a system
// call in front of waiting packets: some 8 us.
constexpr std::chrono::microseconds kLook{50};

}  // namespace

void PerformCommand(Lcore& lcore, bool runs, CommandRing& ring, Command& command,
                    const std::function<void(Command&)>& execute) {
  if (!runs || lcore.ended()) return execute(command);
  NF_CHECK(ring.Push(&command), "commands are made one at a time");
  lcore.Wake();
  while (!command.done.load(std::memory_order_acquire)) {
    if (lcore.ended() && !command.done.load(std::memory_order_acquire)) {
      // The lcore ended without it, and takes nothing any more.
      if (ring.Front() == &command) ring.Pop();
      if (command.flipped)
        command.done.store(true);
      else
        execute(command);
      return;
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace nf
