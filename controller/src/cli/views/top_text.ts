/** What `nfactor top` shows: hosts, deployments, and each one's runtimes with load, flows, rates and drops, between two looks. */
import { type RuntimeRates, ratesOf, runtimesTable } from "@nfactor/host/cli";
import { count, plural, safeText, si } from "@nfactor/host/text";
import type { DeploymentJson, HostJson } from "../api.ts";
import { cells, chainText, hostState, troublesOf } from "./cluster_text.ts";

export interface Look {
  readonly deployments: readonly DeploymentJson[];
  readonly hosts: readonly HostJson[];
}

type Rows = ReturnType<typeof ratesOf>;

export interface TopDeployment {
  readonly deployment: string;
  readonly state: DeploymentJson["state"];
  readonly chain: string;
  readonly flows: number;
  readonly load: number;
  readonly received_pps: number;
  readonly sent_pps: number;
  readonly drops_per_s: number;
  readonly runtimes: Rows;
}

/** What rates are taken since: of each deployment the last report that is not the present one. Hosts may report less often than somebody looks. */
export function earlierLook(now: Look, last: Look, before: Look): Look {
  const reportedUs = (look: Look, name: string): number | undefined => look.deployments.find((one) => one.name === name)?.runtimes?.at_us;
  const deployments = now.deployments.flatMap(({ name, runtimes }) => {
    const from = reportedUs(last, name) === runtimes?.at_us ? before : last;
    return from.deployments.filter((one) => one.name === name);
  });
  return { deployments, hosts: last.hosts };
}

/** Rates need two reports of a host: without the earlier one they are those since its start. */
export function topOf(now: Look, before: Look | undefined): TopDeployment[] {
  return now.deployments.map((view) => {
    const earlier = before?.deployments.find(({ name }) => name === view.name)?.runtimes;
    const sample = view.runtimes && { runtimes: view.runtimes.runtimes, atUs: view.runtimes.at_us };
    const rows: Rows = sample ? ratesOf(sample, earlier ? { runtimes: earlier.runtimes, atUs: earlier.at_us } : sample) : [];
    const seconds = earlier && view.runtimes ? Math.max((view.runtimes.at_us - earlier.at_us) / 1e6, 1e-3) : 1;
    const workers = rows.filter(({ runtime }) => runtime !== 0);
    const vswitch = rows.find(({ runtime }) => runtime === 0);
    const dropped = (list: readonly { dropped: number }[]): number => list.reduce((sum, one) => sum + one.dropped, 0);
    return {
      deployment: view.name,
      state: view.state,
      chain: chainText(view.wanted.spec),
      flows: workers.reduce((sum, one) => sum + one.flows, 0),
      load: Math.max(0, ...workers.map(({ load }) => load)),
      received_pps: vswitch?.received_pps ?? sumOf(workers, "received_pps"),
      sent_pps: vswitch?.sent_pps ?? sumOf(workers, "sent_pps"),
      drops_per_s: earlier ? Math.max(0, dropped(rows) - dropped(earlier.runtimes)) / seconds : 0,
      runtimes: rows,
    };
  });
}

const sumOf = (rows: Rows, name: keyof RuntimeRates): number => rows.reduce((sum, row) => sum + row[name], 0);

/** At most `height` lines of `width` columns: what is wrong and the deployments come first, runtimes where there is room. */
export function topLines(now: Look, list: readonly TopDeployment[], title: string, width = Infinity, height = Infinity): string[] {
  const rows = list.map((one) => [
    one.deployment,
    one.state.replace("_", " "),
    count(one.flows),
    `${(100 * one.load).toFixed(0)} %`,
    si(one.received_pps).trimEnd(),
    si(one.sent_pps).trimEnd(),
    si(one.drops_per_s).trimEnd(),
    one.chain,
  ]);
  const hosts = now.hosts.map((view) => `${safeText(view.name, 40)} ${hostState(view)}${view.info ? ` (${plural(view.info.cpus, "CPU")})` : ""}`).join("   ");
  const lines = [
    title,
    `hosts   ${hosts === "" ? "none" : hosts}`,
    ...troublesOf(now.deployments, now.hosts).map((text) => `!       ${text}`),
    "",
    ...(rows.length === 0
      ? ["no deployments"]
      : cells([["deployment", "state", "flows", "hottest", "in/s", "out/s", "drops/s", "chain"], ...rows], [2, 3, 4, 5, 6]).split("\n")),
    ...list
      .filter(({ runtimes }) => runtimes.length > 0)
      .flatMap((one) => [
        "",
        safeText(one.deployment),
        ...runtimesTable(one.runtimes)
          .split("\n")
          .map((line) => `  ${line}`),
      ]),
  ];
  const shown = lines.length <= height ? lines : [...lines.slice(0, height - 1), `… ${lines.length - height + 1} more lines`];
  return shown.map((line) => line.slice(0, width));
}
