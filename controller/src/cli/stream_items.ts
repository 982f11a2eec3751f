/** The API's streams as lines of JSON: `{"event":…,"id":…,"data":…}`; empty lines say that the connection lives. Throws NfError (cli.answer). */
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { apiErrorOf } from "./api_error.ts";

export interface StreamItem {
  readonly event: string;
  readonly id?: string | number | undefined;
  readonly data: unknown;
}

const LINE_CHARS_MAX = 8 << 20;

/** Ends with the stream's `end`; throws what its `error` says, or, when it just stops, what `cutOff` makes. */
export async function* streamItems(pieces: AsyncIterable<Uint8Array>, cutOff: () => Error): AsyncGenerator<StreamItem> {
  for await (const line of linesOf(pieces)) {
    if (line === "") continue;
    const item = parsed(line);
    if (item.event === "end") return;
    if (item.event === "error") throw apiErrorOf(item.data) ?? new NfError("cli.answer", `the stream ends with an error that is not understood: ${safeText(line, 200)}`);
    yield item;
    // A result is the last that is to come.
    if (item.event === "result") return;
  }
  throw cutOff();
}

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > LINE_CHARS_MAX) throw new NfError("cli.answer", "an event of the API is longer than any should be");
    yield* lines;
  }
}

function parsed(line: string): StreamItem {
  try {
    const item: unknown = JSON.parse(line);
    if (typeof item === "object" && item !== null && "event" in item && typeof item.event === "string") return { data: undefined, ...item } as StreamItem;
  } catch {
    // Told below.
  }
  throw new NfError("cli.answer", `the API's stream has a line that is no event: ${safeText(line, 80)}`);
}
