/** What the author says about a declaration: the comment before it, or the one behind it on its line. The compiler drops comments; the text has them. */
import type * as as from "assemblyscript";

const LENGTH_MAX = 300;

export function docOf(node: as.DeclarationStatement): string | undefined {
  const { text } = node.range.source;
  const before = text.slice(0, node.range.start).trimEnd();
  const block = before.endsWith("*/") ? /\/\*\*((?:(?!\/\*)[\s\S])*)\*\/$/.exec(before)?.[1] : undefined;
  const behind = /^[^\n{]*?\/\/[ \t]*([^\n]*)/.exec(text.slice(node.range.end))?.[1];
  const words = (block ?? behind)
    ?.split("\n")
    .map((line) => line.replace(/^\s*\*?\s?/, "").trim())
    .join(" ")
    .trim();
  return words === undefined || words === "" ? undefined : words.slice(0, LENGTH_MAX);
}
