/** `nfactor status`: hosts, deployments and what is wrong, at a glance; or one deployment, whole. */
import { Command } from "commander";
import { EXIT, examples, ratesOf, runtimesTable } from "@nfactor/host/cli";
import { safeText } from "@nfactor/host/text";
import { type ApiOptions, addApiOptions, deploymentName, withApi } from "../api_command.ts";
import type { DeploymentJson } from "../api.ts";
import { chainText, deploymentsTable, hostsTable, troublesOf } from "../views/cluster_text.ts";

interface StatusOptions extends ApiOptions {
  readonly check?: boolean;
}

export function statusCommand(): Command {
  const command = new Command("status")
    .description("Show all at a glance: hosts, deployments, whether they run, and what is wrong. With a deployment: that one, whole.")
    .argument("[deployment]", "<tenant>/<name>")
    .option("--check", "exit code 1 when something is wrong");
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor status", ""], ["nfactor status blue/web", ""], ["nfactor status --check --json", "for scripts"]))
    .action((name: string | undefined, options: StatusOptions) => (name === undefined ? all(options) : one(name, options)));
}

async function all(options: StatusOptions): Promise<void> {
  await withApi(options, async ({ api, chosen, output }) => {
    const tenant = options.tenant;
    const [health, hosts, deployments] = await Promise.all([api.health(), api.hosts(), api.deployments(tenant)]);
    const troubles = troublesOf(deployments, hosts);
    const where = chosen.name === undefined ? "" : `context ${chosen.name}, `;
    const text = [
      `controller  ${where}${api.address}: ${health.ok ? "well" : `NOT WELL${health.store === undefined ? "" : `, store: ${safeText(health.store)}`}`}`,
      "",
      hostsTable(hosts),
      "",
      deploymentsTable(deployments),
      ...(troubles.length === 0 ? [] : ["", ...troubles.map((trouble) => `! ${trouble}`)]),
    ].join("\n");
    output.result({ health, hosts, deployments, troubles }, text);
    if (options.check && (!health.ok || troubles.length > 0)) process.exitCode = EXIT.failure;
  });
}

async function one(word: string, options: StatusOptions): Promise<void> {
  await withApi(options, async ({ api, chosen, output }) => {
    const view = await api.deployment(deploymentName(word, chosen.tenant));
    output.result(view, deploymentText(view));
    if (options.check && view.state !== "running") process.exitCode = EXIT.failure;
  });
}

export function deploymentText(view: DeploymentJson): string {
  const { seen, runtimes } = view;
  const { scaling, host, peers, spec } = view.wanted;
  const sample = runtimes && { runtimes: runtimes.runtimes, atUs: runtimes.at_us };
  return [
    `${view.name}  ${view.state.replace("_", " ")}${view.why === undefined ? "" : `: ${safeText(view.why)}`}`,
    `  chain      ${safeText(chainText(spec), 1000)}`,
    `  ports      ${safeText(spec.ports.client.iface)} (client), ${safeText(spec.ports.server.iface)} (server), on ${safeText(host)}`,
    `  runtimes   ${scaling.min} to ${scaling.max}, each flow with ${scaling.replicas} replicas${peers.length === 0 ? "" : `, also on ${peers.map((peer) => safeText(peer.host)).join(", ")}`}`,
    `  revision   ${view.revision}`,
    ...(seen ? [`  on host    revision ${seen.revision}, ${seen.state}${seen.pid === undefined ? "" : `, process ${seen.pid}`}, started ${seen.starts} times`] : []),
    ...(seen?.error ? [`  error[${safeText(seen.error.code, 64)}]: ${safeText(seen.error.message, 1000)}${seen.error.fix === undefined ? "" : `\n    ${safeText(seen.error.fix, 1000)}`}`] : []),
    ...(sample ? ["", runtimesTable(ratesOf(sample, { runtimes: [], atUs: 0 }))] : []),
  ].join("\n");
}
