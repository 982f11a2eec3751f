/**
 * Which function calls which, and which global variables each writes: read from the text of the module before it is optimized, in which every
 * function still has its own name. What goes through the function table may call anything in it.
 */
export class CodeGraph {
  readonly calls = new Map<string, Set<string>>();
  readonly writes = new Map<string, Set<string>>();
  readonly imports: string[] = [];
  /** Export → internal name of the function. */
  readonly exports = new Map<string, string>();

  constructor(text: string) {
    const indirect = new Set<string>();
    const table = new Set<string>();
    let current = "";
    for (const line of text.split("\n")) {
      const start = /^ \(func (\$"[^"]*"|\$\S+)/.exec(line);
      if (start) {
        current = name(start[1]!);
        this.calls.set(current, new Set());
        this.writes.set(current, new Set());
        continue;
      }
      const exported = /^ \(export "([^"]*)" \(func (\$"[^"]*"|\$[^\s)]+)\)/.exec(line);
      if (exported) this.exports.set(exported[1]!, name(exported[2]!));
      const imported = /^ \(import "([^"]*)" "([^"]*)"/.exec(line);
      if (imported) this.imports.push(`${imported[1]}.${imported[2]}`);
      if (/^ \(elem /.test(line)) for (const [, entry] of line.matchAll(/ (\$"[^"]*"|\$[^\s)]+)/g)) table.add(name(entry!));
      if (/\(call_indirect/.test(line)) indirect.add(current);
      const call = /\((?:return_)?call (\$"[^"]*"|\$[^\s)]+)/.exec(line);
      if (call) this.calls.get(current)?.add(name(call[1]!));
      const written = /\(global\.set (\$"[^"]*"|\$[^\s)]+)/.exec(line);
      if (written) this.writes.get(current)?.add(name(written[1]!));
    }
    for (const caller of indirect) for (const callee of table) this.calls.get(caller)?.add(callee);
  }

  /** Function → the one that calls it on a shortest way from `roots`; roots map to themselves. */
  reachable(roots: Iterable<string>): Map<string, string> {
    const from = new Map<string, string>();
    const queue = [...roots].filter((root) => this.calls.has(root));
    for (const root of queue) from.set(root, root);
    for (let i = 0; i < queue.length; i++) {
      for (const callee of this.calls.get(queue[i]!) ?? []) {
        if (from.has(callee)) continue;
        from.set(callee, queue[i]!);
        queue.push(callee);
      }
    }
    return from;
  }

  /** The functions from a root to `target`, both included. */
  static path(from: ReadonlyMap<string, string>, target: string): string[] {
    const path = [target];
    for (let at = target; from.get(at) !== at; at = path[0]!) path.unshift(from.get(at)!);
    return path;
  }
}

/** `$name` or `$"name with \28escapes\29"` without its decoration. */
function name(text: string): string {
  if (!text.startsWith('$"')) return text.slice(1);
  return text.slice(2, -1).replaceAll(/\\([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
