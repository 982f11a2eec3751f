/** What the command lines of host and controller have in common. Nothing here loads what a command does. */
export { NFACTOR, ROOT } from "../package.ts";
export { flowLines } from "../run/result_text.ts";
export { type RuntimeRates, operationText, ratesOf, recoveryText, runtimesTable } from "../result/runtimes_text.ts";
export { hostOptions, machineName } from "./commands/host.ts";
export { migrateParams } from "./commands/migrate.ts";
export { EXIT, exitCodeOf } from "./exit_codes.ts";
export { type Example, examples } from "./help.ts";
export { main, prepared, usageError } from "./main.ts";
export { Output, machineText, reportError, writeAll } from "./output.ts";
export { allCommands, createProgram, hostCommands, isFormat } from "./program.ts";
export { Sink } from "./commands/capture.ts";
export { UnwaitedOutput } from "./unwaited_output.ts";
export { runtimeNumber } from "./runtime_options.ts";
export { matchWords } from "./trace_options.ts";
