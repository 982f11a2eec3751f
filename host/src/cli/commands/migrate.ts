/** `nfactor migrate`: flows from one runtime of a running host to another, under traffic. */
import { Command, Option } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { integer } from "../../config/plan.ts";
import { parseFlowMatch } from "../../result/flow_match.ts";
import type { Params } from "../../rpc/protocol.ts";
import { examples } from "../help.ts";
import { type OperationOptions, runOperation } from "../operation.ts";
import { addHostOption, runtimeNumber } from "../runtime_options.ts";

interface MigrateCommandOptions extends OperationOptions {
  from: string;
  to: string;
  count?: string;
  all?: boolean;
  flow?: string[];
  dryRun?: boolean;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function migrateCommand(): Command {
  const command = new Command("migrate")
    .description("Move flows of a running host from one runtime to another: under traffic, without losing or reordering a packet.")
    .requiredOption("--from <runtime>", "the runtime that has them")
    .requiredOption("--to <runtime>", "the runtime that gets them")
    .option("--count <n>", "so many flows, whichever")
    .option("--all", "all that it has now; it gets new ones as before (see drain)")
    .addOption(new Option("--flow <match>", "flows that match all the words, as in `nfactor flows`; may be repeated").argParser(collect));
  return addHostOption(command)
    .option("--dry-run", "check and count, and move nothing")
    .addHelpText(
      "after",
      examples(
        ["nfactor migrate --from 1 --to 2 --count 1000", ""],
        ["nfactor migrate --from 1 --to 3 --flow 'tcp 10.0.0.1:4242' --flow 'udp :53'", "one connection, and everything to or from port 53"],
        ["nfactor migrate --from 2 --to 1 --flow 'http_parser.requests>1000' --dry-run", "how many are there?"],
        ["nfactor migrate --from 2 --to 1 --all --json", ""],
      ),
    )
    .action(async (options: MigrateCommandOptions) => {
      const params = migrateParams(options);
      const { from, to } = params;
      await runOperation("migrate", params, from, () => `runtime ${from} → ${to}`, options);
    });
}

/** Throws NfError (usage, runtime.same). */
export function migrateParams(options: Omit<MigrateCommandOptions, keyof OperationOptions>): Params<"migrate"> {
  const [from, to] = [runtimeNumber(options.from), runtimeNumber(options.to)];
  const flows = wanted(options);
  if (from === to) throw new NfError("runtime.same", `runtime ${from} is source and target`, { fix: "Name another runtime with --to." });
  return { from, to, flows, dry_run: options.dryRun === true };
}

function wanted({ count, all, flow }: Pick<MigrateCommandOptions, "count" | "all" | "flow">): Params<"migrate">["flows"] {
  const given = [count !== undefined && "--count", all === true && "--all", flow !== undefined && "--flow"].filter((name) => name !== false);
  if (given.length !== 1)
    throw new NfError("usage", given.length === 0 ? "which flows are to move?" : `${given.join(" and ")} exclude each other`, {
      allowed: "one of --count <n>, --all, and --flow <match>, which may be repeated",
    });
  if (count !== undefined) return { count: integer("--count", count, 1, 2 ** 32 - 1) };
  if (flow === undefined) return { all: true };
  const match = flow.map((text) => text.split(/\s+/).filter((word) => word !== ""));
  for (const words of match) {
    if (words.length === 0) throw new NfError("usage", "--flow: a match without words would be every flow", { fix: "Use --all for that." });
    parseFlowMatch(words, "--flow");
  }
  return { match };
}
