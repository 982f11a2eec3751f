/** Links between pages of this repository lead to files that there are, and to headings that they have. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./live_host.ts";

const pages = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"], { cwd: ROOT, encoding: "utf8" })
  .split("\n")
  .filter((page) => page !== "" && existsSync(join(ROOT, page)));

/** Without what is code. */
const textOf = (page: string): string => readFileSync(join(ROOT, page), "utf8").replaceAll(/^ *```.*?^ *```/gms, "");

/** As pages make anchors of headings. */
const anchorsOf = (page: string): string[] =>
  [...textOf(page).matchAll(/^#+ +(.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/\]\([^)]*\)/g, "")
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

test("every link leads somewhere", () => {
  expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/errors.md", "docs/running_system.md"]));
  const dead = pages.flatMap((page) =>
    [
      ...textOf(page)
        .replaceAll(/`[^`\n]*`/g, "")
        .matchAll(/\]\(([^)\s]+)\)/g),
    ].flatMap(([, link]) => {
      const [path = "", anchor] = link!.split("#");
      if (/^[a-z]+:/.test(path)) return [];
      const target = path === "" ? page : normalize(join(dirname(page), path));
      const isThere = existsSync(join(ROOT, target)) && (anchor === undefined || anchorsOf(target).includes(anchor));
      return isThere ? [] : [`${page}: ${link}`];
    }),
  );
  expect(dead).toEqual([]);
});

test("every page of docs can be found from the README or from the architecture's page", () => {
  const from = ["README.md", "docs/architecture.md"].map((page) => [dirname(page), textOf(page)] as const);
  const linked = from.flatMap(([folder, text]) => [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => normalize(join(folder, link!))));
  const lost = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page) && !linked.includes(page));
  expect(lost).toEqual([]);
});
