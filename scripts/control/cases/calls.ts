/**
 * Each RPC by its name, from a controller to `nfactor host` beside it and back: what the host does for it included. Eight UDP flows with a few packets a second
 * run through the deployment, so that there is something to move, to drain and to recover. Compared with `info`, for which the host does next to nothing.
 */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { ControlLab } from "../control_lab.ts";
import type { ControllerOperations } from "../controller.ts";
import type { Samples } from "../samples.ts";
import { StampedFlows } from "../stamped_flows.ts";
import { STAMP, buildStampingNf } from "../stamping_nf.ts";
import { Worker } from "../worker.ts";
import type { Effort } from "./index.ts";
import { deploymentOf } from "./serving.ts";

const NAME = "web";
const FULL_NAME = `default/${NAME}`;
const READY_MS = 30_000;
const PACKET_MS = 30_000;
/** A runtime that was recovered is started again, and its flows are protected anew. */
const REPAIRED_MS = 2_000;

interface More {
  readonly isChange?: boolean;
  readonly before?: readonly { readonly method: string; readonly params: object }[];
  readonly times?: number;
}

export async function measureCalls(lab: ControlLab, samples: Samples, { calls: times, few }: Effort): Promise<void> {
  lab.network.silence();
  const folder = lab.folder("controller");
  const controller = await Worker.start<ControllerOperations>(lab.network, "wire", "scripts/control/controller.ts", [folder]);
  await controller.ask("start");
  lab.command("host", "--controller", join(folder, "controller.sock"), "--name", "h1", "--state", lab.folder("host"), "--json");
  await controller.ask("untilHost", READY_MS);
  const [nf, other] = [await buildStampingNf(lab.network.folder, 1), await buildStampingNf(lab.network.folder, 2)];
  for (const one of [nf, other]) await controller.ask("push", one);
  const flows = await StampedFlows.start(lab.network, { flows: 8, everyMs: 20 });

  const timed = (method: string, took: readonly number[]): void =>
    samples.add(`call ${method}`, "answer", "ms", took, method === "info" ? undefined : { case: "call info" });
  const call = async (method: string, params: object, more: More = {}): Promise<void> =>
    timed(method, (await controller.ask("call", { times, ...more, method, params })).value);
  const of = { deployment: FULL_NAME };

  await call("info", {});
  const input = deploymentOf(lab, nf, { replication: {} });
  const whole = { deploy: [] as number[], undeploy: [] as number[] };
  for (let i = 0; i < few; i++) {
    if (i > 0) {
      const undeployed = await controller.ask("undeploy", NAME);
      whole.undeploy.push(undeployed.endedMs - undeployed.beganMs);
    }
    const deployed = await controller.ask("deploy", NAME, input);
    whole.deploy.push(deployed.endedMs - deployed.beganMs);
  }
  await flows.until(nf.stamp, PACKET_MS);
  timed("deploy", whole.deploy);
  timed("undeploy", whole.undeploy);
  await call("deployments", {});
  await call("poll_load", of);
  await call("flows", { ...of, match: [], limit: 100 });
  await call("configure_peers", { ...of, peers: [] }, { isChange: true });
  await call("set_replication_target", { ...of, runtime: 1, targets: [2] }, { isChange: true });
  const move = (from: number, to: number) => ({ method: "migrate_flows", params: { ...of, from, to, flows: { count: 4 }, dry_run: false } });
  await call("migrate_flows", move(1, 2).params, { isChange: true, before: [move(2, 1)] });
  const drain = { method: "drain", params: { ...of, runtime: 1, to: [], dry_run: false } };
  const undrain = { method: "undrain", params: { ...of, runtime: 1 } };
  await call("drain", drain.params, { isChange: true, before: [undrain, move(2, 1)] });
  await call("undrain", undrain.params, { isChange: true, before: [drain] });
  timed("trace", (await controller.ask("trace", NAME, times)).value);
  const swaps: number[] = [];
  for (let i = 0; i < times; i++) {
    const { beganMs, endedMs } = await controller.ask("swap", NAME, STAMP, `${STAMP}@${(i % 2 === 0 ? other : nf).version}`);
    swaps.push(endedMs - beganMs);
  }
  timed("swap", swaps);
  for (let i = 0; i < few; i++) {
    await call("recover", { ...of, runtime: 1, dry_run: false }, { isChange: true, times: 1 });
    await pause(REPAIRED_MS);
  }
  await controller.ask("undeploy", NAME);
  await controller.end();
}
