/** `nfactor versions`: of an NF, what was pushed; of a deployment, the revisions that it can be rolled back to; without either, the tenant's NFs. */
import { Command } from "commander";
import { examples } from "@nfactor/host/cli";
import { count, safeText } from "@nfactor/host/text";
import { type ApiOptions, addApiOptions, isFullName, requireTenant, withApi } from "../api_command.ts";
import type { Api, RevisionsJson } from "../api.ts";
import { cells, chainText, timeText } from "../views/cluster_text.ts";
import { withGlobals } from "./group.ts";

export function versionsCommand(): Command {
  const command = new Command("versions")
    .description("Show the revisions of a deployment (<tenant>/<name>), the pushed versions of an NF (<nf>), or all NFs of the tenant.")
    .argument("[nf|deployment]", "an NF, as firewall, or a deployment, as blue/web");
  return addApiOptions(command)
    .addHelpText("after", examples(["nfactor versions", "the NFs of the tenant"], ["nfactor versions firewall", ""], ["nfactor versions blue/web", "what 'nfactor rollback --to' takes"]))
    .usage("[options] [nf|deployment]")
    .enablePositionalOptions()
    .addCommand(removeCommand())
    .action((what: string | undefined, options: ApiOptions) =>
      withApi(options, async ({ api, chosen, output }) => {
        if (what !== undefined && isFullName(what)) {
          const found = await api.revisions(what);
          return output.result(found, revisionsTable(found));
        }
        const tenant = requireTenant(chosen, "NFs");
        if (what === undefined) return output.result(...(await allNfs(api, tenant)));
        const items = await api.versions(tenant, what);
        const rows = items.map((one) => [one.version, `sha256:${one.artifact.digest.slice(0, 12)}`, count(one.artifact.bytes), timeText(one.uploaded), one.uploader]);
        output.result({ items }, cells([["version", "digest", "bytes", "pushed", "by"], ...rows], [2]));
      }),
    );
}

async function allNfs(api: Api, tenant: string): Promise<[object, string]> {
  const items = await api.nfs(tenant);
  if (items.length === 0) return [{ items }, `tenant ${tenant} has no NFs: 'nfactor push <folder>' brings one`];
  return [{ items }, cells([["NF", "newest", "versions"], ...items.map((nf) => [nf.name, nf.newest, count(nf.versions)])], [2])];
}

/** The newest first. */
function revisionsTable({ revisions }: RevisionsJson): string {
  const rows = revisions.map((one, i) => [
    `${one.revision}${i === 0 ? " *" : ""}`,
    one.why,
    timeText(one.at),
    safeText(one.by, 40),
    chainText(one.spec),
  ]);
  return `${cells([["revision", "by way of", "at", "by", "chain"], ...rows])}\n* is wanted now`;
}

function removeCommand(): Command {
  return addApiOptions(new Command("remove"))
    .description("Delete a version of an NF. Refused while something runs it, or is to run it.")
    .argument("<nf@version>", "as firewall@1.2.0")
    .option("--dry-run", "check, and delete nothing")
    .addHelpText("after", examples(["nfactor versions remove firewall@1.2.0", ""]))
    .action(
      withGlobals<ApiOptions & { dryRun?: boolean }>((reference, options) =>
        withApi(options, async ({ api, chosen, output }) => {
          const tenant = requireTenant(chosen, "an NF");
          const removed = await api.removeVersion(tenant, reference, { dryRun: options.dryRun });
          output.result(removed, options.dryRun ? `${safeText(reference, 200)} would be deleted. Nothing was changed.` : `${safeText(reference, 200)} of tenant ${tenant} was deleted`);
        }),
      ),
    );
}
