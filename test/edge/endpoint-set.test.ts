import { describe, expect, test } from 'vitest';
import { hashToken } from '../../services/config.ts';
import { createEdgeClock } from '../../services/edge/clock.ts';
import { createEndpointSet } from '../../services/edge/endpoint-set.ts';
import { hashEndpoints } from '../../services/endpoints-file.ts';
import { createRegistry, edgeMetrics } from '../../services/telemetry.ts';
import { createTestTime, demoKeyPem, endpoint, tenant, token } from './fixture.ts';

const wall = Date.UTC(2026, 0, 1);

function start(tenants = [tenant()], rejectedPerMinuteMax = 2) {
  const time = createTestTime(wall);
  const registry = createRegistry('edge');
  const clock = createEdgeClock(time, 0, () => {});
  const metrics = edgeMetrics(registry);
  const set = createEndpointSet({ tenants, keys: [], demoKeyPem, rejectedPerMinuteMax, clock, metrics });
  const info = async () => (await registry.getSingleMetric('hookwatch_edge_endpoints_info')!.get()).values;
  return { set, time, info };
}

const listening = (...endpoints: Parameters<typeof endpoint>[0][]) => [
  tenant({ endpoints: endpoints.map((fields) => endpoint(fields)) }),
];
const ends = (name: string, endsAtMs: number) => ({ otherTokens: [{ sha256: hashToken(name), endsAtMs }] });

test('another set is found from then on: what went is gone though its token was presented before', () => {
  const { set } = start();
  expect(set.find(token)?.name).toBe('server-created');
  set.replace({ tenants: listening({ name: 'b', tokenSha256: hashToken('of-b') }), keys: [] });
  expect(set.find(token)).toBeUndefined();
  expect(set.find('of-b')?.name).toBe('b');
});

test('a token ends by the clock of the edge, to the millisecond, however often it was presented', () => {
  const { set, time } = start(listening(ends('before', wall + 1000)));
  expect([set.find('before')?.name, set.find(token)?.name]).toEqual(['server-created', 'server-created']);
  time.pass(999);
  expect(set.find('before')?.name).toBe('server-created');
  time.pass(1);
  expect([set.find('before'), set.find(token)?.name]).toEqual([undefined, 'server-created']);
});

test('a wall clock that jumps ends no token: it is not believed', () => {
  const { set, time } = start(listening(ends('before', wall + 60_000)));
  time.jump(3_600_000);
  expect(set.find('before')?.name).toBe('server-created');
  time.jump(-3_600_000);
  time.pass(60_000);
  expect(set.find('before')).toBeUndefined();
});

describe('the quota of rejected deliveries', () => {
  const take = (quota: { take(): boolean } | undefined, times: number) =>
    Array.from({ length: times }, () => quota!.take());

  test('is what it was, for an endpoint that stays, whatever else it is now', () => {
    const { set } = start();
    expect(take(set.find(token)!.rejectedQuota, 2)).toEqual([true, true]);
    set.replace({ tenants: listening({ tokenSha256: hashToken('other'), account: 'ACME' }, { name: 'b' }), keys: [] });
    expect(take(set.find('other')!.rejectedQuota, 1)).toEqual([false]);
    expect(take(set.find(token)!.rejectedQuota, 3)).toEqual([true, true, false]);
  });

  test('is new for one that was away', () => {
    const { set } = start();
    expect(take(set.find(token)!.rejectedQuota, 3)).toEqual([true, true, false]);
    set.replace({ tenants: listening(), keys: [] });
    set.replace({ tenants: listening({}), keys: [] });
    expect(take(set.find(token)!.rejectedQuota, 1)).toEqual([true]);
  });
});

test('a key that is none leaves everything as it was', async () => {
  const { set, info } = start();
  const before = set.hash();
  const keys = [{ id: 'broken', provider: 'centurylink', pem: 'no key' }];
  expect(() => set.replace({ tenants: listening({ name: 'b' }), keys })).toThrow(
    'Cannot read key broken of centurylink',
  );
  expect(set.find(token)?.name).toBe('server-created');
  expect(set.hash()).toBe(before);
  expect(await info()).toMatchObject([{ value: 1, labels: { hash: before } }]);
});

test('the metrics tell the set that is listened to, and none before it', async () => {
  const { set, info } = start();
  const tenants = listening({ name: 'b' }, { name: 'c', tokenSha256: hashToken('of-c') });
  set.replace({ tenants, keys: [] });
  expect(set.hash()).toBe(hashEndpoints(tenants));
  expect(await info()).toMatchObject([{ value: 1, labels: { hash: hashEndpoints(tenants) } }]);
});
