/**
 * The controller is killed while it deploys, takes in uploads and scales: what was wanted comes about or was refused, nothing is half done, and no packet
 * notices. NF_CONTROLLER_KILLS says how often, NF_CONTROLLER_SEED what happens; 200 by hand. Needs root, as CI has.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "@nfactor/sdk/random";
import { expect, test } from "vitest";
import { newVersion } from "../../scripts/lib/live_host.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { clusterForEach, describeAsRoot } from "./testing/labs.ts";

const KILLS = Number(process.env.NF_CONTROLLER_KILLS ?? 2);
const SEED = Number(process.env.NF_CONTROLLER_SEED ?? 1);
/** Most operations take less; some kills are to come when nothing is under way. */
const WITHIN_MS = 1500;
const ROUND_MS = 60_000;
const FLOWS = 50;

interface View {
  readonly state: string;
  readonly revision: number;
  readonly wanted: { readonly scaling: { readonly min: number; readonly max: number } };
  readonly seen: { readonly revision: number };
  readonly runtimes?: { readonly runtimes: readonly { readonly runtime: number; readonly state: string }[] };
}

describeAsRoot("a controller", () => {
  const at = clusterForEach();

  test(
    `killed ${KILLS} times at random moments (seed ${SEED}), loses nothing and leaves nothing half done`,
    async () => {
      const { lab, cluster } = at;
      const random = new Random(SEED);
      await cluster.up();
      await cluster.json("push", "flow_monitor");
      await cluster.json("push", "firewall");
      const file = await cluster.deploy("web", { scaling: { min: 2, max: 2 }, chain: [{ nf: "flow_monitor" }, { nf: "firewall" }] });
      const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });

      // Before, as compiling takes longer than it takes until the kill: it is the upload that is to be cut off.
      const built = async (folder: string): Promise<string> => (await cluster.json<{ nfs: { path: string }[] }>("build", folder)).nfs[0]!.path;
      let version = 1;
      const operations: readonly (() => readonly string[] | Promise<readonly string[]>)[] = [
        async () => ["push", await built(newVersion(lab, "firewall", `9.0.${version++}`))],
        () => ["swap", "web", "firewall", "firewall"],
        () => ["rollback", "web"],
        () => ["scale", "web", random.pick(["2", "3", "2..3"])],
        () => ["deploy", "web", "-f", file, "--yes"],
      ];
      for (let kill = 1; kill <= KILLS; kill++) {
        const words = await random.pick(operations)();
        const asked = cluster.nfactor(...words);
        await pause(random.below(WITHIN_MS));
        await cluster.kill();
        const { code, stderr } = await asked;
        await cluster.up();
        const what = `kill ${kill}, during '${words.join(" ")}' (exit code ${code}: ${stderr.trim()})`;
        let view: View | undefined;
        const isThere = (one: View): boolean => {
          const { min, max } = one.wanted.scaling;
          const runtimes = one.runtimes?.runtimes.filter(({ runtime, state }) => runtime > 0 && state === "running").length ?? 0;
          return one.state === "running" && one.seen.revision === one.revision && runtimes >= min && runtimes <= max;
        };
        for (const end = performance.now() + ROUND_MS; performance.now() < end; await pause(200)) {
          view = await cluster.json<View>("status", "web");
          if (isThere(view)) break;
        }
        expect(view && isThere(view), `${what}\n${JSON.stringify(view)}`).toBe(true);
      }

      const { lost, reordered, repeated } = await traffic.end();
      expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
      await cluster.json("undeploy", "web", "--yes");
      const { deployments } = await cluster.json<{ deployments: unknown[] }>("status");
      expect(deployments).toEqual([]);
    },
    60_000 + KILLS * ROUND_MS,
  );
});
