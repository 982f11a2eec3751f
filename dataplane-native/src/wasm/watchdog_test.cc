#include "wasm/watchdog.h"

#include <gtest/gtest.h>
#include <wasmtime.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>
#include <thread>

namespace nf {
namespace {

using std::chrono::milliseconds;

// An engine, and a call in it that ends only where the epoch passes its deadline.
class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() {
    wasm_config_t* config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    engine_.reset(wasm_engine_new_with_config(config));
    constexpr std::string_view kForever = "(module (start 0) (func (loop (br 0))))";
    wasm_byte_vec_t bytes;
    EXPECT_EQ(wasmtime_wat2wasm(kForever.data(), kForever.size(), &bytes), nullptr);
    EXPECT_EQ(wasmtime_module_new(engine_.get(), reinterpret_cast<uint8_t*>(bytes.data), bytes.size, &module_),
              nullptr);
    wasm_byte_vec_delete(&bytes);
  }
  ~WatchdogTest() override { wasmtime_module_delete(module_); }

  // Whether the deadline of a call passes by itself. Where it does not, the watchdog is woken after some seconds.
  bool EndsByItself(Watchdog& watchdog) {
    std::atomic<bool> ended = false, helped = false;
    std::thread helper([&] {
      for (int i = 0; i < 300 && !ended; ++i) std::this_thread::sleep_for(milliseconds(10));
      if (ended) return;
      helped = true;
      watchdog.Touch();
    });
    wasmtime_store_t* store = wasmtime_store_new(engine_.get(), nullptr, nullptr);
    wasmtime_context_t* context = wasmtime_store_context(store);
    wasmtime_context_set_epoch_deadline(context, Watchdog::kLead);
    wasmtime_instance_t instance;
    wasm_trap_t* trap = nullptr;
    wasmtime_error_t* error = wasmtime_instance_new(context, module_, nullptr, 0, &instance, &trap);
    ended = true;
    EXPECT_TRUE(error != nullptr || trap != nullptr);
    if (error != nullptr) wasmtime_error_delete(error);
    if (trap != nullptr) wasm_trap_delete(trap);
    wasmtime_store_delete(store);
    helper.join();
    return !helped;
  }

  struct Delete {
    void operator()(wasm_engine_t* engine) const { wasm_engine_delete(engine); }
  };
  std::unique_ptr<wasm_engine_t, Delete> engine_;
  wasmtime_module_t* module_ = nullptr;
};

TEST_F(WatchdogTest, ACallThatWakesItEnds) {
  Watchdog watchdog(engine_.get(), 100);
  watchdog.Touch();
  EXPECT_TRUE(EndsByItself(watchdog));
}

// What a thread sees that loses its core between waking the watchdog and its next deadline.
TEST_F(WatchdogTest, ItDoesNotSleepWhileACallIsCounted) {
  Watchdog watchdog(engine_.get(), 100);
  watchdog.Enter();
  watchdog.Touch();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(EndsByItself(watchdog));
  watchdog.Leave();
}

}  // namespace
}  // namespace nf
