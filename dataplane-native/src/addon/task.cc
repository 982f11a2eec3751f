#include "addon/task.h"

namespace nf {

Tasks::Tasks(Napi::Env env) {
  Napi::Function nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  to_main_ = Napi::ThreadSafeFunction::New(env, nothing, "nfactor", 0, 1);
  to_main_.Unref(env);
}

Napi::Promise Tasks::Run(Napi::Env env, std::function<Deliver()> work) {
  if (tasks_.empty()) to_main_.Ref(env);
  auto task = tasks_.insert(tasks_.end(), Task{Napi::Promise::Deferred::New(env), {}});
  Napi::Promise promise = task->deferred.Promise();
  task->thread = std::thread([this, task, work = std::move(work)] {
    auto deliver = std::make_shared<Deliver>(work());
    to_main_.BlockingCall([this, task, deliver](Napi::Env env, Napi::Function) { Finish(env, task, *deliver); });
  });
  return promise;
}

void Tasks::Finish(Napi::Env env, std::list<Task>::iterator task, const Deliver& deliver) {
  task->thread.join();
  Napi::Promise::Deferred deferred = task->deferred;
  tasks_.erase(task);
  if (tasks_.empty()) to_main_.Unref(env);
  try {
    deferred.Resolve(deliver(env));
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  }
}

void Tasks::Join() {
  for (Task& task : tasks_) task.thread.join();
  to_main_.Release();
}

}  // namespace nf
