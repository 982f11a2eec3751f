/** `nfactor recover`: a runtime of a running host is declared dead, and its flows go on from their replicas. */
import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { recoveryText } from "../../result/runtimes_text.ts";
import { count, plural } from "../../result/text.ts";
import { ControlClient, findHost, withClient } from "../../rpc/client.ts";
import type { Result } from "../../rpc/protocol.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import { addHostOption, runtimeNumber } from "../runtime_options.ts";

/** The host gives up on what does not come back, long before. */
const DEADLINE_MS = 10 * 60 * 1000;
const PROGRESS_MS = 500;

interface RecoverOptions {
  host?: string;
  json?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

export function recoverCommand(): Command {
  return addHostOption(new Command("recover"))
    .description(
      "Declare a runtime of a running host dead: nothing of it leaves any more, and its flows go on in the runtimes that have their replicas. Its process is killed and started again; in one process it is gone.",
    )
    .argument("<runtime>", "its number")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "say how many flows would be recovered, and how many would lose their state")
    .addHelpText("after", examples(["nfactor recover 2", ""], ["nfactor recover 2 --dry-run", "what would be lost?"], ["nfactor recover 2 --yes --json", ""]))
    .action(async (text: string, options: RecoverOptions) => {
      const runtime = runtimeNumber(text);
      const output = new Output(options.json === true);
      const socket = await findHost(options.host);
      await withClient(socket, async (client) => {
        const would = await client.call("recover", { runtime, dry_run: true });
        if (options.dryRun) return void output.result(would, recoveryText(would));
        if (!options.yes) await ask(would);
        const progress = watch(socket, output, would.flows);
        const result = await client.call("recover", { runtime, dry_run: false }, DEADLINE_MS).finally(() => progress.close());
        output.result(result, recoveryText(result));
        if (result.lost > 0) process.exitCode = EXIT.notMoved;
      });
    });
}

/** Throws NfError (usage) unless somebody at a terminal says yes. */
async function ask(would: Result<"recover">): Promise<void> {
  const what = `runtime ${would.runtime} would be declared dead: ${plural(would.recovered, "flow")} would go on elsewhere, ${count(would.lost)} would lose their state`;
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw new NfError("usage", what, { fix: "Add --yes if that is wanted." });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await terminal.question(`${what}. Do it? [y/N] `)).trim())) return;
  } finally {
    terminal.close();
  }
  throw new NfError("usage", "not confirmed, nothing was changed");
}

/** A line that is written over on a terminal, once it takes a while. Over connections of its own, since the first one waits for its answer. */
function watch(socket: string, output: Output, flows: number): { close(): void } {
  const read = async (): Promise<number> => {
    const client = await ControlClient.connect(socket);
    try {
      const { runtimes } = await client.call("runtimes", {});
      return runtimes.reduce((sum, one) => sum + (one.runtime === 0 ? 0 : one.recovered), 0);
    } finally {
      client.close();
    }
  };
  let [before, shown, closed]: [number | undefined, boolean, boolean] = [undefined, false, !process.stderr.isTTY];
  const show = async (): Promise<void> => {
    // What goes wrong here goes wrong for the command as well, which says so.
    const now = await read().catch(() => undefined);
    if (closed || now === undefined) return;
    before ??= now;
    shown = true;
    output.write(`\r\x1b[K${count(Math.min(now - before, flows))} of ${plural(flows, "flow")} recovered`);
  };
  const timer = setInterval(() => void show(), PROGRESS_MS);
  if (!closed)
    void read()
      .then((now) => (before ??= now))
      .catch(() => undefined);
  return {
    close: (): void => {
      clearInterval(timer);
      if (!closed && shown) output.write("\r\x1b[K");
      closed = true;
    },
  };
}
