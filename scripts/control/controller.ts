/**
 * A controller of the benchmark's own, from which each RPC to a host can be asked for by itself. Its host is `nfactor host` in a process of its own. Argument:
 * its folder.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { DeploymentInput } from "../../controller/src/cluster/deployment_input.ts";
import { type Controller, openController } from "../../controller/src/controller.ts";
import type { Nf } from "./user.ts";
import { clockMs, serveOperations } from "./worker.ts";

const HOST = "h1";
const TENANT = "default";
const BY = { by: "bench" };
const LOOK_MS = 20;

const [folder = ""] = process.argv.slice(2);
let controller: Controller;

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** How long each of `times` calls takes, one after the other. `before` each of them others are called, which are not timed. */
interface Repeated {
  readonly method: string;
  readonly params: object;
  readonly times: number;
  readonly isChange?: boolean;
  readonly before?: readonly { readonly method: string; readonly params: object }[];
}

/** Every method of the host takes its own parameters: what is given is checked by the host. */
function call(method: string, params: object, isChange: boolean): Promise<unknown> {
  const session = controller.listener.sessionOf(HOST)!;
  return session.call(method as "info", params as never, isChange ? { key: randomUUID() } : {});
}

const operations = {
  start: async () => void (controller = await openController({ folder, onTrouble: (why) => console.error(why.message) })),
  untilHost: async (timeoutMs: number) => {
    for (const endMs = clockMs() + timeoutMs; clockMs() < endMs; await pause(LOOK_MS))
      if (controller.listener.sessionOf(HOST)?.isOpen && (await controller.cluster.hosts()).some(({ info }) => info !== undefined)) return;
    throw new Error(`no host after ${timeoutMs} ms`);
  },
  push: async ({ component, digest }: Nf) =>
    void (await controller.registry.upload({ tenant: TENANT, component: piecesOf(component), uploader: BY.by, expect: { digest } })),
  deploy: (name: string, input: object) => controller.cluster.deploy(`${TENANT}/${name}`, input as DeploymentInput, BY),
  undeploy: (name: string) => controller.cluster.undeploy(`${TENANT}/${name}`, BY),
  swap: (name: string, entry: string, nf: string) => controller.cluster.swap(`${TENANT}/${name}`, { entry, nf }, BY),
  report: (name: string) => call("poll_load", { deployment: `${TENANT}/${name}` }, false),
  call: async ({ method, params, times, isChange = false, before = [] }: Repeated) => {
    const took: number[] = [];
    for (let i = 0; i < times; i++) {
      for (const other of before) await call(other.method, other.params, true);
      const from = performance.now();
      await call(method, params, isChange);
      took.push(performance.now() - from);
    }
    return took;
  },
  /** Until the story of one packet is told, and the trace has ended. */
  trace: async (name: string, times: number) => {
    const took: number[] = [];
    for (let i = 0; i < times; i++) {
      const from = performance.now();
      for await (const item of controller.cluster.trace(`${TENANT}/${name}`, { match: [], packets: 1, seconds: 10 }, new AbortController().signal)) void item;
      took.push(performance.now() - from);
    }
    return took;
  },
};
export type ControllerOperations = typeof operations;

serveOperations(operations);
