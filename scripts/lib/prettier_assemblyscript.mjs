// Prettier for AssemblyScript: TypeScript's grammar has no decorators on functions and variables, AssemblyScript's has (`@inline function`).
// They go through Prettier as block comments, which it leaves where they are, and come out as decorators again.
import estree from "prettier/plugins/estree";
import typescript from "prettier/plugins/typescript";

const MARK = "@assemblyscript ";
const DECORATOR = /^([ \t]*)(@\w+(?:\([^)\n]*\))?)(?=\s+(?:export\s+)?(?:function|const|let)\b)/gm;

export const parsers = {
  typescript: {
    ...typescript.parsers.typescript,
    astFormat: "assemblyscript",
    preprocess: (text) => text.replace(DECORATOR, (_all, indent, decorator) => `${indent}/*${MARK}${decorator}*/`),
  },
};

export const printers = {
  assemblyscript: {
    ...estree.printers.estree,
    printComment: (path, options) => {
      const { value } = path.node;
      return value.startsWith(MARK) ? value.slice(MARK.length) : estree.printers.estree.printComment(path, options);
    },
  },
};
