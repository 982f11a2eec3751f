/** For tests only: a tenant in memory that answers as a dataplane does, for what is around it. */
import type { PeerConfig } from "../config/peer.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import { nativeError } from "../dataplane/native_error.ts";
import type { MigrateOptions, NativeFlow, NfCounters, OperationReport, RuntimeStatus } from "../dataplane/native_types.ts";

const done: OperationReport = { moved: 0, failed: 0, reason: "none", drained: false, undrained: false, durationNs: 1_000_000n };

export class TenantInMemory {
  readonly flowList: NativeFlow[] = [];
  readonly states = new Map<number, { draining: boolean; movedIn: bigint; movedOut: bigint; recovered: bigint }>();
  /** Flows have replicas, but for so many. */
  unprotected: number | undefined;
  stateLost = 0n;
  peerList: readonly PeerConfig[] = [];
  /** What was asked of it. */
  readonly calls: unknown[] = [];
  /** Operations end when this does. */
  gate: Promise<unknown> = Promise.resolve();
  #last = 0;

  constructor(runtimes: number, flows: readonly { runtime: number; port: number }[] = []) {
    for (let i = 0; i < runtimes; i++) this.#start();
    flows.forEach(({ runtime, port }, i) => {
      this.flowList.push({
        flowId: BigInt(i + 1),
        runtime,
        protocol: 17,
        ipVersion: 4,
        initiator: { address: "10.0.0.1", port },
        responder: { address: "10.0.0.2", port: 53 },
        vlan: [],
        packets: [1n, 0n],
        bytes: [60n, 0n],
        startNs: 0n,
        lastSeenNs: 0n,
        phase: "open",
        states: [],
      });
    });
  }

  /** Numbers of the runtimes that have flows, with how many. */
  get flowsBy(): Record<number, number> {
    return Object.fromEntries([...this.states.keys()].map((runtime) => [runtime, this.#of(runtime).length]).filter(([, n]) => n! > 0));
  }

  /** How the NFs of its chain fare. */
  readonly nfList: NfCounters[] = [];

  get dataplane(): Dataplane {
    const parts: Partial<Dataplane> = {
      switched: true,
      counters: () => ({ nfs: [...this.nfList] }) as unknown as ReturnType<Dataplane["counters"]>,
      runtimes: () => [this.#status(0, this.flowList.length), ...[...this.states.keys()].map((runtime) => this.#status(runtime, this.#of(runtime).length))],
      addRuntime: async ({ at } = {}) => {
        if (at !== undefined && !this.peerList.some(({ name }) => name === at)) throw nativeError("peer.unknown", `there is no peer '${at}'`);
        this.calls.push(...(at === undefined ? [] : [{ addAt: at }]));
        return this.#start();
      },
      peers: async () => this.peerList.map(({ name, address, iface }) => ({ name, address, iface, runtimes: [], isReachable: undefined })),
      configurePeers: async (peers) => {
        this.peerList = peers;
        return [];
      },
      setReplicationTargets: async (runtime, targets) => {
        this.calls.push({ protect: runtime, by: targets });
      },
      removeRuntime: async (runtime, { force }) => {
        if (!force && this.#of(runtime).length > 0) throw nativeError("runtime.not_empty", "the runtime has flows");
        this.flowList.splice(0, this.flowList.length, ...this.flowList.filter((flow) => flow.runtime !== runtime));
        this.states.delete(runtime);
      },
      declareDead: async (runtime) => {
        this.calls.push({ declareDead: runtime });
        const flows = this.#of(runtime);
        const others = [...this.states.keys()].filter((one) => one !== runtime);
        const kept = this.unprotected === undefined ? 0 : flows.length - this.unprotected;
        flows.slice(0, kept).forEach((flow, i) => {
          flow.runtime = others[i % others.length]!;
          this.states.get(flow.runtime)!.recovered += 1n;
        });
        this.stateLost += BigInt(flows.length - kept);
        this.flowList.splice(0, this.flowList.length, ...this.flowList.filter((flow) => flow.runtime !== runtime));
        this.states.delete(runtime);
      },
      migrate: async (options) => this.#migrate(options),
      drain: async (runtime, { to }) => {
        this.calls.push({ drain: runtime, to });
        this.states.get(runtime)!.draining = true;
        await this.gate;
        if (!this.states.get(runtime)!.draining) return { ...done, undrained: true };
        const targets = to.length > 0 ? to : [...this.states.keys()].filter((one) => one !== runtime);
        return this.#move(
          this.#of(runtime).map((flow, i) => [flow, targets[i % targets.length]!]),
          runtime,
        );
      },
      undrain: async (runtime) => {
        this.states.get(runtime)!.draining = false;
      },
      flows: async ({ cursor = 0, limit, runtime }) => {
        const flows = runtime === undefined ? this.flowList : this.#of(runtime);
        const next = cursor + limit;
        return { flows: flows.slice(cursor, next), ...(next < flows.length ? { next } : {}) };
      },
    };
    return parts as Dataplane;
  }

  #start(): number {
    this.#last += 1;
    this.states.set(this.#last, { draining: false, movedIn: 0n, movedOut: 0n, recovered: 0n });
    return this.#last;
  }

  #of(runtime: number): NativeFlow[] {
    return this.flowList.filter((flow) => flow.runtime === runtime);
  }

  async #migrate(options: MigrateOptions): Promise<OperationReport> {
    this.calls.push({ migrate: options });
    await this.gate;
    const { from, to, count, flowIds } = options;
    const chosen = this.#of(from).filter(({ flowId }) => flowIds?.includes(flowId) ?? true);
    const moving = chosen.slice(0, count);
    if (this.states.get(to)!.draining) return { ...done, failed: moving.length, reason: "draining" };
    return this.#move(
      moving.map((flow) => [flow, to]),
      from,
    );
  }

  #move(moves: readonly (readonly [NativeFlow, number])[], from: number): OperationReport {
    for (const [flow, to] of moves) {
      flow.runtime = to;
      this.states.get(to)!.movedIn += 1n;
      this.states.get(from)!.movedOut += 1n;
    }
    return { ...done, moved: moves.length, drained: this.#of(from).length === 0 };
  }

  #status(runtime: number, flowsOpen: number): RuntimeStatus {
    const { draining = false, movedIn = 0n, movedOut = 0n, recovered = 0n } = this.states.get(runtime) ?? {};
    const busy = {
      received: 10n,
      sent: 9n,
      dropped: 1n,
      held: 0n,
      busyNs: 1_000_000n,
      queued: 0,
      migrations: 0,
      missed: 0n,
      runtimeFull: 0n,
      refusedMessages: 0n,
    };
    const bytes = { receivedBytes: 640n, sentBytes: 576n, drops: { no_runtime: 1n } };
    const isReplicated = this.unprotected !== undefined && runtime !== 0;
    const replicas = isReplicated ? this.flowList.length - flowsOpen : 0;
    const unprotected = isReplicated ? this.unprotected! : 0;
    const replication = { replicas, unprotected, replicationLag: 0, relayed: 0n, recovered, stateLost: runtime === 0 ? this.stateLost : 0n };
    return {
      runtime,
      lcore: 0,
      draining,
      flowsOpen,
      ...busy,
      ...bytes,
      ...replication,
      movedIn,
      movedOut,
      nfAsked: 0n,
      nfMoves: 0n,
      nfMovesFailed: 0n,
      arrivalsRefused: 0n,
    };
  }
}

/** A dataplane in direct mode, as far as runtimes go. */
export function directDataplane(): Dataplane {
  const refuse = (): never => {
    throw nativeError("runtime.direct", "the dataplane is in direct mode");
  };
  return { switched: false, runtimes: refuse } as Partial<Dataplane> as Dataplane;
}
