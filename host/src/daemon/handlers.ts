/** What a host serves to its controller. What is about what runs in a deployment goes to that deployment's control socket, and its errors come back as they are. */
import type { Clock } from "../clock/clock.ts";
import { pause } from "../session/again.ts";
import type { HOST_METHODS } from "../session/host_methods.ts";
import type { CallMethod, CallName, Handler, Handlers, ItemOf, ParamsOf, Request, ResultOf, Sink } from "../session/method.ts";
import type { HostInfo, Item } from "../session/cluster_types.ts";
import type { ControlClient } from "../rpc/client.ts";
import { followCapture, followTrace } from "../trace/follow.ts";
import { requireMethod } from "./control_calls.ts";
import type { Deployment } from "./deployment.ts";
import type { DeploymentStatus } from "./deployment_spec.ts";
import { withDeadline } from "./waiting.ts";

type Methods = typeof HOST_METHODS;
/** Streams that are made of requests to the control socket, over a connection of their own. */
type Followed = "trace" | "capture";
type Follow<N extends Followed> = (
  client: ControlClient,
  params: Omit<ParamsOf<Methods[N]>, "deployment">,
  options: { readonly signal: AbortSignal; readonly onTotals: (totals: ResultOf<Methods[N]>) => void },
) => AsyncIterable<ItemOf<Methods[N]>>;

/** The deployments of a host. */
export interface Deployments {
  readonly clock: Clock;
  info(): HostInfo;
  all(): readonly Deployment[];
  /** Throws NfError (host.no_deployment). */
  get(name: string): Deployment;
  /** Also one that does not exist yet. Throws NfError (runtime.limit). */
  make(name: string): Deployment;
}

/** A look at one that hangs ends sometime. */
const LOAD_MS = 10_000;

export function hostHandlers(host: Deployments): Handlers<Methods> {
  const { clock } = host;
  /** The control socket's `method`. */
  const passed = <N extends CallName<Methods>>(method: string, { isChange = false } = {}): Handler<Methods[N]> => {
    const handler: Handler<CallMethod> = async (params, { signal }) => {
      const { deployment, ...rest } = params as { deployment: string };
      return host.get(deployment).call(requireMethod(method, rest), rest, signal, isChange);
    };
    return handler as Handler<Methods[N]>;
  };
  /** What `follow` gives of the control socket, piece by piece; its totals are the answer. */
  const followed =
    <N extends Followed>(follow: Follow<N>) =>
    async (params: ParamsOf<Methods[N]>, sink: Sink<ItemOf<Methods[N]>>, { signal }: Request): Promise<ResultOf<Methods[N]>> => {
      const { deployment, ...rest } = params as { deployment: string };
      const use = async (client: ControlClient): Promise<ResultOf<Methods[N]>> => {
        let totals: ResultOf<Methods[N]> | undefined;
        for await (const item of follow(client, rest as never, { signal, onTotals: (known) => (totals = known) })) await sink.send(item);
        if (totals === undefined) throw signal.reason;
        return totals;
      };
      return host.get(deployment).connected(use, signal);
    };
  return {
    info: async () => host.info(),
    deployments: async () => ({ deployments: host.all().flatMap(({ status }): DeploymentStatus[] => (status ? [status] : [])) }),
    deploy: async ({ deployment, ...wish }, { signal }) => {
      const beganMs = clock.nowMs();
      const done = await host.make(deployment).deploy(wish, signal);
      return { deployment, dry_run: wish.dry_run, ...done, duration_ms: clock.nowMs() - beganMs };
    },
    undeploy: async ({ deployment, dry_run }, { signal }) => ({ deployment, ...(await host.make(deployment).undeploy({ dry_run }, signal)) }),
    swap: async ({ deployment, ...wish }, { signal }) => host.get(deployment).swap(wish, signal),
    poll_load: passed<"poll_load">("runtimes"),
    watch_load: async ({ every_ms }, sink, request) => watchLoad(host, every_ms, sink, request),
    flows: passed<"flows">("flows"),
    configure_peers: passed<"configure_peers">("configure_peers", { isChange: true }),
    add_runtime: passed<"add_runtime">("add_runtime", { isChange: true }),
    remove_runtime: passed<"remove_runtime">("remove_runtime", { isChange: true }),
    migrate_flows: passed<"migrate_flows">("migrate"),
    drain: passed<"drain">("drain"),
    undrain: passed<"undrain">("undrain"),
    set_replication_target: passed<"set_replication_target">("set_replication_target"),
    recover: passed<"recover">("recover", { isChange: true }),
    trace: followed<"trace">(followTrace),
    capture: followed<"capture">(followCapture),
  };
}

/** All deployments that run, each at its own pace when it is slow to answer. */
async function watchLoad(host: Deployments, everyMs: number, sink: Sink<Item<"watch_load">>, { signal }: Request): Promise<Record<string, never>> {
  const asked = new Set<Deployment>();
  const look = async (deployment: Deployment): Promise<void> => {
    asked.add(deployment);
    try {
      const load = await withDeadline(signal, host.clock, LOAD_MS, (soon) => deployment.load(soon));
      if (!signal.aborted) sink.offer({ deployment: deployment.name, ...load });
    } catch {
      // It is being started again: its state says so.
    } finally {
      asked.delete(deployment);
    }
  };
  for (;;) {
    for (const deployment of host.all()) if (deployment.isRunning && !asked.has(deployment)) void look(deployment);
    await pause(host.clock, signal, everyMs);
  }
}
