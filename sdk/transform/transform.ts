/**
 * The transform: makes a module of the ABI from one class.
 *
 * It runs inside the compiler, at three points: after parsing it rewrites state classes and writes the exports; when
 * names are resolved it lays states out; when code is generated it checks what the code may not do. Everything wrong becomes a diagnostic at
 * the author's line.
 */
import type * as as from "assemblyscript";
import type { ConfigSchema } from "../config/schema.ts";
import type { Manifest } from "../manifest/manifest.ts";
import type { StateSchema } from "../manifest/state_schema.ts";
import { decoratorOf, isAuthored, isClass, parseGenerated, resolveClass, textOf, typeName } from "./ast.ts";
import { CallSites } from "./call_sites.ts";
import { checkCode } from "./code_checks.ts";
import { CodeGraph } from "./code_graph.ts";
import { ConfigClasses } from "./config_class.ts";
import { type NfClass, findNf } from "./find_nf.ts";
import { type FlowState, HIDDEN, arrayClasses, emptySchema, layOut, rewriteFlowState, rewriteOffsetof } from "./flow_state.ts";
import { addGlue, exportNames, setStateConstants } from "./glue.ts";
import { lint } from "./lints.ts";
import { Report } from "./report.ts";

export interface TransformInput {
  /** The entry file, as the compiler names it. */
  entry: string;
  manifest: Manifest;
}

export interface TransformOutput {
  stateSchema: StateSchema | undefined;
  configSchema: ConfigSchema | undefined;
  /** The name in the NF's class declaration: where complaints go that have no better place. */
  nf: as.Range | undefined;
  /** The compiler's complaints up to now; it hands them out at its end only. */
  diagnostics: readonly as.DiagnosticMessage[] | undefined;
}

/** What the compiler adds to a transform before it makes an instance. */
interface Hooks {
  program: as.Program;
}

export function makeTransform(input: TransformInput, output: TransformOutput): new () => object {
  return class NfTransform {
    // The compiler puts the program on the prototype; a field would hide it.
    declare program: Hooks["program"];
    #nf: NfClass | undefined;
    #states: FlowState[] = [];
    #state: FlowState | undefined;
    #sites: CallSites | undefined;

    afterParse(parser: as.Parser): void {
      output.diagnostics = this.program.diagnostics;
      const report = new Report(this.program);
      const authored = parser.sources.filter(isAuthored);
      const entry = authored.find((s) => s.normalizedPath === input.entry);
      const nf = entry && findNf(entry, report);
      if (!nf) return;
      this.#nf = nf;
      output.nf = nf.declaration.name.range;
      lint(authored, input.manifest.rights, report);
      this.#rewriteStates(parser, authored, report);
      for (const source of authored) rewriteOffsetof(source, (name, field) => this.#placeOf(parser, source, name, field));
      this.#state = this.#stateOf(parser, nf, report);
      const config = this.#configOf(parser, nf, report);
      output.configSchema = config ?? { type: "object", properties: {}, additionalProperties: false };
      addGlue(parser, nf, { decode: config && `${textOf(nf.config)}.${HIDDEN}decode()` });
    }

    #rewriteStates(parser: as.Parser, authored: readonly as.Source[], report: Report): void {
      const arrays = new Map<string, [string, number]>();
      const using = new Map<as.Source, Set<string>>();
      for (const source of authored) {
        for (const statement of [...source.statements]) {
          if (!isClass(statement) || !decoratorOf(statement, "flowState")) continue;
          const own = new Map<string, [string, number]>();
          this.#states.push(rewriteFlowState(parser, statement, own, report));
          const names = using.get(source) ?? new Set();
          for (const [name, shape] of own) {
            arrays.set(name, shape);
            names.add(name);
          }
          using.set(source, names);
        }
      }
      if (arrays.size === 0) return;
      parser.parseFile(arrayClasses(arrays), "~lib/@nfactor/sdk/state_arrays.ts", false);
      for (const [source, names] of using) {
        if (names.size === 0) continue;
        const list = [...names].map((n) => `${n} as ${HIDDEN}${n}`).join(", ");
        source.statements.unshift(...parseGenerated(parser, `arrays-${source.internalPath}`, `import { ${list} } from "@nfactor/sdk/state_arrays";`));
      }
    }

    #placeOf(parser: as.Parser, source: as.Source, name: string, field: string): string | undefined {
      const declaration = resolveClass(parser.sources, source, name);
      const state = declaration && this.#states.find((s) => s.declaration === declaration);
      return state?.fields.find((f) => f.name === field)?.place;
    }

    #stateOf(parser: as.Parser, nf: NfClass, report: Report): FlowState | undefined {
      const name = typeName(nf.state);
      const declaration = name === undefined ? undefined : resolveClass(parser.sources, nf.source, name);
      const state = this.#states.find((s) => s.declaration === declaration);
      if (state || name === "NoState") return state;
      if (declaration) report.error(nf.state.range, `${name} is not a @flowState class: write @flowState before it, or NoState here.`);
      else report.error(nf.state.range, `there is no class ${name}; the state is a @flowState class, or NoState.`);
      return undefined;
    }

    #configOf(parser: as.Parser, nf: NfClass, report: Report): ConfigSchema | undefined {
      const name = typeName(nf.config);
      const declaration = name === undefined ? undefined : resolveClass(parser.sources, nf.source, name);
      if (declaration && decoratorOf(declaration, "config")) {
        const classes = new ConfigClasses(parser.sources, report);
        const schema = classes.schemaOf(declaration);
        classes.addDecoders(parser);
        return schema;
      }
      if (name === "NoConfig") return undefined;
      if (declaration) report.error(nf.config.range, `${name} is not a @config class: write @config before it, or NoConfig here.`);
      else report.error(nf.config.range, `there is no class ${name}; the configuration is a @config class, or NoConfig.`);
      return undefined;
    }

    afterInitialize(program: as.Program): void {
      const report = new Report(program);
      this.#sites = new CallSites(program);
      output.stateSchema = emptySchema();
      for (const state of this.#states) {
        const prototype = program.elementsByDeclaration.get(state.declaration);
        const instance = prototype && program.resolver.resolveClass(prototype as as.ClassPrototype, null);
        if (!instance) continue;
        const schema = layOut(state, instance, report);
        if (state === this.#state) output.stateSchema = schema;
      }
      if (this.#nf) setStateConstants(this.#nf, output.stateSchema);
    }

    afterCompile(module: { emitText(): string }): void {
      if (!this.#nf || !this.#sites) return;
      const report = new Report(this.program);
      const graph = new CodeGraph(module.emitText());
      const nf = this.#nf.declaration.name.range;
      checkCode({ graph, sites: this.#sites, sources: this.program.sources, manifest: input.manifest, nf, report });
      for (const name of ["init", ...exportNames(this.#nf)]) if (!graph.exports.has(name)) throw new Error(`the compiler did not export ${name}`);
    }
  };
}
