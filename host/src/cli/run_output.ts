/** The result of `run` and `sim` on stdout: text, or one JSON object in pieces, and what a capture run wrote. */
import { type RunSummary, resultJson, summaryText } from "../run/result_text.ts";
import { isYaml, machineText, writeAll } from "./output.ts";

const PIECE_CHARS = 1 << 16;

export function printSummary(summary: RunSummary, json: boolean, written: string | undefined): void {
  if (!json) {
    writeAll(1, `${summaryText(summary)}\n${written === undefined ? "" : `wrote ${written}\n`}`);
    return;
  }
  let piece = "";
  if (isYaml()) return writeAll(1, machineText(JSON.parse([...resultJson(summary)].join("")) as object));
  for (const part of resultJson(summary)) {
    piece += part;
    if (piece.length < PIECE_CHARS) continue;
    writeAll(1, piece);
    piece = "";
  }
  writeAll(1, piece);
}
