// A page that two processes share, in which one sees whether a thread of the other is dead, by a load and within
// microseconds. The thread writes its id into a word and lists that word with the kernel, as the owner of a robust
// mutex does. When the thread is dead, for whatever reason, the kernel marks the word, before it gives back the
// process's memory and closes what it had open, which takes milliseconds (docs/adr/0014-death-seen-at-once.md).
//
// The kernel marks the word only if it holds the id of the dying thread, so whoever writes nonsense into the page is
// taken for dead too soon, or as late as without a page: that is its own business. The looking side believes nothing
// else of the page, and nobody can take the page away from under it.
//
// Beside it a doorbell: the living side asks, in a second word, to be woken, and the looking side writes one byte into
// a pipe for each time that it was asked, when it has sent something.
#pragma once

#include <linux/futex.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/shared_region.h"

namespace nf::link {

class LifePage {
 public:
  // The side that looks. `path` leads others of this user to the page while this object lives; what was there is
  // replaced. Errors: eal.memory, host.socket.
  static Expected<LifePage> Create(const std::string& path);
  // The side that lives. Nothing when it can't be had: its death is seen later then.
  static std::optional<LifePage> Open(const std::string& path);

  LifePage(LifePage&& other) noexcept { *this = std::move(other); }
  LifePage& operator=(LifePage&& other) noexcept {
    std::swap(region_, other.region_);
    std::swap(path_, other.path_);
    std::swap(mapped_, other.mapped_);
    std::swap(word_, other.word_);
    std::swap(pipe_, other.pipe_);
    return *this;
  }
  ~LifePage();

  // ---- One lcore looks.
  // Once true, all that the thread has ever written to memory can be seen.
  bool is_over() const { return (std::atomic_ref(*word_).load(std::memory_order_acquire) & FUTEX_OWNER_DIED) != 0; }

  // After something was put into the link: rings if that is asked for.
  void WakeIfAsked() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (std::atomic_ref(*asks()).load(std::memory_order_relaxed) != 0) [[unlikely]]
      Ring();
  }

  // ---- The thread that is looked at.
  // From now on the page tells of this thread; another page that it took tells nothing any more.
  void Take();
  // It tells nothing any more. Before the page goes away, on the thread that took it.
  void Release();
  // From now on the next thing that is sent makes the pipe readable, once. What was sent before has to be looked for.
  void AskForWake() { std::atomic_ref(*asks()).store(1, std::memory_order_seq_cst); }
  bool is_asking() const { return std::atomic_ref(*asks()).load(std::memory_order_relaxed) != 0; }
  // False when it was heard, or is about to be.
  bool StopAsking() { return std::atomic_ref(*asks()).exchange(0, std::memory_order_relaxed) != 0; }
  // Empties the pipe. Whether anything was in it.
  bool HearWake() const;
  int wake_fd() const { return pipe_; }

  uint32_t* word() { return word_; }  // For tests.

 private:
  LifePage() = default;
  void Ring() const;
  uint32_t* asks() const { return word_ + 16; }  // In a cache line of its own.

  SharedRegion region_;  // Of the side that looks.
  std::string path_;
  void* mapped_ = nullptr;  // By the side that lives.
  uint32_t* word_ = nullptr;
  int pipe_ = -1;
};

}  // namespace nf::link
