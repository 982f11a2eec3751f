#include "runtime/inputs.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "packet/packet_meta.h"
#include "port/capture_port.h"
#include "port/ethdev_port.h"
#include "runtime/pool_size.h"

namespace nf {
namespace {

// Held fragments, one poll, and what mempool caches keep; emitted frames of one poll besides. A power of 2 less one.
constexpr uint32_t kPoolPackets = 2047;
constexpr uint32_t kPoolPacketsWithEmits = 8191;

Expected<rte_mempool*> MakePool(const RuntimeSpec& spec) {
  static std::atomic<uint32_t> number = 0;
  const bool emits =
      std::any_of(spec.chain.begin(), spec.chain.end(), [](const NfSpec& nf) { return nf.rights.emits != 0; });
  const std::string name = "nf_pool_" + std::to_string(number++);
  if (spec.switching) {
    const bool holds = spec.switching->replication.replicas != 0;
    return CreatePacketPool(name.c_str(), PoolPackets(holds ? kPoolPacketsReplicated : kPoolPacketsOfTenant));
  }
  return CreatePacketPool(name.c_str(), emits ? kPoolPacketsWithEmits : kPoolPackets);
}

}  // namespace

Expected<Inputs> Inputs::Open(const RuntimeSpec& spec) {
  Inputs inputs;
  if (const auto* fabric = std::get_if<FabricInput>(&spec.input)) {
    if (fabric->client == nullptr || fabric->server == nullptr || fabric->pool == nullptr) {
      return Fail(ErrorCode::kRuntimeSpec, "a runtime on fabric ports needs two ports and a pool");
    }
    inputs.client = fabric->client;
    inputs.server = fabric->server;
    inputs.pool = fabric->pool;
    inputs.is_capture = fabric->is_capture;
    return inputs;
  }
  auto pool = MakePool(spec);
  if (!pool) return std::unexpected(pool.error());
  inputs.own_pool_ = inputs.pool = *pool;
  if (const auto* capture = std::get_if<CaptureInput>(&spec.input)) {
    auto port =
        CapturePort::Open({.in = capture->in, .out = capture->out, .client_cidrs = capture->client_cidrs}, inputs.pool);
    if (!port) return std::unexpected(port.error());
    inputs.own_client_ = std::move(*port);
    inputs.is_capture = true;
    inputs.client = inputs.server = inputs.own_client_.get();
    return inputs;
  }
  const auto& live = std::get<AfPacketInput>(spec.input);
  auto client = EthdevPort::OpenAfPacket(live.client, inputs.pool, 0);
  if (!client) return std::unexpected(client.error());
  inputs.own_client_ = std::move(*client);
  auto server = EthdevPort::OpenAfPacket(live.server, inputs.pool, 1);
  if (!server) return std::unexpected(server.error());
  inputs.own_server_ = std::move(*server);
  inputs.client = inputs.own_client_.get();
  inputs.server = inputs.own_server_.get();
  return inputs;
}

std::vector<int> Inputs::wait_fds() const {
  std::vector<int> fds;
  for (Port* port : {client, server}) {
    for (int fd : port->wait_fds()) fds.push_back(fd);
    if (client == server) break;
  }
  return fds;
}

std::optional<Error> Inputs::Finish() {
  std::optional<Error> error;
  for (Port* port : {client, server}) {
    if (auto done = port->Finish(); !done && !error) error = done.error();
    if (client == server) break;
  }
  return error;
}

Inputs::Inputs(Inputs&& other) noexcept { *this = std::move(other); }

Inputs& Inputs::operator=(Inputs&& other) noexcept {
  if (this == &other) return *this;
  Close();
  client = std::exchange(other.client, nullptr);
  server = std::exchange(other.server, nullptr);
  pool = std::exchange(other.pool, nullptr);
  is_capture = other.is_capture;
  own_client_ = std::move(other.own_client_);
  own_server_ = std::move(other.own_server_);
  own_pool_ = std::exchange(other.own_pool_, nullptr);
  return *this;
}

Inputs::~Inputs() { Close(); }

void Inputs::Close() {
  own_client_.reset();  // Before the pool that their packets come from.
  own_server_.reset();
  if (own_pool_ != nullptr) rte_mempool_free(own_pool_);
  own_pool_ = nullptr;
}

}  // namespace nf
