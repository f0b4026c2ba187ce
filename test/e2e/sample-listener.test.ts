import { expect, test } from 'vitest';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { createTestTime, endpoint, signature, startTestEdge, tenant } from '../edge/fixture.ts';

const now = Date.UTC(2026, 0, 5, 9);
const minutesAgo = (minutes: number) => new Date(now - minutes * 60_000).toISOString();

function server(name: string, createdDate: string, modifiedDate: string) {
  const links = [{ rel: 'self', href: `/v2/servers/NWND/${name}` }];
  return { name, status: 'active', changeInfo: { createdDate, modifiedDate, modifiedBy: 'somebody' }, links };
}

/** What is posted where, and the events that come of it. */
const story: [event: string, body: object, type: string, novelty: string][] = [
  ['server', server('NEW', minutesAgo(5), minutesAgo(5)), 'server.created', 'created'],
  ['server', server('NEW', minutesAgo(5), minutesAgo(1)), 'server.updated', 'known'],
  ['server', server('OLD', minutesAgo(90), minutesAgo(2)), 'server.updated', 'seen'],
  ['server', { accountAlias: 'NWND', name: 'NEW' }, 'server.deleted', 'known'],
  ['server', { ...server('OLD', minutesAgo(90), minutesAgo(0)), status: 'Deleted' }, 'server.deleted', 'known'],
  ['account', { accountAlias: 'SUB1', parentAlias: 'NWND', status: 'Active' }, 'account.updated', 'seen'],
  ['account', { accountAlias: 'SUB1', parentAlias: 'NWND', status: 'Deleted' }, 'account.deleted', 'known'],
  ['user', { accountAlias: 'NWND', userName: 'ann', status: 'Active' }, 'user.updated', 'seen'],
  ['user', { accountAlias: 'NWND', userName: 'ann', status: 'Deleted' }, 'user.deleted', 'known'],
  [
    'alert',
    {
      accountAlias: 'NWND',
      serverName: 'WEB',
      triggers: [{ metric: 'cpu', state: 'triggered', stateStartTime: minutesAgo(1) }],
    },
    'alert.notified',
    'known',
  ],
];

test('deliveries to the four URLs of the sample listener become the events that their bodies and the lane tell', async () => {
  const events = ['Account', 'User', 'Server', 'Alert'];
  const edge = await startTestEdge({
    time: createTestTime(now),
    tenants: [
      tenant({
        endpoints: events.map((event) =>
          endpoint({ name: event.toLowerCase(), event, tokenSha256: '', sample: true, open: true }),
        ),
      }),
    ],
  });
  for (const [event, content] of story) {
    const body = JSON.stringify(content);
    const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature(body) };
    expect((await fetch(`${edge.url}/webhook/${event}`, { method: 'POST', headers, body })).status).toBe(202);
  }
  const records = (await edge.log.records()).map((record, position) => ({ position, record }));
  const { outputs } = step(createState(), records as Parameters<typeof step>[1]);
  const rejects = outputs.flatMap(({ kind, value }) => (kind === 'reject' ? [value] : []));
  expect(rejects).toEqual([]);
  const told = outputs.flatMap((output) => (output.kind === 'event' ? [output.value] : []));
  expect(told.map(({ type, novelty }) => [type, novelty])).toEqual(
    story.map(([, , type, novelty]) => [`centurylink.${type}`, novelty]),
  );
  expect(told[1]).toMatchObject({ actor: 'somebody', attributes: { status: 'active' }, endpoints: ['server'] });
  const episodes = outputs.flatMap((output) => (output.kind === 'episode' ? [output.value] : []));
  expect(episodes).toMatchObject([{ server: 'WEB', metric: 'cpu', state: 'open' }]);
});
