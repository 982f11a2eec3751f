/** `nfactor push`: an NF into the controller's registry, built first when it is a folder. */
import { createHash } from "node:crypto";
import { Command } from "commander";
import { examples } from "@nfactor/host/cli";
import { count, safeText } from "@nfactor/host/text";
import { type ApiOptions, addApiOptions, requireTenant, withApi } from "../api_command.ts";
import { waiting } from "../wait.ts";

export function pushCommand(): Command {
  const command = new Command("push")
    .description("Put a version of an NF into the controller's registry, from where deployments take it. A folder is built first, as 'nfactor build' does.")
    .argument("<folder|artifact>", "an NF's folder, its .wasm file, or the name of one that comes with NFActor");
  return addApiOptions(command)
    .addHelpText(
      "after",
      examples(["nfactor push .", "the NF in this folder"], ["nfactor push firewall --tenant blue", "one that comes with NFActor"], ["nfactor push build/limit.wasm --json", ""]),
    )
    .action(run);
}

async function run(what: string, options: ApiOptions): Promise<void> {
  const { loadNf, resolveNf } = await import("@nfactor/host/nf");
  await withApi(options, async ({ api, chosen, output }) => {
    const tenant = requireTenant(chosen, "an NF");
    const loaded = await waiting(output, { what: `building ${what}` }, () => loadNf(resolveNf(what)));
    for (const warning of loaded.warnings) output.note(`warning: ${warning}`);
    const digest = createHash("sha256").update(loaded.component).digest("hex");
    const total = loaded.component.length + (loaded.sourceMap?.length ?? 0);
    let sent = 0;
    const progress = (): string => (sent < total ? `${count(sent)} of ${count(total)} bytes` : "being admitted");
    const pushed = await waiting(output, { what: `pushing ${loaded.shown}`, progress, goesOn: "Nothing of it is kept unless it was whole; pushing it again does no harm." }, () =>
      api.push(tenant, { component: loaded.component, sourceMap: loaded.sourceMap, digest }, (bytes) => (sent = bytes)),
    );
    const { nf, version, artifact } = pushed;
    output.result(
      pushed,
      `${safeText(nf)}@${safeText(version)}  sha256:${artifact.digest.slice(0, 12)}  ${count(loaded.component.length)} bytes, tenant ${tenant}${pushed.created ? "" : "; it was there already"}`,
    );
  });
}
