/**
 * Completion scripts, made of the commander tree: what the commands and options are is in the script, names of deployments, hosts, NFs and tenants are asked
 * for when TAB is pressed, with `nfactor completion --names <kind>`, which says nothing when nobody answers.
 */
import { allCommands } from "@nfactor/host/cli";
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];
export const NAME_KINDS = ["deployment", "host", "nf", "tenant", "context"] as const;
export type NameKind = (typeof NAME_KINDS)[number];

interface Entry {
  /** As it is typed; "" for nfactor itself. */
  readonly path: string;
  readonly description: string;
  readonly words: readonly (readonly [word: string, description: string])[];
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly takesValue: boolean;
    readonly values: readonly string[];
    readonly kind: Kind;
    readonly description: string;
  }[];
  readonly first: Kind;
}
type Kind = NameKind | "file" | "none";

const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/deployment/, "deployment"],
  [/^host$/, "host"],
  [/^(nf|nf@version|reference)/, "nf"],
  [/^tenant$/, "tenant"],
  [/^context$/, "context"],
  [/file|folder|path|artifact/, "file"],
];
const kindOf = (name: string): Kind => KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? "none";

export function completionEntries(program: Command): Entry[] {
  return [{ name: "", command: program }, ...allCommands(program)].map(({ name, command }) => ({
    path: name,
    description: command.description(),
    words: [
      ...command.commands.map((one) => [one.name(), firstSentence(one.description())] as const),
      ...(command.registeredArguments[0]?.argChoices ?? []).map((word) => [word, ""] as const),
    ],
    options: command.options.filter((option) => !option.hidden).map((option) => optionEntry(option)),
    first: kindOf(command.registeredArguments[0]?.name() ?? ""),
  }));
}

const firstSentence = (text: string): string => text.split(/(?<=[a-z)])[.:;] /)[0]!.replace(/\.$/, "");

function optionEntry(option: Option): Entry["options"][number] {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const value = /[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? "";
  const kind = option.long === "--context" ? "context" : option.long === "--tenant" ? "tenant" : option.long === "--deployment" ? "deployment" : kindOf(value);
  return { flags, takesValue: option.required || option.optional, values: option.argChoices ?? [], kind, description: firstSentence(option.description) };
}

export function completionScript(shell: Shell, program: Command): string {
  const entries = completionEntries(program);
  return { bash, zsh, fish }[shell](entries);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Which entry the words on the line belong to: the longest path that is typed. Written for bash and zsh, which both have what it uses. */
function pathCase(entries: readonly Entry[]): string {
  const nested = entries.filter(({ path }) => path.includes(" ")).map(({ path }) => path);
  return [...entries.filter(({ path }) => path !== "" && !path.includes(" ")).map(({ path }) => path), ...nested].map((path) => quoted(path)).join("|");
}

function bash(entries: readonly Entry[]): string {
  const cases = entries.map((entry) => {
    const values = entry.options.filter(({ takesValue }) => takesValue);
    const lines = values.map(({ flags, values: choices, kind }) => `        ${flags.join("|")}) ${bashOf(kind, choices)}; return ;;`);
    const flags = entry.options.flatMap((option) => option.flags).join(" ");
    const words = entry.words.map(([word]) => word).join(" ");
    return [
      `    ${quoted(entry.path)})`,
      ...(lines.length > 0 ? ['      case "$before" in', ...lines, "      esac"] : []),
      `      if [[ "$now" == -* ]]; then COMPREPLY=($(compgen -W ${quoted(flags)} -- "$now"))`,
      ...(words === "" ? [`      else ${bashOf(entry.first, [])}`] : [`      else COMPREPLY=($(compgen -W ${quoted(words)} -- "$now"))`]),
      ...(words !== "" && entry.first !== "none" ? [`        _nfactor_more ${entry.first}`] : []),
      "      fi ;;",
    ].join("\n");
  });
  return `# bash completion of nfactor. To load it: source <(nfactor completion bash)
_nfactor_names() { nfactor completion --names "$1" 2>/dev/null; }
_nfactor_more() { COMPREPLY+=($(compgen -W "$(_nfactor_names "$1")" -- "$now")); }
_nfactor() {
  local now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" typed="" word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${typed:+$typed }$word" in
      ${pathCase(entries)}) typed="\${typed:+$typed }$word" ;;
    esac
  done
  case "$typed" in
${cases.join("\n")}
  esac
}
complete -F _nfactor nfactor
`;
}

function bashOf(kind: Kind, choices: readonly string[]): string {
  if (choices.length > 0) return `COMPREPLY=($(compgen -W ${quoted(choices.join(" "))} -- "$now"))`;
  if (kind === "file") return 'COMPREPLY=($(compgen -f -- "$now"))';
  if (kind === "none") return "COMPREPLY=()";
  return `_nfactor_more ${kind}`;
}

function zsh(entries: readonly Entry[]): string {
  const described = (pairs: readonly (readonly [string, string])[]): string =>
    pairs.map(([word, what]) => quoted(`${word.replaceAll(":", "\\:")}:${what}`)).join(" ");
  const cases = entries.map((entry) => {
    const values = entry.options.filter(({ takesValue }) => takesValue);
    const lines = values.map(({ flags, values: choices, kind }) => `        ${flags.join("|")}) ${zshOf(kind, choices)}; return ;;`);
    const flags = entry.options.flatMap((option) => option.flags.map((flag) => [flag, option.description] as const));
    return [
      `    ${quoted(entry.path)})`,
      ...(lines.length > 0 ? ['      case "$before" in', ...lines, "      esac"] : []),
      `      if [[ "$now" == -* ]]; then found=(${described(flags)}); _describe option found`,
      "      else",
      ...(entry.words.length > 0 ? [`        found=(${described(entry.words)}); _describe command found`] : []),
      `        ${zshOf(entry.first, [])}`,
      "      fi ;;",
    ].join("\n");
  });
  return `#compdef nfactor
# zsh completion of nfactor. To load it: source <(nfactor completion zsh)
_nfactor_names() { local -a names; names=(\${(f)"$(nfactor completion --names $1 2>/dev/null)"}); compadd -a names }
_nfactor() {
  local now="\${words[CURRENT]}" before="\${words[CURRENT-1]}" typed="" word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${typed:+$typed }$word" in
      ${pathCase(entries)}) typed="\${typed:+$typed }$word" ;;
    esac
  done
  case "$typed" in
${cases.join("\n")}
  esac
}
compdef _nfactor nfactor
`;
}

function zshOf(kind: Kind, choices: readonly string[]): string {
  if (choices.length > 0) return `compadd ${choices.join(" ")}`;
  if (kind === "file") return "_files";
  return kind === "none" ? ":" : `_nfactor_names ${kind}`;
}

function fish(entries: readonly Entry[]): string {
  const lines: string[] = [];
  for (const entry of entries) {
    const when = `-n ${quoted(`test (_nfactor_path) = ${entry.path === "" ? "-" : entry.path.replaceAll(" ", "_")}`)}`;
    for (const [word, what] of entry.words) lines.push(`complete -c nfactor ${when} -f -a ${word} -d ${quoted(what)}`);
    for (const { flags, takesValue, values, kind, description } of entry.options) {
      const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(" ");
      const value = !takesValue
        ? ""
        : values.length > 0
          ? ` -x -a ${quoted(values.join(" "))}`
          : kind === "file"
            ? " -r -F"
            : kind === "none"
              ? " -x"
              : ` -x -a '(_nfactor_names ${kind})'`;
      lines.push(`complete -c nfactor ${when} ${names}${value} -d ${quoted(description)}`);
    }
    if (entry.first !== "none")
      lines.push(entry.first === "file" ? `complete -c nfactor ${when} -F` : `complete -c nfactor ${when} -f -a '(_nfactor_names ${entry.first})'`);
  }
  const paths = entries.filter(({ path }) => path !== "").map(({ path }) => path.replaceAll(" ", "_"));
  return `# fish completion of nfactor. To load it: nfactor completion fish | source
function _nfactor_names
  nfactor completion --names $argv[1] 2>/dev/null
end
function _nfactor_path
  set -l typed
  for word in (commandline -opc)[2..-1]
    set -l longer (string join _ $typed $word)
    contains -- $longer ${paths.join(" ")}; and set typed $longer
  end
  test -n "$typed"; and echo $typed; or echo -
end
complete -c nfactor -f
${lines.join("\n")}
`;
}
