/**
 * Citrix Cloud's subscriptions to webhooks.
 *
 * The provider's page documents how one is created. Listing and deleting go by the same resource, as its other APIs do:
 * where that does not hold, the answer is an error that says so, and nothing else happens.
 */
import { z } from 'zod';
import { type Credentials, createAuthorizedApi } from './authorized.ts';
import { createKeptToken } from './kept-token.ts';
import type { ApiLimits, Attempt } from './provider-api.ts';
import { createTransport } from './transport.ts';

export const citrixBaseUrl = 'https://webhooks.citrixworkspacesapi.net';
/** Where an API client's id and secret are given for a bearer token. */
export const citrixTrustUrl = 'https://trust.citrixworkspacesapi.net';

export interface CitrixOptions {
  /** Customer ID, as the console shows it above its API clients. */
  customer: string;
  /** A token that somebody else asked for, or an API client. */
  credentials: { token: string } | { clientId: string; clientSecret: string };
  /** Default: the provider's own. */
  baseUrl?: string | undefined;
  trustUrl?: string | undefined;
  tokenFolder?: string | undefined;
  limits?: Partial<ApiLimits> | undefined;
  onAttempt?: ((attempt: Attempt) => void) | undefined;
  nowMs?: () => number;
}

export interface CitrixSubscriptions {
  list(): Promise<Subscription[]>;
  /** Not tried again where it is uncertain whether it was done: look at the list. */
  create(wanted: SubscriptionRequest): Promise<Subscription>;
  /** Resolves to false where there is none of this id. */
  remove(id: string): Promise<boolean>;
  close(): void;
}

export interface SubscriptionRequest {
  description: string;
  url: string;
  /** What the provider sends as the Authorization header; unset: none. */
  authHeaders?: string | undefined;
  /** `*`, or one of the provider's open list: Create, Update, Delete, Login. */
  changeType: string;
  /** `*`, or one of the provider's open list: Administrator, Notifications, … */
  eventType: string;
}

/** The documented fields; others are kept. */
const subscription = z.looseObject({
  id: z.string(),
  customerId: z.string().optional(),
  subscriptionType: z.string().optional(),
  url: z.string(),
  description: z.string().nullish(),
  authHeaders: z.string().nullish(),
  eventType: z.string(),
  changeType: z.string(),
  createdBy: z.string().nullish(),
  eTag: z.string().nullish(),
});
const list = z.union([z.array(subscription), z.looseObject({ items: z.array(subscription) })]);
const grant = z.looseObject({ token: z.string().min(1) });

export type Subscription = z.infer<typeof subscription>;

/** The provider lets a token live for an hour. */
const tokenAgeMsMax = 50 * 60_000;

/** @throws TypeError where a base URL is none that may be called */
export function createCitrixSubscriptions(options: CitrixOptions): CitrixSubscriptions {
  const { customer, baseUrl = citrixBaseUrl, limits, onAttempt } = options;
  const transport = createTransport({ provider: 'Citrix Cloud', baseUrl, limits, onAttempt });
  const { credentials, close: closeTrust } = credentialsOf(options);
  const api = createAuthorizedApi(transport, credentials);
  const path = [customer, 'subscriptions'];
  return {
    list: () =>
      api.call({
        method: 'GET',
        path,
        name: 'GET /{customer}/subscriptions',
        parse(json) {
          const answer = list.parse(json);
          return Array.isArray(answer) ? answer : answer.items;
        },
      }),
    create: ({ authHeaders, ...rest }) =>
      api.call({
        method: 'POST',
        path,
        body: { customerId: customer, ...rest, ...(authHeaders !== undefined && { authHeaders }) },
        name: 'POST /{customer}/subscriptions',
        secrets: [rest.url, ...(authHeaders ? [authHeaders] : [])],
        parse: (json) => subscription.parse(json),
      }),
    remove: (id) =>
      api
        .call({
          method: 'DELETE',
          path: [...path, id],
          name: 'DELETE /{customer}/subscriptions/{id}',
          parse: () => true,
        })
        .catch((error) => {
          if (error.code === 'NOT_FOUND') return false;
          throw error;
        }),
    close() {
      api.close();
      closeTrust();
    },
  };
}

function credentialsOf(options: CitrixOptions): { credentials: Credentials; close(): void } {
  const { customer, credentials, trustUrl = citrixTrustUrl, tokenFolder, limits, onAttempt, nowMs } = options;
  const headersOf = (token: string) => ({ authorization: `CwsAuth Bearer=${token}` });
  if ('token' in credentials) {
    // As it may have been copied: with what stands in front of it in the header.
    const token = credentials.token.replace(/^CwsAuth\s+Bearer=/i, '');
    const fixed = { headers: async () => headersOf(token), refused: () => false, secrets: () => [token] };
    return { credentials: fixed, close() {} };
  }
  const { clientId, clientSecret } = credentials;
  const trust = createTransport({ provider: 'Citrix Cloud', baseUrl: trustUrl, limits, onAttempt });
  const request = () =>
    trust.send(
      {
        method: 'POST',
        path: [customer, 'tokens', 'clients'],
        body: { clientId, clientSecret },
        name: 'POST /{customer}/tokens/clients',
        idempotent: true,
        parse: (json) => grant.parse(json).token,
      },
      {},
      [clientSecret],
    );
  const owner = `${trustUrl} ${customer} ${clientId}`;
  const token = createKeptToken({
    folder: tokenFolder,
    owner,
    ageMsMax: tokenAgeMsMax,
    request,
    ...(nowMs && { nowMs }),
  });
  return {
    credentials: {
      headers: async () => headersOf(await token.get()),
      refused({ authorization = '' }) {
        token.discard(authorization.replace('CwsAuth Bearer=', ''));
        return true;
      },
      secrets: () => [clientSecret, token.current() ?? ''],
    },
    close: () => trust.close(),
  };
}
