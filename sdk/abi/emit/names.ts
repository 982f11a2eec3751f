/** Spellings of one ABI name in the languages it is written in, and the line that heads every generated file. */

export const HEAD = "Generated from sdk/abi/nf_abi.json by `npm run generate`. Do not edit.";

/** `malformed_ipv4`, `MODIFIED_HEADER`, `abi-version` → `MalformedIpv4`, `ModifiedHeader`, `AbiVersion`. */
export function pascal(name: string): string {
  return name
    .split(/[_.-]/)
    .map((word) => (word === "" ? "" : word[0]!.toUpperCase() + word.slice(1).toLowerCase()))
    .join("");
}

/** `burst_header`, `abi-version` → `BURST_HEADER`, `ABI_VERSION`. */
export function screaming(name: string): string {
  return name.replaceAll(/[.-]/g, "_").toUpperCase();
}

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
