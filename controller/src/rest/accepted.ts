/**
 * What lasts, for who does not wait for its end (RFC 7240, `Prefer: respond-async`): the answer is 202 as soon as all is checked and it is stored, or its host
 * was asked. What is refused before that is an answer of its own; what becomes of it afterwards is told by events and by the object.
 */
import { z } from "zod";
import type { ClusterApi } from "../cluster/cluster_api.ts";
import { type Answer, type AnswerSpec, type Route, answers, json } from "./route.ts";

export const acceptedView = z.strictObject({
  accepted: z.literal(true),
  about: z.string().describe("What its events are about."),
  status: z.string().describe("Path of the object, which shows how far it is; also in Location."),
  events: z.string().describe("Path of the events about it from now on; as a stream, when one is accepted."),
});

const ACCEPTED: AnswerSpec = answers("To who prefers `respond-async`: it is accepted, and goes on by itself.", acceptedView, 202);

/** All that a route may answer, but for refusals. */
export const answersOf = (route: Route): readonly AnswerSpec[] => (route.progressAbout ? [...route.answers, ACCEPTED] : route.answers);

const PREFERENCE = /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i;
export const prefersAsync = (header: string | string[] | undefined): boolean => PREFERENCE.test([header ?? ""].flat().join(","));

/** The object that a change is of: its path without the verb. */
const objectOf = (route: Route, url: string): string => {
  const segments = route.path.slice(0, route.path.lastIndexOf("}") + 1).split("/").length;
  return url.split("?")[0]!.split("/").slice(0, segments).join("/");
};

/** `begin` calls what it is given once it is accepted. `onEnd` is called when it is over, however it ended. */
export async function acceptedOf(
  cluster: ClusterApi,
  { route, url, about, onEnd }: { readonly route: Route; readonly url: string; readonly about: string; readonly onEnd: () => void },
  begin: (onAccepted: () => void) => Promise<Answer>,
): Promise<Answer> {
  let accept = (): void => undefined;
  const accepted = new Promise<"accepted">((done) => (accept = () => done("accepted")));
  let operation: Promise<Answer>;
  let last: number;
  try {
    last = (await cluster.events({ limit: 1 })).at(-1)?.number ?? 0;
    operation = begin(accept);
  } catch (error) {
    onEnd();
    throw error;
  }
  operation.then(onEnd, onEnd);
  const first = await Promise.race([operation, accepted]);
  if (first !== "accepted") return first;
  const status = objectOf(route, url);
  const events = `/v1/events?about=${encodeURIComponent(about)}&after=${last}`;
  return json({ accepted: true, about, status, events }, { status: 202, headers: { location: status, "preference-applied": "respond-async" } });
}
