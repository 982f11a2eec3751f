/** `nfactor init`: a working NF to begin from. Writes all of its files or none. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { nameSchema } from "@nfactor/sdk/manifest";
import { shownPath } from "../../nf/resolve.ts";
import { templateFiles } from "../../nf/template.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import type { InitResultJson } from "../results.ts";

export function initCommand(): Command {
  return new Command("init")
    .description("Make a new NF that builds, tests and runs: source, manifest, test, README.")
    .argument("<name>", "the NF's name: a lower-case letter, then letters, digits and underscores")
    .option("--dir <folder>", "where to make its folder", ".")
    .addHelpText(
      "after",
      examples(
        ["nfactor init rate_limiter", "makes ./rate_limiter"],
        ["nfactor init rate_limiter --dir nf-wasm", "where `--chain rate_limiter` finds it by name"],
      ),
    )
    .action((name: string, options: { dir: string; json?: boolean }) => {
      const result = makeNf(name, options.dir);
      const { folder } = result;
      new Output(options.json === true).result(
        result,
        [
          `made ${folder}`,
          ...result.files.map((file) => `  ${file}`),
          "",
          "Next:",
          `  nfactor test ${folder}`,
          `  nfactor build ${folder}`,
          `  nfactor run --chain ${folder} --in some.pcap --out out.pcap`,
        ].join("\n"),
      );
    });
}

/** Throws NfError (usage) when the name cannot be one, or something is in the way. */
export function makeNf(name: string, dir: string): InitResultJson {
  if (!nameSchema.safeParse(name).success) {
    throw new NfError("usage", `'${name}' cannot be an NF's name`, {
      given: name,
      allowed: "a lower-case letter, then letters, digits and underscores, 63 at most",
    });
  }
  const folder = resolve(dir, name);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new NfError("usage", `${shownPath(folder)} is there already and not empty`, { fix: "Choose another name or --dir." });
  const files = templateFiles(name, folder);
  let temporary: string | undefined;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    temporary = mkdtempSync(join(dirname(folder), `.${name}.`));
    for (const [path, text] of files) {
      mkdirSync(dirname(join(temporary, path)), { recursive: true });
      writeFileSync(join(temporary, path), text);
    }
    chmodSync(temporary, 0o777 & ~process.umask());
    renameSync(temporary, folder);
  } catch (cause) {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    throw new NfError("usage", `${shownPath(folder)} cannot be made: ${(cause as Error).message}`, { cause, fix: "Choose another place with --dir." });
  }
  return { folder: shownPath(folder), files: [...files.keys()] };
}
