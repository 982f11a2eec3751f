/** `nfactor flows`: the flows of a running host, with the state of each NF by field. */
import { Command } from "commander";
import { parseFlowMatch } from "../../result/flow_match.ts";
import { count, plural } from "../../result/text.ts";
import { findHost, withClient } from "../../rpc/client.ts";
import { FLOWS_LIMIT_MAX } from "../../rpc/protocol.ts";
import { flowLines } from "../../run/result_text.ts";
import { integer } from "../../config/plan.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import { runtimeNumber } from "../runtime_options.ts";

export function flowsCommand(): Command {
  return new Command("flows")
    .description("Show the flows of a running host that match all the words, with the state of each NF by field.")
    .argument("[match...]", "a protocol (tcp), an address or prefix, :port, address:port, or a field (fw.tag=1; also != < <= > >=)")
    .option("--limit <n>", "flows to show at most", "100")
    .option("--runtime <n>", "only the flows of this runtime, when the host has several")
    .option("--host <name>", "the host's name, or the path of its socket, when several run")
    .addHelpText(
      "after",
      examples(
        ["nfactor flows", "all of them, the first 100"],
        ["nfactor flows tcp :443 10.0.0.0/8", "TCP flows from or to port 443, with an end in 10.0.0.0/8"],
        ["nfactor flows 'firewall.tag!=0' --json", ""],
        ["nfactor flows --runtime 2 udp", "UDP flows of runtime 2"],
      ),
    )
    .action(async (words: string[], options: { limit: string; runtime?: string; host?: string; json?: boolean }) => {
      const limit = integer("--limit", options.limit, 1, FLOWS_LIMIT_MAX);
      const match = words.flatMap((word) => word.split(/\s+/)).filter((word) => word !== "");
      parseFlowMatch(match);
      const runtime = options.runtime === undefined ? undefined : runtimeNumber(options.runtime);
      const params = { match, limit, ...(runtime === undefined ? {} : { runtime }) };
      const result = await withClient(await findHost(options.host), (client) => client.call("flows", params));
      const { flows, seen, more } = result;
      const last = more
        ? `the first ${count(flows.length)} that match; there are more`
        : `${plural(flows.length, "flow")}${match.length > 0 ? ` of ${count(seen)}` : ""}`;
      new Output(options.json === true).result(result, [...flows.map(flowLines), last].join("\n"));
    });
}
