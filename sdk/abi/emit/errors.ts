/** error_codes.json → gen/error_codes.ts and gen/error_codes.h: one list of stable codes for TypeScript and C++. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { pascal } from "./names.ts";

const HEAD = "Generated from sdk/abi/error_codes.json by `npm run generate`. Do not edit.";
const file = z.strictObject({
  $comment: z.string(),
  codes: z.array(z.strictObject({ code: z.string().regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/), doc: z.string().min(1) })),
});
export type ErrorCodes = z.output<typeof file>["codes"];

export function loadErrorCodes(path: string | URL): ErrorCodes {
  const { codes } = file.parse(JSON.parse(readFileSync(path, "utf8")));
  const seen = new Set<string>();
  for (const { code } of codes) {
    const key = pascal(code);
    if (seen.has(key)) throw new Error(`error_codes.json: '${code}' appears twice (or differs only in punctuation)`);
    seen.add(key);
  }
  return codes;
}

export function emitErrorTs(codes: ErrorCodes): string {
  return [
    `// ${HEAD}`,
    "",
    "/** Every error code, with what it means. Codes are stable: tools may match on them. */",
    "export const ERROR_CODES = {",
    ...codes.map((c) => `  "${c.code}": ${JSON.stringify(c.doc)},`),
    "} as const;",
    "export type ErrorCode = keyof typeof ERROR_CODES;",
    "",
  ].join("\n");
}

export function emitErrorCpp(codes: ErrorCodes): string {
  return [
    `// ${HEAD}`,
    "#pragma once",
    "",
    "#include <cstdint>",
    "",
    "namespace nf {",
    "",
    "enum class ErrorCode : uint16_t {",
    ...codes.map((c, i) => `  k${pascal(c.code)} = ${i},  // ${c.doc}`),
    "};",
    "",
    "// The code as it is written in messages and seen by TypeScript.",
    "inline constexpr const char* ErrorCodeName(ErrorCode code) {",
    "  switch (code) {",
    ...codes.map((c) => `    case ErrorCode::k${pascal(c.code)}:\n      return "${c.code}";`),
    "  }",
    '  return "internal";',
    "}",
    "",
    "}  // namespace nf",
    "",
  ].join("\n");
}
