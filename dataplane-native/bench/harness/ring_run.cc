#include "harness/ring_run.h"

#include "harness/must.h"

namespace nf {

RingRun::RingRun(Engine& engine, const Options& options) : rings_(options.traffic) {
  RuntimeSpec spec;
  spec.input = FabricInput{.client = &rings_.port(0), .server = &rings_.port(1), .pool = rings_.pool()};
  spec.flows_max = options.flows_max != 0 ? options.flows_max : options.traffic.flows;
  spec.idle_ms = options.idle_ms;
  spec.chain = options.chain;
  worker_ = Must(Worker::Create(engine, spec, {.native = options.native}));
}

}  // namespace nf
