/**
 * Where, in the author's files, each function calls each other one. The compiler's own graph (code_graph.ts) has no positions, and functions that
 * are inlined by decorator are not in it at all: so calls are written down while they are compiled.
 *
 * The compiler class is one for all programs of the process; the hooks are set once and find the program's recorder by the program.
 */
import * as as from "assemblyscript";
import { isAuthored } from "./ast.ts";

export interface Call {
  callee: as.Function;
  /** Arguments as written; undefined for calls that the language makes (operators, setters). */
  args: readonly as.Expression[] | undefined;
  /** The author's expression that led to the call. */
  at: as.Range;
}

export interface Arithmetic {
  expression: as.BinaryExpression;
  /** What the result is for, and what it is computed in. */
  wanted: as.Type;
  computed: as.Type;
}

const recorders = new WeakMap<as.Program, CallSites>();

export class CallSites {
  /** Calls that the author's files make, directly or through inlined functions of the SDK. */
  readonly calls: Call[] = [];
  readonly arithmetic: Arithmetic[] = [];
  readonly #places = new Map<string, as.Range>();
  readonly #open: { target: as.Function; at: as.Range }[] = [];

  constructor(program: as.Program) {
    recorders.set(program, this);
    installHooks();
  }

  /** The author's place where `from` calls `to` (internal names); undefined if it is in the SDK or the language's library. */
  placeOf(from: string, to: string): as.Range | undefined {
    return this.#places.get(`${from}\0${to}`);
  }

  enter(target: as.Function, callee: as.Function, args: readonly as.Expression[] | undefined, node: as.Node): void {
    const own = isAuthored(node.range.source);
    // Of calls inside inlined functions of the SDK, the place is that of the author's call that led there.
    const at = own ? node.range : this.#open.findLast((o) => o.target === target && isAuthored(o.at.source))?.at;
    this.#open.push({ target, at: node.range });
    if (!at) return;
    const key = `${target.internalName}\0${callee.internalName}`;
    if (!this.#places.has(key)) this.#places.set(key, at);
    if (own) this.calls.push({ callee, args, at });
  }
  leave(): void {
    this.#open.pop();
  }
}

type Method = (this: as.Compiler, ...args: unknown[]) => unknown;
let installed = false;

function installHooks(): void {
  if (installed) return;
  installed = true;
  const prototype = as.Compiler.prototype as unknown as Record<string, Method>;
  const wrap = (name: string, around: (recorder: CallSites, compiler: as.Compiler, args: unknown[], original: () => unknown) => unknown): void => {
    const original = prototype[name];
    if (typeof original !== "function") throw new Error(`the compiler has no method ${name}: it is not of the version that the transform was made for`);
    prototype[name] = function (...args) {
      const recorder = recorders.get(this.program);
      const run = (): unknown => original.apply(this, args);
      return recorder ? around(recorder, this, args, run) : run();
    };
  };
  for (const name of ["compileCallDirect", "makeCallDirect"]) {
    wrap(name, (recorder, compiler, [callee, args, node], original) => {
      const written = name === "compileCallDirect" ? (args as as.Expression[]) : undefined;
      recorder.enter(compiler.currentFlow.targetFunction, callee as as.Function, written, node as as.Node);
      try {
        return original();
      } finally {
        recorder.leave();
      }
    });
  }
  wrap("compileBinaryExpression", (recorder, compiler, [expression, wanted], original) => {
    const result = original();
    const node = expression as as.BinaryExpression;
    if (isAuthored(node.range.source)) recorder.arithmetic.push({ expression: node, wanted: wanted as as.Type, computed: compiler.currentType });
    return result;
  });
}
