/** The user of the controller under test: asks its API, in the namespace where it listens. Arguments: the API's address, and the file of its token. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Api, type DeploymentJson } from "../../controller/src/cli/api.ts";
import { clockMs, serveOperations } from "./worker.ts";

const TENANT = "default";
const LOOK_MS = 10;

const [address = "", tokenFile = ""] = process.argv.slice(2);
let api: Api | undefined;
/** The file is there when the controller has started. */
const theApi = (): Api => (api ??= new Api({ api: address, token: readFileSync(tokenFile, "utf8").trim() }));

export interface Nf {
  readonly component: Uint8Array;
  readonly digest: string;
}
const pushed = ({ component, digest }: Nf) => ({ component, digest, sourceMap: undefined });
const named = (deployment: string): string => `${TENANT}/${deployment}`;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
/** How long an answer takes until its last byte, and how many it has. */
function get(path: string): Promise<{ readonly ms: number; readonly bytes: number }> {
  const token = readFileSync(tokenFile, "utf8").trim();
  return new Promise((done, fail) => {
    const from = performance.now();
    const asked = request(`${address}${path}`, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("error", fail);
      response.on("end", () => {
        if (response.statusCode === 200) done({ ms: performance.now() - from, bytes });
        else fail(new Error(`${path} was answered with ${response.statusCode}`));
      });
    });
    asked.on("error", fail);
    asked.end();
  });
}

const isRunning = ({ state, revision, seen, runtimes }: DeploymentJson, count: number): boolean =>
  state === "running" && seen?.revision === revision && (count === 0 || (runtimes?.runtimes.filter((one) => one.state === "running").length ?? 0) >= count);

interface Wanted {
  readonly deployments: number;
  /** Of each that have to be in a report, too; 0: it is enough that the host has the revision. */
  readonly runtimes: number;
}

/** When it answers for the first time, and when it knows so many deployments as running; a host counts as one that is connected then. */
async function untilRunning({ deployments, runtimes }: Wanted, timeoutMs: number): Promise<{ readonly answeredMs: number; readonly runningMs: number }> {
  const endMs = clockMs() + timeoutMs;
  let answeredMs: number | undefined;
  for (let why: unknown = "it does not answer"; clockMs() < endMs; await pause(LOOK_MS)) {
    try {
      const health = await theApi().health();
      answeredMs ??= clockMs();
      if (health.hosts_connected === 0) continue;
      const all = deployments === 0 ? [] : await theApi().deployments();
      if (all.length >= deployments && all.every((one) => isRunning(one, runtimes))) return { answeredMs, runningMs: clockMs() };
      why = `${all.filter((one) => isRunning(one, runtimes)).length} of ${all.length} run as they should`;
    } catch (error) {
      why = error;
    }
    if (clockMs() + LOOK_MS >= endMs) throw new Error(`the controller is not there after ${timeoutMs} ms: ${why instanceof Error ? why.message : String(why)}`);
  }
  throw new Error(`the controller is not there after ${timeoutMs} ms`);
}

export interface BusyWith {
  readonly nf: Nf;
  /** A deployment that comes and goes. */
  readonly name: string;
  readonly input: object;
}

interface Busy {
  isOver: boolean;
  readonly done: Promise<unknown>;
  readonly counts: { deployments: number; uploads: number; scrapes: number };
}
let busy: Busy | undefined;

/** So often at most, and one of a kind at a time. */
const SCRAPE_EVERY_MS = 100;
const UPLOAD_EVERY_MS = 250;
const REDEPLOY_PAUSE_MS = 100;

function keepBusy({ nf, name, input }: BusyWith): Busy {
  const counts = { deployments: 0, uploads: 0, scrapes: 0 };
  const made: { isOver: boolean } = { isOver: false };
  const again = async (everyMs: number, step: () => Promise<unknown>): Promise<void> => {
    for (; !made.isOver; await pause(everyMs)) await step();
  };
  const redeploy = async (): Promise<void> => {
    await theApi().deploy(named(name), input, {});
    await theApi().undeploy(named(name), {});
    counts.deployments += 1;
  };
  const upload = async (): Promise<void> => {
    await theApi().push(TENANT, pushed(nf), () => undefined);
    counts.uploads += 1;
  };
  const scrape = async (): Promise<void> => {
    await get("/metrics");
    counts.scrapes += 1;
  };
  const done = Promise.all([again(REDEPLOY_PAUSE_MS, redeploy), again(UPLOAD_EVERY_MS, upload), again(SCRAPE_EVERY_MS, scrape)]);
  return Object.assign(made, { done, counts });
}

const operations = {
  push: (nf: Nf) => theApi().push(TENANT, pushed(nf), () => undefined),
  deploy: (name: string, input: object) => theApi().deploy(named(name), input, {}),
  /** All ordered at once. */
  deployAll: (inputs: Readonly<Record<string, object>>) => Promise.all(Object.entries(inputs).map(([name, input]) => theApi().deploy(named(name), input, {}))),
  undeploy: (name: string) => theApi().undeploy(named(name), {}),
  undeployAll: (names: readonly string[]) => Promise.all(names.map((name) => theApi().undeploy(named(name), {}))),
  swap: (name: string, entry: string, nf: string) => theApi().swap(named(name), { entry, nf }, {}),
  deployment: (name: string) => theApi().deployment(named(name)),
  deployments: () => theApi().deployments(),
  quota: (runtimes: number) => theApi().putTenant(TENANT, { runtimes_max: runtimes }),
  events: (about: string) => theApi().events({ about, limit: 200 }),
  untilRunning,
  /** One after the other. */
  get: async (path: string, times: number) => {
    const answers: { readonly ms: number; readonly bytes: number }[] = [];
    for (let i = 0; i < times; i++) answers.push(await get(path));
    return answers;
  },
  beginBusy: (what: BusyWith) => void (busy = keepBusy(what)),
  /** Resolves with how much was done. */
  endBusy: async () => {
    const { done, counts } = busy!;
    busy!.isOver = true;
    await done;
    return counts;
  },
};
export type UserOperations = typeof operations;

serveOperations(operations);
