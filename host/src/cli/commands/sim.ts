/** `nfactor sim`: what `nfactor run --in` does, in the simulator: no native part, no permission, the same result. */
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { makePlan } from "../../config/plan.ts";
import { inputFile } from "../../run/input_file.ts";
import { OutputFile } from "../../run/output_file.ts";
import { type ChainCommandOptions, addChainOptions, flowsWanted, keepOf } from "../chain_options.ts";
import { examples } from "../help.ts";
import { writeAll } from "../output.ts";
import { printSummary } from "../run_output.ts";

export function simCommand(): Command {
  return addChainOptions(new Command("sim"))
    .description("Run a capture through a chain of NFs in the simulator (V8): slow, without any native part, with the same result as `nfactor run`.")
    .option("-q, --quiet", "no progress, only messages")
    .addHelpText(
      "after",
      examples(
        ["nfactor sim --chain . --in some.pcap", "the NF in this folder"],
        ["nfactor sim --chain flow_monitor,firewall --nf-config firewall=rules.yaml --in in.pcap --out out.pcap", ""],
        ["nfactor sim --config nfactor.yaml --in in.pcap --json", "the chain of a host's file"],
      ),
    )
    .action(sim);
}

async function sim(options: ChainCommandOptions): Promise<void> {
  const plan = makePlan(options);
  const flows = flowsWanted(options);
  if (options.in === undefined) throw new NfError("usage", "there is nothing to run the chain on", { fix: "Give a capture with --in." });
  const path = inputFile(options.in);
  const out = options.out === undefined ? undefined : OutputFile.prepare(options.out, path);
  const write = (text: string): void => writeAll(2, text);
  const { prepareChain } = await import("../../nf/chain.ts");
  const chain = await prepareChain(plan.entries, (text) => write(`${text}\n`));
  const { runSimulation } = await import("../../run/sim_run.ts");
  const keep = keepOf(flows, options.json === true);
  const summary = runSimulation({ settings: plan.settings, plans: plan.entries, chain, in: path, out, keep, write, quiet: options.quiet === true });
  printSummary(summary, options.json === true, options.out);
}
