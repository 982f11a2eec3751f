/** docs/rest.md, from the table of routes: what OpenAPI says, to be read. */
import { answersOf } from "./accepted.ts";
import { pathOf } from "./examples.ts";
import { DESCRIPTION, type Json, type Parameter, parametersOf, schemaOf } from "./openapi.ts";
import { type Route, routeName } from "./route.ts";

export function restMarkdown(routes: readonly Route[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.flatMap((tag) => ["", `## ${tag}`, ...routes.filter((route) => route.tag === tag).map(section)]);
  return `<!-- Generated from controller/src/rest by \`npm run generate\`. Do not edit. -->
# The controller's REST API

${DESCRIPTION.split("\n")
  .map((line) => line.trimEnd())
  .join("\n")}

The same for programs is [openapi.json](openapi.json), which every controller serves under \`/openapi.json\`; [errors.md](errors.md) has the codes of errors, with their
statuses and what to do. Examples have \`$NFACTOR\` for the controller's address and
\`$TOKEN\` for a token:

\`\`\`sh
curl -H "Authorization: Bearer $TOKEN" $NFACTOR/v1/deployments
curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/wasm" --data-binary @firewall.wasm $NFACTOR/v1/tenants/blue/artifacts
curl -N -H "Authorization: Bearer $TOKEN" -H "Accept: text/event-stream" $NFACTOR/v1/events
\`\`\`

| | scope | for tokens of a tenant |
|---|---|---|
${routes.map((route) => `| [\`${routeName(route)}\`](#${anchorOf(route)}) | ${route.scope === "none" ? "no token" : route.scope} | ${reach(route)} |`).join("\n")}
${sections.join("\n")}
`;
}

const reach = ({ scope, reach: of }: Route): string => (scope === "none" ? "yes" : of === "cluster" ? "no" : of === "own" ? "its own part" : "their tenant's");

/** As pages make anchors of headings. */
const anchorOf = (route: Route): string =>
  routeName(route)
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

function section(route: Route): string {
  const { summary, detail, body, upload, progressAbout } = route;
  const parameters = parametersOf(route).filter((each) => each.in !== "path");
  const lines = ["", `### ${routeName(route)}`, "", `${summary}.${detail === undefined ? "" : ` ${detail}`}`];
  if (progressAbout)
    lines.push("", "It may take a while. A client that accepts a stream is told its progress; one that prefers `respond-async` is answered 202 at once.");
  if (parameters.length > 0) lines.push("", "| | | |", "|---|---|---|", ...parameters.map(row));
  if (body) lines.push("", "Body:", "", ...fieldRows(schemaOf(body, "input")));
  if (!upload) lines.push("", "```http", ...request(route), "```");
  let known = "";
  for (const { status = 200, description, content } of answersOf(route)) {
    const types = Object.keys(content).filter((type) => type !== "application/json");
    lines.push("", `**${status}** ${description}${types.length === 0 ? "" : ` (${types.map((type) => `\`${type}\``).join(", ")})`}`);
    const schema = content["application/json"];
    const rows = schema ? fieldRows(schemaOf(schema, "output")) : [];
    const isNew = rows.join() !== known;
    if (rows.length > 0) lines.push("", ...(isNew ? rows : ["The same fields."]));
    known = rows.join();
  }
  return lines.join("\n");
}

function request({ method, path, ...rest }: Route): string[] {
  const { example } = rest;
  const first = `${method} ${pathOf({ method, path, ...rest })}${example.query === undefined ? "" : `?${example.query}`}`;
  return example.body === undefined ? [first] : [first, "", JSON.stringify(example.body)];
}

const row = ({ name, in: place, schema, description }: Parameter): string =>
  `| \`${name}\` | ${place === "header" ? "header" : typeOf(schema)} | ${cell(description)} |`;

/** The first level of fields, and the second where it is short; OpenAPI has all. */
function fieldRows(schema: Json): string[] {
  const rows = [...fields(schema, "", 2)];
  return rows.length === 0 ? [typeOf(schema)] : ["| field | type | |", "|---|---|---|", ...rows];
}

function* fields(schema: Json, prefix: string, depth: number): Generator<string> {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return;
  const { properties, required } = schema;
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) return;
  for (const [name, field] of Object.entries(properties)) {
    const optional = Array.isArray(required) && required.includes(name) ? "" : ", optional";
    yield `| \`${prefix}${name}\` | ${typeOf(field)}${optional} | ${cell(describe(field))} |`;
    if (depth <= 1 || typeof field !== "object" || field === null || Array.isArray(field)) continue;
    yield* fields(field.type === "array" ? (field.items ?? null) : field, `${prefix}${name}${field.type === "array" ? "[]" : ""}.`, depth - 1);
  }
}

function describe(field: Json): string {
  return typeof field === "object" && field !== null && !Array.isArray(field) && typeof field.description === "string" ? field.description : "";
}

function typeOf(schema: Json): string {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return "any";
  const { type, enum: values, items, anyOf, minimum, maximum } = schema;
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (Array.isArray(values)) return values.map((value) => `\`${String(value)}\``).join(", ");
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map(typeOf))].join(" or ");
  if (type === "array") return items === undefined ? "list" : `list of ${typeOf(items)}`;
  if (type === "integer" && typeof minimum === "number" && typeof maximum === "number" && maximum < Number.MAX_SAFE_INTEGER)
    return `integer, ${minimum} to ${maximum}`;
  return typeof type === "string" ? type : "any";
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
