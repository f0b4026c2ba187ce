/** From an endpoint to its first delivery: what is registered at the provider is what an edge takes. */
import { expect, test } from 'vitest';
import { hashToken } from '../../../services/config.ts';
import { endpoint, signature, startTestEdge, tenant } from '../../edge/fixture.ts';
import { newAccount, startCenturylink } from '../../provider-api/centurylink.ts';
import { createRun, tokenOf } from './fixture.ts';

test('a provider that calls what it was told to reaches the endpoint', async () => {
  const provider = await startCenturylink(new Map([['NWND', newAccount('NWND')]]));
  const names = { created: 'Server.Created', deleted: 'Server.Deleted' } as const;
  const endpoints = Object.entries(names).map(([name, event]) =>
    endpoint({ name, event, token: tokenOf(name), tokenSha256: hashToken(tokenOf(name)) }),
  );
  const tenants = [tenant({ endpoints })];
  const edge = await startTestEdge({ tenants });
  const { run } = createRun({
    HOOKWATCH_PUBLIC_URL: edge.url,
    HOOKWATCH_CLC_URL: provider.url,
    HOOKWATCH_CLC_USERNAME: provider.username,
    HOOKWATCH_CLC_PASSWORD: provider.password,
  });
  expect((await run(['clc', '--account', 'NWND', '--yes'], tenants)).code).toBe(0);

  const body = '{"accountAlias":"NWND","name":"WA1NWNDWEB01"}';
  for (const event of Object.values(names)) {
    const { recursive, targetUris } = provider.cloud.get('NWND')!.webhooks.get(event)!;
    expect(recursive).toBe(true);
    expect(targetUris).toHaveLength(1);
    const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature(body) };
    expect((await fetch(targetUris[0]!, { method: 'POST', body, headers })).status).toBe(202);
  }
  const taken = (await edge.log.records()).flatMap(({ kind, value }) =>
    kind === 'delivery' ? [{ endpoint: value.endpoint, event: value.event_name, verdict: value.verdict }] : [],
  );
  expect(taken).toEqual([
    { endpoint: 'created', event: 'Server.Created', verdict: 'verified' },
    { endpoint: 'deleted', event: 'Server.Deleted', verdict: 'verified' },
  ]);
});
