/** Prometheus' text format 0.0.4, read strictly: what a scraper would refuse is an error. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function parsePrometheus(text: string): Map<string, Family> {
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  const seen = new Set<string>();
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(name!)) throw new Error(`two families ${name}`);
      families.set(name!, { help: rest!, type: "", samples: [] });
    } else if (kind === "TYPE") families.get(name!)!.type = rest!;
    else if (!line.startsWith("#")) {
      const sample = sampleOf(line);
      const identity = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(identity)) throw new Error(`twice: ${line}`);
      seen.add(identity);
      const family = families.get(sample.name) ?? families.get(sample.name.replace(/_(bucket|sum|count)$/, ""));
      if (!family) throw new Error(`of no family: ${line}`);
      family.samples.push(sample);
    }
  }
  return families;
}

function sampleOf(line: string): Sample {
  const [, name, text = "", value] = LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const [whole, label, content] = LABEL.exec(text) ?? [];
    if (whole === undefined) throw new Error(`labels: ${line}`);
    labels[label!] = content!;
  }
  const number = value === "+Inf" ? Infinity : Number(value);
  if (Number.isNaN(number)) throw new Error(`no number: ${line}`);
  return { name, labels, value: number };
}
