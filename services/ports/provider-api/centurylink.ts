/**
 * CenturyLink Cloud's API v2, the calls that webhooks and a reconciliation need (CenturyLinkCloud/PublicKB, API v2).
 * What no page lists is kept in the answers.
 */
import { z } from 'zod';
import { type Credentials, createAuthorizedApi } from './authorized.ts';
import { createKeptToken } from './kept-token.ts';
import { type ApiCall, type ApiLimits, type Attempt, type ProviderApi, ProviderApiError } from './provider-api.ts';
import { createTransport, type Transport } from './transport.ts';

export const centurylinkBaseUrl = 'https://api.ctl.io/v2';

export interface CenturylinkOptions {
  /** Default: the provider's own. */
  baseUrl?: string | undefined;
  username: string;
  password: string;
  /** Where the bearer token is kept between processes; undefined: nowhere. */
  tokenFolder?: string | undefined;
  limits?: Partial<ApiLimits> | undefined;
  onAttempt?: ((attempt: Attempt) => void) | undefined;
  nowMs?: () => number;
}

export interface CenturylinkApi {
  readonly webhooks: CenturylinkWebhooks;
  readonly inventory: CenturylinkInventory;
  /** Host of the base URL: `api.ctl.io`. */
  readonly host: string;
  close(): void;
}

/** All but `list` resolve once the provider has answered 204. */
export interface CenturylinkWebhooks {
  /** One of each event; without a configuration it calls nobody. */
  list(alias: string): Promise<WebhookOfEvent[]>;
  /** Replaces all of an event: whoever else is called for it, too. */
  set(alias: string, event: string, configuration: WebhookConfiguration): Promise<void>;
  addTarget(alias: string, event: string, targetUri: string): Promise<void>;
  removeTarget(alias: string, event: string, targetUri: string): Promise<void>;
  clear(alias: string, event: string): Promise<void>;
}

export interface WebhookConfiguration {
  /** The portal's "include sub-accounts"; one for all targets of an event. */
  recursive: boolean;
  targetUris: string[];
}

export interface WebhookOfEvent {
  name: string;
  configuration: WebhookConfiguration | undefined;
}

/** `undefined` is the provider's own 404, never an answer that was lost. `raw` are the bytes of the answer. */
export interface CenturylinkInventory {
  dataCenters(alias: string): Promise<DataCenter[]>;
  /** Id of the group that holds all others of a data center. */
  rootGroup(alias: string, dataCenter: string): Promise<string | undefined>;
  /** The group and all below it, with their servers in short. */
  group(alias: string, id: string): Promise<Found<Group> | undefined>;
  /** In the shape that a Server webhook carries. */
  server(alias: string, id: string): Promise<Found<Server> | undefined>;
  /** In the shape that an Account webhook carries. */
  account(alias: string): Promise<Found<Account> | undefined>;
}

export interface Found<Value> {
  value: Value;
  raw: Buffer;
}

/** The provider lets a token live for two weeks. */
const tokenAgeMsMax = 13 * 24 * 3_600_000;

const link = z.looseObject({ rel: z.string(), href: z.string().optional(), id: z.string().optional() });
const links = z.array(link).default([]);
const dataCenter = z.looseObject({ id: z.string(), name: z.string().optional(), links });
const changeInfo = z.looseObject({ createdDate: z.string().optional(), modifiedDate: z.string().optional() });
const server = z.looseObject({ id: z.string(), name: z.string(), changeInfo: changeInfo.optional(), links });
const group = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  servers: z.array(server).default([]),
  get groups() {
    return z.array(group).default([]);
  },
  links,
});
const account = z.looseObject({
  accountAlias: z.string(),
  parentAlias: z.string().nullish(),
  status: z.string().nullish(),
});
const webhooks = z.looseObject({
  items: z.array(
    z.looseObject({
      name: z.string(),
      configuration: z
        .looseObject({
          recursive: z.boolean().default(false),
          targetUris: z.array(z.looseObject({ targetUri: z.string() })).default([]),
        })
        .nullish(),
    }),
  ),
});
const login = z.looseObject({ bearerToken: z.string().min(1) });

export type DataCenter = z.infer<typeof dataCenter>;
export type Server = z.infer<typeof server>;
export type Group = z.infer<typeof group>;
export type Account = z.infer<typeof account>;

/** @throws TypeError where the base URL is none that may be called */
export function createCenturylinkApi(options: CenturylinkOptions): CenturylinkApi {
  const { baseUrl = centurylinkBaseUrl, limits, onAttempt } = options;
  const transport = createTransport({ provider: 'CenturyLink Cloud', baseUrl, limits, onAttempt });
  const api = createAuthorizedApi(transport, bearerCredentials(transport, baseUrl, options));
  return {
    webhooks: webhooksOf(api),
    inventory: inventoryOf(api),
    host: new URL(baseUrl).host,
    close: () => api.close(),
  };
}

function bearerCredentials(transport: Transport, baseUrl: string, options: CenturylinkOptions): Credentials {
  const { username, password, tokenFolder, nowMs } = options;
  const token = createKeptToken({
    folder: tokenFolder,
    owner: `${baseUrl} ${username}`,
    ageMsMax: tokenAgeMsMax,
    request: createLogin(transport, username, password),
    ...(nowMs && { nowMs }),
  });
  return {
    headers: async () => ({ authorization: `Bearer ${await token.get()}` }),
    refused({ authorization = '' }) {
      token.discard(authorization.replace('Bearer ', ''));
      return true;
    },
    secrets: () => [password, token.current() ?? ''],
  };
}

/** A user whose password is refused again and again is locked out: a refusal is remembered, and not asked for twice. */
function createLogin(transport: Transport, username: string, password: string): () => Promise<string> {
  let refusal: ProviderApiError | undefined;
  return async () => {
    if (refusal) throw refusal;
    const call: ApiCall<string> = {
      method: 'POST',
      path: ['authentication', 'login'],
      body: { username, password },
      name: 'POST /authentication/login',
      idempotent: true,
      parse: (json) => login.parse(json).bearerToken,
    };
    try {
      return await transport.send(call, {}, [password]);
    } catch (error) {
      if (!(error instanceof ProviderApiError) || error.retryHelps || error.status === undefined) throw error;
      // A wrong password is answered 400, not 401.
      const refused = error.status === 400 || error.status === 401 || error.status === 403;
      if (!refused) throw error;
      refusal = new ProviderApiError({ ...error, code: 'CREDENTIALS_REFUSED', message: error.message });
      throw refusal;
    }
  };
}

function webhooksOf(api: ProviderApi): CenturylinkWebhooks {
  const nothing = () => undefined;
  const configurationOf = (alias: string, event: string) => ['webhooks', alias, event, 'configuration'];
  const name = '/webhooks/{alias}/{event}/configuration';
  return {
    list: (alias) =>
      api.call({
        method: 'GET',
        path: ['webhooks', alias],
        name: 'GET /webhooks/{alias}',
        parse: (json) => webhooks.parse(json).items.map(({ name, configuration }) => webhookOf(name, configuration)),
      }),
    set: (alias, event, { recursive, targetUris }) =>
      api.call({
        method: 'PUT',
        path: configurationOf(alias, event),
        body: { recursive, targetUris: targetUris.map((targetUri) => ({ targetUri })) },
        name: `PUT ${name}`,
        secrets: targetUris,
        parse: nothing,
      }),
    addTarget: (alias, event, targetUri) =>
      api.call({
        method: 'POST',
        path: [...configurationOf(alias, event), 'targetUris'],
        body: { targetUri },
        name: `POST ${name}/targetUris`,
        secrets: [targetUri],
        parse: nothing,
      }),
    removeTarget: (alias, event, targetUri) =>
      api.call({
        method: 'DELETE',
        path: [...configurationOf(alias, event), 'targetUris'],
        query: { targetUri },
        name: `DELETE ${name}/targetUris`,
        secrets: [targetUri],
        parse: nothing,
      }),
    clear: (alias, event) =>
      api.call({ method: 'DELETE', path: configurationOf(alias, event), name: `DELETE ${name}`, parse: nothing }),
  };
}

function webhookOf(
  name: string,
  configuration: z.infer<typeof webhooks>['items'][number]['configuration'],
): WebhookOfEvent {
  if (!configuration) return { name, configuration: undefined };
  const targetUris = configuration.targetUris.map(({ targetUri }) => targetUri);
  return { name, configuration: { recursive: configuration.recursive, targetUris } };
}

function inventoryOf(api: ProviderApi): CenturylinkInventory {
  const get = <Answer>(path: readonly string[], name: string, parse: ApiCall<Answer>['parse']) =>
    api.call({ method: 'GET', path, name, parse });
  return {
    dataCenters: (alias) =>
      get(['datacenters', alias], 'GET /datacenters/{alias}', (json) => z.array(dataCenter).parse(json)),
    rootGroup: (alias, id) =>
      orUndefined(
        api.call({
          method: 'GET',
          path: ['datacenters', alias, id],
          query: { groupLinks: 'true' },
          name: 'GET /datacenters/{alias}/{dc}',
          parse: (json) => dataCenter.parse(json).links.find(({ rel }) => rel === 'group')?.id,
        }),
      ),
    group: (alias, id) =>
      orUndefined(
        api.call({
          method: 'GET',
          path: ['groups', alias, id],
          query: { serverDetail: 'detailed' },
          name: 'GET /groups/{alias}/{id}',
          parse: (json, raw) => ({ value: group.parse(json), raw }),
        }),
      ),
    server: (alias, id) =>
      orUndefined(
        get(['servers', alias, id], 'GET /servers/{alias}/{id}', (json, raw) => ({ value: server.parse(json), raw })),
      ),
    account: (alias) =>
      orUndefined(
        get(['accounts', alias], 'GET /accounts/{alias}', (json, raw) => ({ value: account.parse(json), raw })),
      ),
  };
}

async function orUndefined<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProviderApiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
