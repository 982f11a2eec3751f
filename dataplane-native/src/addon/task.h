// Work of the control path that may block, on a thread of its own, with a promise for its result. Not Node's thread
// pool: a run's end may take days, and four of them would stop all file access. Main thread.
//
// One thread-safe function serves all tasks. It is made before Node is asked to call Join at the end of the
// environment: Node tidies up in reverse order, so the threads are gone before the function is.
#pragma once

#include <napi.h>

#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "addon/error.h"
#include "base/result.h"

namespace nf {

class Tasks {
 public:
  explicit Tasks(Napi::Env env);

  // Turns a result into JavaScript's, on the main thread. Throws Napi::Error to reject.
  using Deliver = std::function<Napi::Value(Napi::Env)>;

  // `work` runs on a new thread and must touch nothing of JavaScript; what it returns runs on the main thread and
  // settles the promise. Node stays alive until then.
  Napi::Promise Run(Napi::Env env, std::function<Deliver()> work);
  // Waits for all of it; promises that are not settled by then never are. Last call.
  void Join();

  // Resolves with `convert(env, value)`, rejects with the error.
  template <typename T, typename Convert>
  static Deliver Settle(Expected<T> value, Convert convert) {
    auto shared = std::make_shared<Expected<T>>(std::move(value));
    return [shared, convert](Napi::Env env) -> Napi::Value {
      if (!*shared) throw ToError(env, shared->error());
      return convert(env, **shared);
    };
  }
  // The same for what has no value: resolves with undefined.
  static Deliver Settle(Expected<void> done) {
    return [done = std::move(done)](Napi::Env env) -> Napi::Value {
      OrThrow(env, done);
      return env.Undefined();
    };
  }

 private:
  struct Task {
    Napi::Promise::Deferred deferred;
    std::thread thread;
  };
  void Finish(Napi::Env env, std::list<Task>::iterator task, const Deliver& deliver);

  Napi::ThreadSafeFunction to_main_;
  std::list<Task> tasks_;
};

}  // namespace nf
