/** Bodies in JSON, as strangers send them: bounded in bytes, time, depth and number of values, and without names that mean something to JavaScript. */
import type { Readable } from "node:stream";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../store/index.ts";
import type { RestLimits } from "./limits.ts";

const FIX = "Send JSON as RFC 8259 has it, in UTF-8.";

const malformed = (message: string, allowed?: string): NfError => new NfError("rest.body", message, { allowed, fix: FIX });

export const tooLarge = (bytesMax: number): NfError =>
  new NfError("rest.too_large", `the body is larger than ${bytesMax} bytes`, { allowed: `at most ${bytesMax} bytes`, fix: "Make it smaller." });

/** Undefined when there is nothing in it. Throws NfError (rest.body, rest.too_large, rest.timeout, rest.aborted). */
export async function readJson(payload: Readable, limits: RestLimits, clock: Clock): Promise<unknown> {
  const bytes = await readAll(payload, limits, clock);
  if (bytes.byteLength === 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformed(error instanceof SyntaxError ? `the body is no JSON: ${error.message}` : "the body is not UTF-8");
  }
  requireModest(value, limits);
  return value;
}

function readAll(payload: Readable, { bodyBytes, bodyMs }: RestLimits, clock: Clock): Promise<Buffer> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (): void => {
      cancel();
      payload.off("data", onData).off("end", onEnd).off("close", onClose);
    };
    const refuse = (error: NfError): void => {
      stop();
      fail(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.byteLength;
      if (bytes > bodyBytes) return refuse(tooLarge(bodyBytes));
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      done(Buffer.concat(chunks));
    };
    const onClose = (): void =>
      refuse(new NfError("rest.aborted", "the request ended before its body was whole", { fix: "Send it again; nothing was changed." }));
    const cancel = clock.after(bodyMs, () =>
      refuse(new NfError("rest.timeout", `the body took longer than ${bodyMs} ms`, { allowed: `${bodyMs} ms`, fix: "Send it at once." })),
    );
    payload.on("data", onData).on("end", onEnd).on("close", onClose);
    // What is wrong with the connection is told by its end; the listener stays, since an error without one would end the process.
    payload.on("error", () => undefined);
  });
}

/** Without recursion: the depth is the stranger's. */
function requireModest(root: unknown, { bodyDepth, bodyValues }: RestLimits): void {
  let level = [root];
  let values = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > bodyDepth) throw malformed(`the body is nested deeper than ${bodyDepth} levels`, `${bodyDepth} levels`);
    values += level.length;
    if (values > bodyValues) throw malformed(`the body has more than ${bodyValues} values`, `${bodyValues} values`);
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      if (!Array.isArray(value) && Object.keys(value).some((key) => key === "__proto__" || key === "constructor" || key === "prototype"))
        throw malformed("the body has a field that no object may have: __proto__, constructor or prototype");
      // One by one: the arguments of a call have a bound.
      for (const each of Object.values(value)) next.push(each);
    }
    level = next;
  }
}
