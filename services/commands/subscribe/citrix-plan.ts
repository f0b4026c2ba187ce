/** What has to change at Citrix Cloud so that it calls what is wanted: pure. A subscription cannot be changed, only made and removed. */
import type { Subscription, SubscriptionRequest } from '../../ports/provider-api/citrix.ts';
import { type KnownEndpoint, maskUri, placeOf, readTarget, urlOf } from './targets.ts';
import type { KnownTokens } from './tokens.ts';

export interface CitrixWanted {
  /** As endpoints have it. */
  account: string;
  publicUrl: string;
  known: readonly KnownEndpoint[];
  tokens: KnownTokens;
  changeType: string;
  eventType: string;
  nowMs: number;
}

export interface CitrixPlan {
  create: { place: string; request: SubscriptionRequest }[];
  remove: { subscription: Subscription; why: string }[];
  keep: { subscription: Subscription; why: string }[];
  problems: string[];
}

type Standing = { subscription: Subscription; why: string; action: 'keep' | 'remove'; serves?: string };

/** Makes tokens known that the provider shows. */
export function planCitrix(subscriptions: readonly Subscription[], wanted: CitrixWanted): CitrixPlan {
  const { known, tokens, account, publicUrl, changeType, eventType } = wanted;
  const endpoints = known.filter(({ endpoint }) => endpoint.account === account);
  const standing: Standing[] = [];
  for (const subscription of subscriptions) standing.push(standingOf(subscription, endpoints, standing, wanted));
  const served = new Set(standing.map(({ serves }) => serves));
  const missing = endpoints.filter((one) => !served.has(placeOf(one)));
  const unknown = new Set(missing.filter((one) => tokens.of(one) === undefined).map(placeOf));
  const create = missing
    .filter((one) => !unknown.has(placeOf(one)))
    .map((one) => {
      const authHeaders = newestSecret(one);
      const place = placeOf(one);
      const url = urlOf(publicUrl, tokens.of(one)!);
      const description = `hookwatch ${place}`;
      return { place, request: { description, url, changeType, eventType, ...(authHeaders && { authHeaders }) } };
    });
  // Without its successor the old one is all that calls.
  const stays = ({ why }: Standing) => [...unknown].some((place) => why.startsWith(`of ${place},`));
  return {
    create,
    remove: standing.filter((one) => one.action === 'remove' && !stays(one)),
    keep: standing.filter((one) => one.action === 'keep' || stays(one)),
    problems: [...unknown].map((place) => `the token of ${place} is not known: give it by --tokens`),
  };
}

function standingOf(
  subscription: Subscription,
  endpoints: readonly KnownEndpoint[],
  before: readonly Standing[],
  { publicUrl, known, tokens, changeType, eventType, nowMs }: CitrixWanted,
): Standing {
  const target = readTarget(subscription.url, publicUrl, known, nowMs);
  if (target.kind !== 'ours') return { subscription, action: 'keep', why: 'not ours: kept' };
  tokens.add(target.token);
  const { owner, elsewhere } = target;
  const remove = (why: string): Standing => ({ subscription, action: 'remove', why });
  if (!owner) return remove('no endpoint has this token');
  const place = placeOf(owner);
  if (!endpoints.some((one) => placeOf(one) === place))
    return remove(`of ${place}, which is for ${owner.endpoint.account}`);
  if (elsewhere) return remove(`of ${place}, at an address that is not the public one`);
  if (!owner.lasting) return remove(`of ${place}, with a token that ends`);
  if (subscription.changeType !== changeType || subscription.eventType !== eventType) {
    return remove(`of ${place}, for ${subscription.eventType}/${subscription.changeType}`);
  }
  const { authHeaders } = subscription;
  if (isShown(authHeaders) && (authHeaders ?? '') !== (newestSecret(owner) ?? '')) {
    return remove(`of ${place}, with another secret`);
  }
  if (before.some(({ serves }) => serves === place)) return remove(`of ${place}, which another one calls`);
  return { subscription, action: 'keep', why: place, serves: place };
}

/** Where the provider leaves the secret out or stars over it, nothing can be said of it. */
function isShown(authHeaders: string | null | undefined): boolean {
  return authHeaders !== undefined && !/\*{3}|[•…]|\.{3}/.test(authHeaders ?? '');
}

/** Of two secrets the one that follows: deliveries with either are taken. */
function newestSecret({ endpoint }: KnownEndpoint): string | undefined {
  return endpoint.secrets?.at(-1)?.reveal();
}

/** A line for each, without a secret. */
export function describeCitrix({ create, remove, keep, problems }: CitrixPlan): string[] {
  const shown = ({ id, url, eventType, changeType }: Subscription) =>
    `${id} ${eventType}/${changeType} ${maskUri(url)}`;
  return [
    ...keep.map(({ subscription, why }) => `    ${shown(subscription)} (${why})`),
    ...create.map(({ place, request }) => {
      const secret = request.authHeaders ? 'with its secret' : 'without a secret';
      return `  + ${request.eventType}/${request.changeType} ${maskUri(request.url)} (${place}, ${secret})`;
    }),
    ...remove.map(({ subscription, why }) => `  - ${shown(subscription)} (${why})`),
    ...problems.map((problem) => `  ! ${problem}`),
  ];
}
