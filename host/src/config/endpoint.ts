/** Where an agent listens. */
export interface Endpoint {
  host: string;
  port: number;
}

/** `10.0.0.2:7700` or `[fd00::2]:7700`; undefined when it is neither. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, six, other, port = ""] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? other;
  return host === undefined || Number(port) < 1 || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}
