/** A command that shows something, with commands about one of them inside: `nfactor hosts`, `nfactor hosts drain h2`. */
import type { Command } from "commander";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";

export function group<O>(command: Command, commands: readonly Command[], show: (options: O) => Promise<void> | void): Command {
  const names = commands.map((one) => one.name());
  command.usage("[options] [command]").enablePositionalOptions().allowExcessArguments().argument("[command]");
  for (const one of commands) command.addCommand(one);
  return command.action(async (word: string | undefined, options: O) => {
    if (word === undefined) return show(options);
    const meant = nearest(word, names);
    throw new NfError("usage", `${command.name()}: '${safeText(word, 80)}' is no command of it`, {
      allowed: `${names.join(", ")}, or nothing`,
      fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
    });
  });
}

/** The options of a command inside, which may stand before and behind its name, as those of the command that it is in. */
export const withGlobals =
  <O>(action: (word: string, options: O) => Promise<void>) =>
  (word: string, _: unknown, command: Command): Promise<void> =>
    action(word, command.optsWithGlobals<O & object>());
