/** What the demo prints: steps, commands as somebody would type them, what came of them, and at the end the figures. */
import { plural, table } from "../../host/src/result/text.ts";

/** Where a command is typed. */
export type Prompt = "host" | "client";

const EXCERPT_COLUMNS = 150;

export class Show {
  readonly #figures: [what: string, value: string, note: string][] = [];
  #step = 0;

  title(text: string): void {
    this.#step += 1;
    console.log(`\n── ${this.#step}. ${text}`);
  }

  say(text: string): void {
    console.log(`     ${text}`);
  }

  command(prompt: Prompt, words: string): void {
    console.log(`  ${prompt}$ ${words}`);
  }

  /** The first lines of what a command printed, or those that are chosen. */
  excerpt(text: string, lines = 15, isShown: (line: string) => boolean = (line) => line !== ""): void {
    const all = text.split("\n").filter(isShown);
    for (const line of all.slice(0, lines)) this.say(line.length > EXCERPT_COLUMNS ? `${line.slice(0, EXCERPT_COLUMNS - 2)} …` : line);
    if (all.length > lines) this.say(`… and ${plural(all.length - lines, "line")} more`);
  }

  /** What has to be so: the demo fails when it is not. */
  must(condition: boolean, text: string): void {
    console.log(`  ${condition ? "ok  " : "FAIL"} ${text}`);
    if (!condition) process.exitCode = 1;
  }

  figure(what: string, value: string, note = ""): void {
    this.#figures.push([what, value, note]);
  }

  figures(): void {
    console.log(`\n── Figures, measured just now\n${table(this.#figures, [1]).replaceAll(/^/gm, "  ")}`);
  }
}
