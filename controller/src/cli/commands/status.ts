/** `nfactor status`: hosts, deployments and what is wrong, at a glance; or one deployment, whole. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { EXIT, examples, ratesOf, runtimesTable } from "@nfactor/host/cli";
import { plural, safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { type ApiOptions, addApiOptions, deploymentName, timeoutMs, withApi } from "../api_command.ts";
import type { DeploymentJson, HostJson } from "../api.ts";
import { boundsText, chainText, deploymentsTable, hostsTable, nfTroubleText, troublesOf } from "../views/cluster_text.ts";

interface StatusOptions extends ApiOptions {
  readonly check?: boolean;
  readonly wait?: boolean;
}

const LOOK_MS = 250;
const WAIT_MS = 60_000;

export function statusCommand(): Command {
  const command = new Command("status")
    .description("Show all at a glance: hosts, deployments, whether they run, and what is wrong. With a deployment: that one, whole.")
    .argument("[deployment]", "<tenant>/<name>")
    .option("--check", "exit code 1 when something is wrong")
    .option("--wait", "wait until nothing is wrong, --timeout at most (default: a minute), also for a controller that is about to start");
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor status", ""], ["nfactor status blue/web", ""], ["nfactor status --check --json", "for scripts"]))
    .action(async (name: string | undefined, options: StatusOptions) => {
      if (options.wait) await untilWell(name, options);
      return name === undefined ? all(options) : one(name, options);
    });
}

/** Throws NfError (cli.timeout) with what is wrong still. */
async function untilWell(name: string | undefined, options: StatusOptions): Promise<void> {
  const endMs = performance.now() + (timeoutMs(options) ?? WAIT_MS);
  for (;;) {
    const wrong = await whatIsWrong(name, { ...options, timeout: undefined }).catch((error: unknown) => {
      if (error instanceof NfError && (error.code === "cli.unreachable" || error.code === "cli.context")) return error.message;
      throw error;
    });
    if (wrong === undefined) return;
    if (performance.now() > endMs)
      throw new NfError("cli.timeout", `all was not well in time: ${wrong}`, { fix: "See 'nfactor events'. --timeout allows more time." });
    await sleep(LOOK_MS);
  }
}

async function whatIsWrong(name: string | undefined, options: StatusOptions): Promise<string | undefined> {
  return withApi(options, async ({ api, chosen }) => {
    if (name !== undefined) {
      const view = await api.deployment(deploymentName(name, chosen.tenant));
      return view.state === "ending" ? `${safeText(view.name)} is ending` : troubleOf([view], []);
    }
    const [{ ok }, hosts, deployments] = await Promise.all([api.health(), api.hostsIfAllowed(), api.deployments(options.tenant)]);
    if (!ok) return "the controller is not well";
    return troubleOf(deployments, hosts ?? []);
  });
}

/** What nobody has heard of yet, as after a start of the controller, is not known to be well. */
function troubleOf(deployments: readonly DeploymentJson[], hosts: readonly HostJson[]): string | undefined {
  const [trouble] = troublesOf(deployments, hosts);
  const unheard = deployments.find(({ state, runtimes }) => state === "running" && runtimes === undefined);
  return trouble ?? (unheard && `nothing has been heard of the runtimes of ${safeText(unheard.name)} yet`);
}

async function all(options: StatusOptions): Promise<void> {
  await withApi(options, async ({ api, chosen, output }) => {
    const tenant = options.tenant;
    const [health, hosts, deployments] = await Promise.all([api.health(), api.hostsIfAllowed(), api.deployments(tenant)]);
    const troubles = troublesOf(deployments, hosts ?? []);
    const where = chosen.name === undefined ? "" : `context ${chosen.name}, `;
    const text = [
      `controller  ${where}${api.address}: ${health.ok ? "well" : `NOT WELL${health.store === undefined ? "" : `, store: ${safeText(health.store)}`}`}`,
      "",
      ...(hosts ? [hostsTable(hosts), ""] : []),
      deploymentsTable(deployments),
      ...(troubles.length === 0 ? [] : ["", ...troubles.map((trouble) => `! ${trouble}`)]),
    ].join("\n");
    output.result({ health, hosts: hosts ?? [], deployments, troubles }, text);
    if (options.check && (!health.ok || troubles.length > 0)) process.exitCode = EXIT.failure;
  });
}

async function one(word: string, options: StatusOptions): Promise<void> {
  await withApi(options, async ({ api, chosen, output }) => {
    const view = await api.deployment(deploymentName(word, chosen.tenant));
    output.result(view, deploymentText(view));
    if (options.check && (view.state !== "running" || troublesOf([view], []).length > 0)) process.exitCode = EXIT.failure;
  });
}

export function deploymentText(view: DeploymentJson): string {
  const { seen, runtimes } = view;
  const { scaling, host, peers, spec } = view.wanted;
  const also = peers.length === 0 ? "" : `, also on ${peers.map((peer) => safeText(peer.host)).join(", ")}`;
  const sample = runtimes && { runtimes: runtimes.runtimes, atUs: runtimes.at_us };
  return [
    `${safeText(view.name, 80)}  ${view.state.replace("_", " ")}${view.why === undefined ? "" : `: ${safeText(view.why)}`}`,
    `  chain      ${safeText(chainText(spec), 1000)}`,
    `  ports      ${safeText(spec.ports.client.iface)} (client), ${safeText(spec.ports.server.iface)} (server), on ${safeText(host)}`,
    `  runtimes   ${boundsText(view)}, ${scaling.replicas === 0 ? "without replicas" : "each flow with a replica"}${also}`,
    `  revision   ${view.revision}`,
    ...(seen
      ? [
          `  on host    revision ${seen.revision}, ${seen.state}${seen.pid === undefined ? "" : `, process ${seen.pid}`}, started ${plural(seen.starts, "time")}`,
        ]
      : []),
    ...(runtimes?.nfs ?? []).filter(({ faults }) => faults > 0).map((nf) => `  NF         ${safeText(`${nf.entry} ${nfTroubleText(nf)}`, 1000)}`),
    ...(seen?.error ? [`  error[${safeText(seen.error.code, 64)}]: ${safeText(seen.error.message, 1000)}`] : []),
    ...(seen?.error?.fix === undefined ? [] : [`    ${safeText(seen.error.fix, 1000)}`]),
    ...(sample ? ["", runtimesTable(ratesOf(sample, { runtimes: [], atUs: 0 }))] : []),
  ].join("\n");
}
