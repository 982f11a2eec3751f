/** Body of the checking process: an artifact on stdin, its verdict as JSON on descriptor 3. Started by child.ts only. */
import { writeFileSync } from "node:fs";
import { LIMITS } from "../abi/gen/abi.ts";
import { checkComponent } from "./check.ts";
import { encodeAdmission } from "./verdict.ts";

const VERDICT_FD = 3;

async function readAll(max: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // One byte too many is enough to be refused.
    if (bytes > max) break;
  }
  return Buffer.concat(chunks);
}

writeFileSync(VERDICT_FD, encodeAdmission(await checkComponent(await readAll(LIMITS.component_bytes_max))));
