/** Names that stand in URLs of the provider's API: `/v2/servers/ALTD/web01`. */
import { isObject, type JsonObject, textOf } from '../json.ts';

export type Collection = 'accounts' | 'servers' | 'users';

/** The path segment behind `collection` in the href of the first link with that rel. */
export function hrefSegment(body: JsonObject, rel: string, collection: Collection): string | undefined {
  const links = Array.isArray(body.links) ? body.links : [];
  const link = links.find((candidate) => isObject(candidate) && candidate.rel === rel) as JsonObject | undefined;
  return link && pathSegment(textOf(link, 'href'), collection);
}

const segmentBehind: Record<Collection, RegExp> = {
  accounts: /(?:^|\/)accounts\/([\w.@+-]{1,128})(?:\/|$)/,
  servers: /(?:^|\/)servers\/([\w.@+-]{1,128})(?:\/|$)/,
  users: /(?:^|\/)users\/([\w.@+-]{1,128})(?:\/|$)/,
};

/** `/v2/servers/ALTD/web01`, `servers` → `ALTD`. Undefined unless it looks like an alias or a user name. */
export function pathSegment(path: string | undefined, collection: Collection): string | undefined {
  return path === undefined ? undefined : segmentBehind[collection].exec(path)?.[1];
}
