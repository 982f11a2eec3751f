/** `nfactor swap`: a new version of one NF into a running host, between two bursts. */
import { Command } from "commander";
import { parseConfigText, parseGrant, readConfigText } from "../../config/plan.ts";
import { resolveNf } from "../../nf/resolve.ts";
import { duration, plural } from "../../result/text.ts";
import { findHost, withClient } from "../../rpc/client.ts";
import type { Result } from "../../rpc/protocol.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";

interface SwapOptions {
  config?: string;
  grant?: string;
  host?: string;
  dryRun?: boolean;
  json?: boolean;
}

export function swapCommand(): Command {
  return new Command("swap")
    .description("Replace one NF of a running host by another version of it, without dropping a packet; the flows keep their states.")
    .argument("<entry>", "the chain's entry")
    .argument("<nf>", "the new version: a name, a folder, or an artifact")
    .option("--config <file>", "its configuration, YAML or JSON (default: the entry's present one)")
    .option("--grant <rights>", "what it may do, like edit:headers (default: what the entry was granted)")
    .option("--host <name>", "the host's name, or the path of its socket, when several run")
    .option("--dry-run", "build, check and compile, and leave the chain as it is")
    .addHelpText(
      "after",
      examples(
        ["nfactor swap fw ./firewall", "builds ./firewall and swaps it in"],
        ["nfactor swap fw firewall --config rules.yaml", "the same version with other rules"],
        ["nfactor swap fw fw-2.wasm --dry-run", "would it be accepted?"],
      ),
    )
    .action(async (entry: string, nf: string, options: SwapOptions) => {
      const config = options.config === undefined ? undefined : readConfigText(options.config);
      if (config) parseConfigText(config.text, config.file);
      const grant = options.grant === undefined ? undefined : parseGrant(options.grant);
      const socket = await findHost(options.host);
      const output = new Output(options.json === true);
      const { loadNf } = await import("../../nf/loaded_nf.ts");
      const loaded = await loadNf(resolveNf(nf));
      for (const warning of loaded.warnings) output.note(`warning: ${warning}`);
      const params = {
        entry,
        artifact: loaded.component,
        ...(loaded.sourceMap === undefined ? {} : { source_map: Buffer.from(loaded.sourceMap) }),
        folder: loaded.folder ?? loaded.shown,
        ...(config === undefined ? {} : { config }),
        ...(grant === undefined ? {} : { grant }),
        dry_run: options.dryRun === true,
      };
      const result = await withClient(socket, (client) => client.call("swap", params));
      output.result(result, swapText(result));
    });
}

function swapText({ entry, dry_run, from, to, flows, pause_ns, burst_ns, prepare_ms, packets_dropped }: Result<"swap">): string {
  const change = `${entry}: ${from.name} ${from.version} (sha256:${from.digest.slice(0, 12)}) → ${to.version} (sha256:${to.digest.slice(0, 12)})`;
  const prepared = `admitted and compiled in ${duration(prepare_ms * 1e6)}`;
  if (dry_run) return `${change}: would be accepted, ${prepared}; ${plural(flows, "flow")} would keep their states. Nothing was changed.`;
  return [
    change,
    `  pause            ${duration(pause_ns)} (an ordinary burst takes ${duration(burst_ns)})`,
    `  flows kept       ${flows}`,
    `  packets dropped  ${packets_dropped}`,
    `  ${prepared}, off the packet path`,
  ].join("\n");
}
