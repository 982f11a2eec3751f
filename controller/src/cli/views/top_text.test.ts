import { expect, test } from "vitest";
import type { DeploymentJson } from "../api.ts";
import { troublesOf } from "./cluster_text.ts";
import { type Look, earlierLook, topOf } from "./top_text.ts";

const FIGURES = { lcore: 0, state: "running", flows: 5, dropped: 0, sent: 0, held: 0, moved_in: 0, moved_out: 0, under_way: 0, queued: 0 } as const;
/** A deployment whose runtime worked for half of its time, with a thousand packets a second, until it was reported. */
function look(reportedMs: Record<string, number>): Look {
  const deployments = Object.entries(reportedMs).map(([name, ms]) => {
    const runtime = { ...FIGURES, runtime: 1, received: ms, busy_us: ms * 500 };
    return { name, state: "running", wanted: { spec: { chain: [] } }, runtimes: { at_us: ms * 1000, runtimes: [runtime] } } as unknown as DeploymentJson;
  });
  return { deployments, hosts: [] };
}

test("who looks more often than hosts report sees the rates since the report before, not none", () => {
  const looks = [look({ web: 1000, dns: 1000 }), look({ web: 2000, dns: 1000 }), look({ web: 2000, dns: 2000 }), look({ web: 3000, dns: 2000, new: 3000 })];
  let before = looks[0]!;
  for (const [i, now] of looks.entries()) {
    if (i === 0) continue;
    before = earlierLook(now, looks[i - 1]!, before);
    const web = topOf(now, before).find(({ deployment }) => deployment === "web");
    expect(web).toMatchObject({ load: 0.5, runtimes: [{ received_pps: 1000 }] });
  }
  expect(topOf(looks[3]!, before).find(({ deployment }) => deployment === "dns")).toMatchObject({ load: 0.5 });
});

test("an NF that is quarantined is a trouble though all runtimes run, and a refused change says what runs meanwhile", () => {
  const nfs = [{ entry: "quota", version: "0.4.0", faults: 10, quarantined: true, last_fault: "deadline" }];
  const view = { name: "blue/web", state: "running", revision: 2, runtimes: { at_us: 1, runtimes: [], nfs }, seen: { state: "running", revision: 2 } };
  expect(troublesOf([view as unknown as DeploymentJson], [])).toEqual(["blue/web: NF quota 0.4.0 is quarantined after 10 faults; the last: deadline"]);
  const refused = { name: "blue/web", state: "failed", revision: 3, why: "it refuses", seen: { state: "running", revision: 2 } };
  expect(troublesOf([refused as unknown as DeploymentJson], [])).toEqual(["blue/web still runs revision 2: it refuses"]);
});
