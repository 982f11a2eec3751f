/** What a controller says, as tables for people. Names and texts come from elsewhere, so every cell is made harmless. */
import { count, duration, plural, safeText, table } from "@nfactor/host/text";
import type { DeploymentJson, EventJson, HostJson, OutcomeJson, SwapJson } from "../api.ts";

/** Of the reader's clock, for lists: 2026-11-27 20:45:03. */
export function timeText(ms: number): string {
  if (!Number.isFinite(ms)) return "";
  const ahead = new Date(ms).getTimezoneOffset() * -60_000;
  return new Date(ms + ahead).toISOString().slice(0, 19).replace("T", " ");
}

export const agoText = (ms: number, nowMs = Date.now()): string => (nowMs - ms < 1000 ? "now" : `${duration(Math.max(0, nowMs - ms) * 1e6)} ago`);

export const cells = (rows: readonly (readonly string[])[], right: readonly number[] = []): string =>
  table(
    rows.map((row) => row.map((cell) => safeText(cell, 200))),
    right,
  );

/** "flow_monitor@1.0.0 > fw=firewall@1.2.0" */
export function chainText({ chain }: DeploymentJson["wanted"]["spec"]): string {
  return chain.map(({ name, nf }) => (name === nf.name ? `${nf.name}@${nf.version}` : `${name}=${nf.name}@${nf.version}`)).join(" > ");
}

const flowsOf = ({ runtimes }: DeploymentJson): number | undefined => runtimes?.runtimes.reduce((sum, one) => sum + (one.runtime === 0 ? 0 : one.flows), 0);
const runtimesOf = ({ runtimes }: DeploymentJson): number | undefined => runtimes?.runtimes.filter(({ runtime }) => runtime !== 0).length;

export function deploymentsTable(views: readonly DeploymentJson[]): string {
  if (views.length === 0) return "no deployments: 'nfactor deploy <tenant>/<name>' makes one";
  const rows = views.map((view) => [
    view.name,
    view.state.replace("_", " "),
    String(view.revision),
    view.wanted.host,
    runtimesOf(view) === undefined ? "?" : `${runtimesOf(view)} (${boundsText(view)})`,
    flowsOf(view) === undefined ? "?" : count(flowsOf(view)!),
    chainText(view.wanted.spec),
  ]);
  return cells([["deployment", "state", "revision", "host", "runtimes", "flows", "chain"], ...rows], [2, 5]);
}

/** "2..4"; "3" where it is one number. */
export const boundsText = ({ wanted: { scaling } }: DeploymentJson): string =>
  scaling.min === scaling.max ? String(scaling.min) : `${scaling.min}..${scaling.max}`;

export function hostsTable(views: readonly HostJson[], nowMs = Date.now()): string {
  if (views.length === 0) return "no hosts: 'nfactor hosts token <name>' makes a token for one, 'nfactor host' joins with it";
  const rows = views.map((view) => [
    view.name,
    hostState(view),
    view.info ? `${plural(view.info.cpus, "CPU")}, ${count(view.info.memory_mb)} MiB` : "",
    view.info ? `${view.runtimes} of ${view.room ?? view.info.room}` : String(view.runtimes),
    view.info?.version ?? "",
    agoText(view.joined, nowMs),
  ]);
  return cells([["host", "state", "machine", "runtimes", "version", "joined"], ...rows], [3]);
}

export function hostState({ connected, leased, cordoned }: HostJson): string {
  const there = connected ? "connected" : leased ? "silent" : "away";
  return cordoned ? `${there}, cordoned` : there;
}

export function eventLine({ at, severity, about, text, kind }: EventJson): string {
  const mark = { info: "", warning: "warning: ", error: "error: " }[severity];
  return `${timeText(at)}  ${safeText(kind, 20).padEnd(10)}  ${safeText(about, 60)}  ${mark}${safeText(text, 2000)}`;
}

type NfHealth = NonNullable<NonNullable<DeploymentJson["runtimes"]>["nfs"]>[number];

/** Of one that faults: "0.4.0 is quarantined after 10 faults; the last: abort …". */
export function nfTroubleText({ version, faults, quarantined, last_fault }: NfHealth): string {
  const last = last_fault === undefined ? "" : `; the last: ${last_fault}`;
  return `${version} ${quarantined ? `is quarantined after ${plural(faults, "fault")}` : `has had ${plural(faults, "fault")}`}${last}`;
}

/** What is wrong, in sentences; nothing when all is well. */
export function troublesOf(deployments: readonly DeploymentJson[], hosts: readonly HostJson[]): string[] {
  const of = (view: DeploymentJson): string[] => {
    const why = view.why ?? view.seen?.error?.message;
    // A change that is refused leaves what ran before at work.
    const failed = view.seen?.state === "running" && view.seen.revision < view.revision ? `still runs revision ${view.seen.revision}` : "does not run";
    const what = { running: "", ending: "", behind: "is behind", failed, host_away: "is on a host that is away" }[view.state];
    const down = (view.runtimes?.runtimes ?? [])
      .filter(({ state }) => state === "down")
      .map(({ runtime }) => (runtime === 0 ? "its vswitch" : `runtime ${runtime}`));
    return [
      ...(what === "" ? [] : [`${view.name} ${what}${why === undefined ? "" : `: ${why}`}`]),
      ...(down.length === 0 ? [] : [`${view.name}: ${down.join(", ")} ${down.length === 1 ? "is" : "are"} down, and started again`]),
      ...(view.runtimes?.nfs ?? []).filter(({ quarantined }) => quarantined).map((nf) => `${view.name}: NF ${nf.entry} ${nfTroubleText(nf)}`),
    ];
  };
  const away = hosts
    .filter(({ connected }) => !connected)
    .map(({ name, leased }) => `host ${name} is not connected${leased ? "; it counts as there for a while" : ""}`);
  return [...deployments.flatMap(of), ...away].map((text) => safeText(text, 1000));
}

const DONE: Record<OutcomeJson["action"], readonly [done: string, would: string]> = {
  none: ["nothing changes", "nothing would change"],
  start: ["started", "would be started"],
  swap: ["entries were swapped, no flow ended", "entries would be swapped; no flow would end"],
  replace: ["was replaced", "would be replaced"],
  scale: ["its bounds were changed", "its bounds would be changed"],
};

export function outcomeText({ deployment: name, revision, action, dry_run, flows_ended, done, duration_ms }: OutcomeJson): string {
  const deployment = safeText(name, 80);
  const [did, would] = DONE[action];
  const flows = flows_ended === 0 ? "" : dry_run ? `; ${plural(flows_ended, "flow")} would end` : `; ${plural(flows_ended, "flow")} ended`;
  if (dry_run) return `${deployment}: ${would}${flows}. Nothing was changed.`;
  if (!done) return `${deployment}: revision ${revision} is stored, and is carried out when its host is there`;
  return `${deployment}: ${did}${flows}; revision ${revision}${action === "none" ? "" : `, in ${duration(duration_ms * 1e6)}`}`;
}

export function swapOutcomeText(outcome: SwapJson): string {
  const { swap } = outcome;
  if (!swap) return outcomeText(outcome);
  return [
    outcomeText(outcome),
    `  ${safeText(swap.entry, 80)}: ${safeText(swap.from.name)} ${safeText(swap.from.version)} → ${safeText(swap.to.version)} (sha256:${safeText(swap.to.digest.slice(0, 12))})`,
    `  pause            ${duration(swap.pause_ns)} (an ordinary burst takes ${duration(swap.burst_ns)})`,
    `  flows kept       ${count(swap.flows)}`,
    `  packets dropped  ${count(swap.packets_dropped)}`,
  ].join("\n");
}
