/** Bounds of the REST API. What is beyond them is refused with a code of its own, and changes nothing. */
export interface RestLimits {
  /** Sockets at once, over all addresses. */
  readonly connections: number;
  readonly headerBytes: number;
  /** From a connection's first byte to the end of its headers. */
  readonly headersMs: number;
  /** For a request with its body, uploads included: a little more than the registry gives an upload. */
  readonly requestMs: number;
  /** For the body of a request that is no upload. */
  readonly bodyMs: number;
  readonly keepAliveMs: number;
  readonly bodyBytes: number;
  readonly bodyDepth: number;
  readonly bodyValues: number;
  /** A refused request's body that still comes in is read away for so long, then its connection ends. */
  readonly lingerMs: number;
  /** Streams at once (events, progress, trace, capture), and of one token. */
  readonly streams: number;
  readonly streamsPerToken: number;
  /** A stream's reader that takes nothing for so long is given up. */
  readonly stallMs: number;
  /** Between two signs of life in a stream in which nothing happens. */
  readonly heartbeatMs: number;
  /** A stream's answer begins by then, whether there is something to say or not. Failures before are answers of their own. */
  readonly streamBeginsMs: number;
  /** Failed authentications of one address: so many at once, then one each so often. */
  readonly failures: number;
  readonly failureEveryMs: number;
  /** Addresses whose failures are counted. */
  readonly failureAddresses: number;
  readonly tokens: number;
  /** What is under way may go on for so long when the server closes. */
  readonly closeMs: number;
  /** Series about runtimes in one scrape. */
  readonly series: number;
}

export const DEFAULT_REST_LIMITS: RestLimits = {
  connections: 512,
  headerBytes: 16 * 1024,
  headersMs: 10_000,
  requestMs: 150_000,
  bodyMs: 15_000,
  keepAliveMs: 30_000,
  bodyBytes: 1024 * 1024,
  bodyDepth: 48,
  bodyValues: 200_000,
  lingerMs: 3_000,
  streams: 128,
  streamsPerToken: 32,
  stallMs: 30_000,
  heartbeatMs: 15_000,
  streamBeginsMs: 500,
  failures: 10,
  failureEveryMs: 6_000,
  failureAddresses: 4096,
  tokens: 1000,
  closeMs: 10_000,
  series: 20_000,
};
