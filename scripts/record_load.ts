/**
 * `node --import ./sdk/register.mjs scripts/record_load.ts [file]`: records how the load of real runtimes goes up and down, for the simulation of scaling
 * (controller/src/scaling/simulation). A live host with two runtimes in processes of their own lies between HTTP clients, whose number changes all the time,
 * and an nginx; what its status says four times a second is kept. Before, it is measured how long a runtime takes to start, to come back after kill -9, and
 * to be drained. Takes two minutes; needs root.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Result } from "../host/src/rpc/protocol.ts";
import { LiveHost, ROOT } from "./lib/live_host.ts";
import { NetworkLab } from "./lib/network_lab.ts";

const CHAIN = "flow_monitor,firewall,http_parser";
const EVERY_MS = 250;
const SECONDS = 75;
const STARTS = 5;

/** As many connections as `wanted` says for each second; each asks again and again, with pauses, and is opened anew after some requests. */
const CLIENT = `
const http = require("node:http");
const [address, plan] = process.argv.slice(1);
const wanted = JSON.parse(plan);
const from = performance.now();
let open = 0;
const second = () => Math.floor((performance.now() - from) / 1000);
function connect() {
  open += 1;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let left = 1 + Math.floor(20 / (1 - Math.random()) ** 0.7);
  const ask = () => {
    if (left-- <= 0 || open > (wanted[second()] ?? 0)) { agent.destroy(); open -= 1; return; }
    const request = http.get({ host: address, path: Math.random() < 0.05 ? "/large" : "/small", agent }, (response) => {
      response.resume();
      response.on("end", () => setTimeout(ask, 20 * Math.random()));
    });
    request.on("error", () => { agent.destroy(); open -= 1; });
  };
  ask();
}
const timer = setInterval(() => {
  if (second() >= wanted.length) { clearInterval(timer); setTimeout(() => process.exit(0), 500); }
  while (open < (wanted[second()] ?? 0)) connect();
}, 50);`;

/** Connections by second: a slow wave, a step, a crowd that comes at once, and calm between them. */
const PLAN = Array.from({ length: SECONDS }, (_, t) => {
  const wave = 12 + 10 * Math.sin((t / SECONDS) * 2 * Math.PI - Math.PI / 2);
  const step = t >= 25 && t < 40 ? 18 : 0;
  const crowd = t >= 52 && t < 60 ? 60 : 0;
  return Math.max(1, Math.round(wave + step + crowd));
});

const median = (values: readonly number[]): number => Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function main(): Promise<void> {
  const file = process.argv[2] ?? join(ROOT, "controller/fixtures/recorded_load.json");
  const lab = new NetworkLab();
  try {
    const www = await lab.startNginx();
    writeFileSync(join(www, "small"), randomBytes(4_000));
    writeFileSync(join(www, "large"), randomBytes(200_000));
    const host = await LiveHost.start(lab, "recorded", ["--chain", CHAIN, "--runtimes", "2", "--processes", "--placement", "least_loaded"]);
    const client = await host.connect();
    const runtimes = async (): Promise<Result<"runtimes">> => client.call("runtimes", {});

    const starts: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      let added = 0;
      starts.push(await timed(async () => (added = (await client.call("add_runtime", {})).runtime)));
      await client.call("remove_runtime", { runtime: added, force: false, dry_run: false });
    }
    const restarts: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      const before = (await runtimes()).runtimes[2]!;
      const isBack = async (): Promise<boolean> => {
        const now = (await runtimes()).runtimes[2]!;
        return now.restarts! > before.restarts! && now.state === "running";
      };
      process.kill(before.pid!, "SIGKILL");
      restarts.push(
        await timed(async () => {
          while (!(await isBack())) await pause(5);
        }),
      );
      await pause(1500);
    }
    console.error(`start ${starts.map(Math.round).join(", ")} ms; back after kill -9 ${restarts.map(Math.round).join(", ")} ms; load, ${SECONDS} s …`);

    lab.spawn("client", process.execPath, ["-e", CLIENT, lab.serverAddress, JSON.stringify(PLAN)], { stdio: "ignore" });
    const samples: number[][] = [];
    const from = performance.now();
    for (let next = from; performance.now() - from < SECONDS * 1000; next += EVERY_MS) {
      const { at_us, runtimes: all } = await runtimes();
      const own = all.filter(({ runtime }) => runtime !== 0);
      const sum = (of: (one: (typeof own)[number]) => number): number => own.reduce((total, one) => total + of(one), 0);
      samples.push([at_us, sum(({ received }) => received), sum(({ busy_us }) => busy_us), sum(({ flows }) => flows), sum(({ queued }) => queued)]);
      await pause(Math.max(0, next + EVERY_MS - performance.now()));
    }
    client.close();
    const { packets } = await host.stop();
    console.error(JSON.stringify(packets));
    // A process tells its busy time three times a second only: loads are taken over a second.
    const points = samples.slice(1).map(([at, received, busy, flows, queued], i) => {
      const [at0, received0] = samples[i]!;
      const [from0, , busyFrom] = samples[Math.max(0, i + 1 - 1000 / EVERY_MS)]!;
      const pps = ((received! - received0!) / (at! - at0!)) * 1e6;
      const load = (busy! - busyFrom!) / (at! - from0!);
      return [Math.round((at! - samples[0]![0]!) / 1000), Math.round(pps), Number(load.toFixed(4)), flows, queued];
    });
    const lines = points.map((point) => `    ${JSON.stringify(point)}`).join(",\n");
    const head = {
      recorded: `scripts/record_load.ts: ${CHAIN}, two runtimes in processes behind a vswitch, HTTP clients and nginx`,
      start_ms: median(starts),
      restart_ms: median(restarts),
      columns: ["at_ms", "received_pps", "load", "flows", "queued"],
    };
    writeFileSync(file, `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "points": [\n${lines}\n  ]\n}\n`);
  } finally {
    lab.close();
  }
}

await main();
