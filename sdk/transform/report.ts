/** Complaints at a node of the author's source: they become diagnostics of the compiler, like its own. */
import type * as as from "assemblyscript";
import { DiagnosticCode } from "./enums.ts";

export class Report {
  readonly #emitter: as.DiagnosticEmitter;

  constructor(emitter: as.DiagnosticEmitter) {
    this.#emitter = emitter;
  }
  error(at: as.Range, message: string): void {
    this.#emitter.error(DiagnosticCode.User_defined_0, at, message);
  }
  warn(at: as.Range, message: string): void {
    this.#emitter.warning(DiagnosticCode.User_defined_0, at, message);
  }
}
