/** The examples that every command's help ends with; docs/cli.md shows the same ones. */
export type Example = readonly [command: string, what: string];

export function examples(...list: readonly Example[]): string {
  const lines = list.map(([command, what]) => (what === "" ? `  ${command}` : `  ${command}\n      ${what}`));
  return `\nExamples:\n${lines.join("\n")}`;
}
