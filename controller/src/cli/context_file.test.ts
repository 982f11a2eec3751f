import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseContext, contextPath, readContexts, writeContexts } from "./context_file.ts";

let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-context-"));
  env = { XDG_CONFIG_HOME: folder };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LAB = { api: "http://127.0.0.1:7780", token: "secret-of-lab", tenant: "blue" };

test("a context is written for its owner alone, and read again", () => {
  expect(readContexts(env)).toEqual({ contexts: {} });
  writeContexts({ current: "lab", contexts: { lab: LAB } }, env);
  expect(statSync(contextPath(env)).mode & 0o777).toBe(0o600);
  expect(chooseContext({}, env)).toEqual({ ...LAB, name: "lab" });
});

test("a file that others may read is refused, since there are tokens in it", () => {
  writeContexts({ contexts: { lab: LAB } }, env);
  chmodSync(contextPath(env), 0o640);
  expect(() => chooseContext({}, env)).toThrow(/others may read it/);
});

test.each(["", "[]", "{", '{"contexts":{"lab":{"api":1}}}', '{"contexts":{"../x":{"api":"http://a"}}}'])("a file that is none: %j", (text) => {
  writeContexts({ contexts: {} }, env);
  writeFileSync(contextPath(env), text, { mode: 0o600 });
  expect(() => readContexts(env)).toThrow(expect.objectContaining({ code: "cli.context", fix: expect.stringContaining("nfactor up") as string }) as Error);
});

test("options go before variables, and they before the file", () => {
  writeContexts({ current: "lab", contexts: { lab: LAB, other: { api: "unix:/run/api.sock" } } }, env);
  expect(chooseContext({}, { ...env, NFACTOR_CONTEXT: "other" })).toEqual({ name: "other", api: "unix:/run/api.sock" });
  expect(chooseContext({ context: "lab" }, { ...env, NFACTOR_CONTEXT: "other" }).name).toBe("lab");
  expect(chooseContext({ tenant: "green" }, { ...env, NFACTOR_TENANT: "red" }).tenant).toBe("green");
  expect(chooseContext({}, { ...env, NFACTOR_TOKEN: "another" }).token).toBe("another");
});

test("a token goes to the controller that it is of, and to no other", () => {
  writeContexts({ current: "lab", contexts: { lab: LAB } }, env);
  expect(chooseContext({ api: "http://198.51.100.1:7780" }, env)).toEqual({ api: "http://198.51.100.1:7780" });
  expect(chooseContext({ api: LAB.api }, env).token).toBe(LAB.token);
});

test("what is not known is said with what there is", () => {
  expect(() => chooseContext({}, env)).toThrow(/not known which controller/);
  writeContexts({ contexts: { lab: LAB, two: LAB } }, env);
  expect(() => chooseContext({ context: "nope" }, env)).toThrow(expect.objectContaining({ allowed: "lab, two" }) as Error);
  expect(() => chooseContext({}, env)).toThrow(/not known which controller/);
  expect(() => chooseContext({ api: "ftp://x" }, env)).toThrow(/no address of an API/);
  expect(() => chooseContext({ context: "lab", tenant: "../x" }, env)).toThrow(/cannot be a tenant's name/);
});

test("--token-file: one line, and what is in a wrong one is not shown", () => {
  writeContexts({ current: "lab", contexts: { lab: LAB } }, env);
  const path = join(folder, "token");
  writeFileSync(path, "  good-token\n");
  expect(chooseContext({ tokenFile: path }, env).token).toBe("good-token");
  writeFileSync(path, "two words\nprivate");
  expect(() => chooseContext({ tokenFile: path }, env)).toThrow(expect.objectContaining({ message: expect.not.stringContaining("private") as string }) as Error);
  expect(readFileSync(contextPath(env), "utf8")).not.toContain("good-token");
});
