/** `nfactor agent`: lets supervisors on other machines keep runtimes here. */
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { parseEndpoint } from "../../config/endpoint.ts";
import { onStopSignals } from "../../run/signals.ts";
import { checkLinkPort } from "../../run/ports.ts";
import { examples } from "../help.ts";
import { safeText } from "../../result/text.ts";
import { Output } from "../output.ts";
import { UnwaitedOutput } from "../unwaited_output.ts";

interface AgentCommandOptions {
  listen: string;
  keyFile: string;
  iface: string;
  json?: boolean;
}

export function agentCommand(): Command {
  return new Command("agent")
    .description(
      "Keep runtimes on this machine for hosts on others ('nfactor run --agent'), until Ctrl-C. When it ends, the runtimes go on, and the next one takes them over.",
    )
    .requiredOption("--listen <address:port>", "where it is reached")
    .requiredOption("--key-file <file>", "key that the hosts have too, 64 hex digits: it encrypts, and whoever has it is let in")
    .requiredOption("--iface <name>", "interface that leads to the hosts' machine; it carries the links of the runtimes")
    .addHelpText(
      "after",
      examples(
        ["nfactor agent --listen 10.9.0.2:7700 --key-file agent.key --iface l0", ""],
        ["(umask 077; openssl rand -hex 32 > agent.key)", "a key, which goes to both machines"],
      ),
    )
    .action(run);
}

async function run({ listen, keyFile, iface, json }: AgentCommandOptions): Promise<void> {
  const endpoint = parseEndpoint(listen);
  if (!endpoint) throw new NfError("usage", `--listen: '${listen}' is no address with a port`, { allowed: "like 10.9.0.2:7700 or [fd00::2]:7700" });
  const { readKey } = await import("../../supervisor/agent_tls.ts");
  const key = readKey(keyFile);
  checkLinkPort(iface);
  const { Agent } = await import("../../agent/agent.ts");
  const said = new UnwaitedOutput(2);
  const output = new Output(json === true, said);
  const agent = await Agent.start({ listen: endpoint, key, iface, say: (text) => output.note(safeText(text, 2000)) });
  output.note(`listening on ${listen}; Ctrl-C ends the agent and leaves its runtimes at work`);
  await new Promise<void>((done) =>
    onStopSignals(
      () => done(),
      () => undefined,
    ),
  );
  const left = agent.leave();
  await said.end();
  output.result({ left: left.length }, left.length === 0 ? "" : `${left.join(", ")} go on; the next 'nfactor agent' takes them over`);
  process.exit(0);
}
