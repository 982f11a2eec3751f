// How configure says what is wrong with a configuration that the schema could not find: for the person who wrote it.
//
// It becomes a log line of the form `config <path>: <code>: <text>`, for example
//   config rules[0].ports: config.port_range: '25-23': the first is above the last; write 23-25
// The host reads such lines when configure returns something other than 0, finds the line and column of the path in the file that
// the configuration came from, and shows them as an error with that code (one of sdk/abi/error_codes.json).
import { LogLevel } from "./abi";
import { log } from "./log";

/** What configure returns after it called configError. */
export const CONFIG_REFUSED: u32 = 1;

/** Path: field names and indexes as in `rules[3].ports`. Path, code and text together: at most 113 characters; the rest is cut. */
export function configError(path: string, code: string, text: string): void {
  log(LogLevel.error, "config " + path + ": " + code + ": " + text);
}
