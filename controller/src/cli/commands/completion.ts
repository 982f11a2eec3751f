/** `nfactor completion`: a script for a shell; and, for that script, the names that there are now. */
import { Argument, Command, Option } from "commander";
import { examples, writeAll } from "@nfactor/host/cli";
import { NfError } from "@nfactor/sdk/errors";
import { defaultTenant, readContexts } from "../context_file.ts";
import { connect } from "../api_command.ts";
import { NAME_KINDS, type NameKind, SHELLS, type Shell, completionScript } from "../completion.ts";

/** Somebody waits at a prompt. */
const NAMES_S = "1";
const PLAIN = /^[A-Za-z0-9_.@/:-]{1,256}$/;

/** `program` is asked for when all commands are in it. */
export function completionCommand(program: () => Command): Command {
  return new Command("completion")
    .description("Print a script that lets a shell complete commands, options, and names of deployments, hosts, NFs and tenants.")
    .addArgument(new Argument("[shell]", "which one").choices(SHELLS))
    .addOption(new Option("--names <kind>", "names that there are, for the script").choices(NAME_KINDS).hideHelp())
    .addHelpText(
      "after",
      examples(
        ["source <(nfactor completion bash)", "in ~/.bashrc"],
        ["source <(nfactor completion zsh)", "in ~/.zshrc, after compinit"],
        ["nfactor completion fish | source", "in ~/.config/fish/config.fish"],
      ),
    )
    .action(async (shell: Shell | undefined, options: { names?: NameKind; json?: boolean }) => {
      if (options.names !== undefined) return writeNames(options.names);
      if (shell === undefined) throw new NfError("usage", "for which shell?", { allowed: SHELLS.join(", ") });
      writeAll(1, completionScript(shell, program()));
    });
}

async function writeNames(kind: NameKind): Promise<void> {
  // Whatever goes wrong, a prompt is no place to say so.
  const names = await namesOf(kind).catch(() => []);
  writeAll(1, names.filter((name) => PLAIN.test(name)).map((name) => `${name}\n`).join(""));
}

async function namesOf(kind: NameKind): Promise<readonly string[]> {
  if (kind === "context") return Object.keys(readContexts().contexts);
  const { api } = connect({ timeout: NAMES_S });
  try {
    if (kind === "tenant") return (await api.tenants()).map(({ name }) => name);
    if (kind === "host") return (await api.hosts()).map(({ name }) => name);
    const tenant = defaultTenant({});
    if (kind === "nf") return tenant === undefined ? [] : (await api.nfs(tenant)).flatMap(({ name, newest }) => [name, `${name}@${newest}`]);
    const names = (await api.deployments()).map(({ name }) => name);
    return [...names, ...names.filter((name) => name.startsWith(`${tenant}/`)).map((name) => name.slice(tenant!.length + 1))];
  } finally {
    api.close();
  }
}
