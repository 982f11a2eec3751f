import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build/**", "**/node_modules/**", "**/gen/**"] },
  js.configs.recommended,
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        setInterval: "readonly",
        clearInterval: "readonly",
        clearTimeout: "readonly",
        setTimeout: "readonly",
        URL: "readonly",
        Buffer: "readonly",
      },
    },
  },
  {
    files: ["**/*.ts"],
    ignores: ["**/assembly/**"],
    extends: [...tseslint.configs.recommended],
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      eqeqeq: "error",
    },
  },
  {
    // AssemblyScript: its own types and operators; what TypeScript's rules can still say about it.
    files: ["**/assembly/**/*.ts"],
    extends: [tseslint.configs.base],
    // Decorators on functions are AssemblyScript, not TypeScript.
    languageOptions: { parserOptions: { allowInvalidAST: true } },
    rules: {
      "no-loss-of-precision": "off",
      "no-undef": "off",
      "no-unused-vars": "off",
      "no-var": "error",
      eqeqeq: "off",
      "no-dupe-class-members": "off",
      "no-redeclare": "off",
    },
  },
);
