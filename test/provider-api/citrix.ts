/** A stand-in of Citrix Cloud's trust and webhook services, with the answers of its documentation. */
import { type StandIn, startStandIn } from './stand-in.ts';

export interface CitrixStandIn extends StandIn {
  clientId: string;
  clientSecret: string;
  tokens: { valid: Set<string>; given: number };
  subscriptions: Map<string, Record<string, unknown>>;
}

export async function startCitrix(customer = 'acme'): Promise<CitrixStandIn> {
  const tokens = { valid: new Set<string>(), given: 0 };
  const client = { clientId: '5d2c1f0e-client', clientSecret: 'a-secret-of-the-api-client==' };
  const subscriptions: CitrixStandIn['subscriptions'] = new Map();
  const standIn = await startStandIn(({ method, path, headers, body }) => {
    if (path === `/${customer}/tokens/clients`) {
      const { clientId, clientSecret } = JSON.parse(body);
      if (clientId !== client.clientId || clientSecret !== client.clientSecret) {
        return { status: 401, json: { type: 'unauthorized', detail: `Invalid client secret ${clientSecret}` } };
      }
      const token = `citrix-token-${++tokens.given}-of-the-stand-in`;
      tokens.valid.add(token);
      return { status: 200, json: { principal: 'client', subject: clientId, token, expiresIn: 3600 } };
    }
    const token = /^CwsAuth Bearer=(.*)$/.exec(String(headers.authorization))?.[1] ?? '';
    if (!tokens.valid.has(token)) return { status: 401, json: { detail: 'Token expired.' } };
    const [, owner, resource, id] = path.split('/');
    if (owner !== customer || resource !== 'subscriptions') return { status: 403, json: { detail: 'Not yours.' } };
    if (method === 'GET') return { status: 200, json: [...subscriptions.values()] };
    if (method === 'DELETE') return { status: subscriptions.delete(id ?? '') ? 204 : 404 };
    const made = `dcc7cb2f-2eb6-47a9-b738-${String(subscriptions.size + 1).padStart(12, '0')}`;
    const json = {
      id: made,
      subscriptionType: 'Webhook',
      ...JSON.parse(body),
      createdBy: 'my.email@mycompany.com',
      eTag: `W/"datetime'2018-04-23T22%3A05%3A25.0107692Z'"`,
      deliveryState: 'a property that is not documented',
    };
    subscriptions.set(made, json);
    return { status: 200, json };
  });
  return { ...standIn, ...client, tokens, subscriptions };
}
