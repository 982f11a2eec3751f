/** A form with files, as RFC 7578 has it. */
import { randomBytes } from "node:crypto";

export function multipart(files: Readonly<Record<string, Uint8Array>>): { readonly type: string; readonly bytes: Uint8Array } {
  // 128 random bits: no file has them in it.
  const boundary = `nfactor-${randomBytes(16).toString("hex")}`;
  const parts = Object.entries(files).flatMap(([name, bytes]) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`),
    bytes,
    Buffer.from("\r\n"),
  ]);
  return { type: `multipart/form-data; boundary=${boundary}`, bytes: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]) };
}
