/** `nfactor drain` and `nfactor undrain`: empty a runtime of a running host, or let it take flows again. */
import { Command, Option } from "commander";
import { findHost, withClient } from "../../rpc/client.ts";
import { examples } from "../help.ts";
import { type OperationOptions, runOperation } from "../operation.ts";
import { Output } from "../output.ts";
import { addHostOption, collectNumbers, runtimeNumber } from "../runtime_options.ts";

export function drainCommand(): Command {
  const command = new Command("drain")
    .description("Empty a runtime of a running host: it gets no new flows, and those that it has move to other runtimes. It stays like this until `undrain`.")
    .argument("<runtime>", "its number")
    .addOption(new Option("--to <runtimes>", "where the flows go, in turn (default: all others); with commas, or repeated").argParser(collectNumbers));
  return addHostOption(command)
    .option("--dry-run", "check and count, and move nothing")
    .addHelpText(
      "after",
      examples(
        ["nfactor drain 3", "before 'nfactor runtimes remove 3'"],
        ["nfactor drain 3 --to 1,2", ""],
        ["nfactor drain 3 --dry-run", "how many flows would move?"],
      ),
    )
    .action(async (runtime: string, options: OperationOptions & { to?: string[]; dryRun?: boolean }) => {
      const source = runtimeNumber(runtime);
      const to = [...new Set((options.to ?? []).map((text) => runtimeNumber(text.trim())))];
      const params = { runtime: source, to, dry_run: options.dryRun === true };
      await runOperation("drain", params, source, (result) => `runtime ${source} → ${result.to.join(", ")}`, options);
    });
}

export function undrainCommand(): Command {
  return addHostOption(new Command("undrain"))
    .description("Let a runtime of a running host take new flows again. Flows that have moved stay where they are; a drain that goes on ends.")
    .argument("<runtime>", "its number")
    .addHelpText("after", examples(["nfactor undrain 3", ""]))
    .action(async (text: string, options: OperationOptions) => {
      const runtime = runtimeNumber(text);
      const result = await withClient(await findHost(options.host), (client) => client.call("undrain", { runtime }));
      new Output(options.json === true).result(result, `runtime ${runtime} ${result.was_draining ? "takes new flows again" : "was not draining"}`);
    });
}
