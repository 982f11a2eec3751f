/** `nfactor up`: a controller and this machine as a host, in one process. What it does is in up.ts, which is loaded when it runs. */
import { Command } from "commander";
import { examples } from "@nfactor/host/cli";

export interface UpOptions {
  readonly state?: string;
  readonly listen: string;
  readonly apiCert?: string;
  readonly apiKey?: string;
  readonly rpc?: string;
  readonly rpcLog?: string;
  readonly name?: string;
  /** --no-host */
  readonly host: boolean;
  readonly room?: string;
  readonly agent?: string;
  readonly agentIface?: string;
  /** A name, or false: --no-context. */
  readonly context: string | false;
  readonly newAdminToken?: boolean;
  readonly json?: boolean;
}

export function upCommand(): Command {
  return new Command("up")
    .description(
      "Run a controller, and this machine as a host of it, until Ctrl-C or SIGTERM. When it ends, or is killed, deployments go on, and the next one finds them. With --json each event is a line.",
    )
    .option(
      "--state <folder>",
      "all that it keeps: store, artifacts, tokens, what its host runs (default: /var/lib/nfactor, or ~/.local/state/nfactor without root)",
    )
    .option("--listen <address:port>", "where the API is; beyond this machine only with --api-cert", "127.0.0.1:7780")
    .option("--api-cert <file>", "certificate of the API, PEM: it speaks HTTPS then")
    .option("--api-key <file>", "its key, PEM")
    .option("--rpc <address:port>", "where hosts on other machines connect, over TLS, like 0.0.0.0:7800 (default: nowhere)")
    .option("--rpc-log <file>", "write there what controller and hosts ask of each other, a line of JSON each, without secrets; at 64 MiB it becomes <file>.1")
    .option("--name <name>", "name of this machine as a host (default: the machine's)")
    .option("--no-host", "the controller alone")
    .option("--room <n>", "runtimes that this host takes at once (default: by CPUs and memory)")
    .option("--agent <address:port>", "let runtimes of other hosts' deployments be here, too, and be reached there for that")
    .option("--agent-iface <name>", "interface that leads to those hosts; it carries the links of the runtimes")
    .option("--context <name>", "under which name the other commands find it", "local")
    .option("--no-context", "write no context")
    .option("--new-admin-token", "make another admin token, when the first one is lost")
    .addHelpText(
      "after",
      examples(
        ["nfactor up", ""],
        ["nfactor up --state ./state --listen 127.0.0.1:7781 --context try", "another one beside it"],
        ["nfactor up --rpc 0.0.0.0:7800", "other machines join with 'nfactor hosts token' and 'nfactor host'"],
      ),
    )
    .action(async (options: UpOptions) => (await import("../up.ts")).up(options));
}
