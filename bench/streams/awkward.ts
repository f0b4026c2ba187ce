/** A lane of what is rare in the simulator's: bodies that are no good, strange times, deletions, what is told twice. */
import type { EventName } from '../../services/simulator/item.ts';
import { createLaneWriter } from '../lane.ts';

const startMs = Date.UTC(2026, 0, 5, 9);
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

type Told = [event: EventName, body: unknown, afterMs?: number];

const account = (accountAlias: string, more: object = {}) => ({ accountAlias, parentAlias: 'NWND', ...more });
const user = (userName: string, more: object = {}) => ({ accountAlias: 'AWK', userName, ...more });
const iso = (atMs: number) => `${new Date(startMs + atMs).toISOString().slice(0, 19)}Z`;
const server = (name: string, alias = 'AWK', createdMs = 0, modifiedMs = createdMs) => ({
  id: name.toLowerCase(),
  name,
  locationId: 'WA1',
  changeInfo: { createdDate: iso(createdMs), modifiedDate: iso(modifiedMs) },
  links: [
    { rel: 'self', href: `/v2/servers/${alias}/${name.toLowerCase()}` },
    { rel: 'account', href: `/v2/accounts/${alias.toLowerCase()}`, id: 'NOT-TO-BE-TRUSTED' },
  ],
});
const alert = (...triggers: object[]) => ({ accountAlias: 'AWK', serverName: 'AWKWEB01', triggers });
const on = (startedMs?: number, metric = 'cpu') => ({
  ...{ metric, state: 'triggered', duration: '00:05:00' },
  ...(startedMs !== undefined && { stateStartTime: iso(startedMs) }),
});
const off = (startedMs: number | undefined, endedMs: number, metric = 'cpu') => ({
  ...on(startedMs, metric),
  state: 'notTriggered',
  stateEndTime: iso(endedMs),
});

const told: Told[] = [
  ['Server.Created', '{'],
  ['Server.Created', '[]'],
  ['Server.Created', '"text"'],
  ['Server.Created', '{"name":"A"} more'],
  ['Server.Created', Buffer.from([0x7b, 0xff, 0x7d])],
  ['Server.Created', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
  ['Server.Created', { name: 'NOACCOUNT' }],
  ['Server.Created', { accountAlias: 'AWK', name: '  ' }],
  ['Server.Moved' as EventName, server('AWKMOVED')],
  ['User.Created', user('Ada')],
  ['User.Updated', user('ADA', { firstName: 'Ädä' })],
  ['User.Created', { accountUri: '/v2/accounts/awk', uri: '/v2/users/bela' }],
  ['User.Deleted', user('ada')],
  ['User.Created', user('ada')],
  ['Server.Created', server('AWKWEB01', 'awk', 1_000)],
  ['Server.Created', server('AWKWEB02', 'AWK', 2_000)],
  ['Account.Created', account('AWK', { primaryDataCenter: 'UC1' }), 2_000],
  ['Server.Updated', server('AWKWEB03', 'AWK', 3_000, 9_000)],
  ['Server.Created', server('AWKWEB03', 'AWK', 3_000, 4_000)],
  ['Server.Created', server('AWKWEB03', 'AWK', 3_000, 4_000)],
  ['Server.Created', server('AWKWEB04', 'AWK', -2 * hourMs)],
  ['Server.Created', server('AWKWEB05', 'AWK', 10 * hourMs)],
  ['Server.Created', { ...server('AWKWEB06'), changeInfo: { createdDate: '2026-01-05T10:00:07.5+01:00' } }],
  ['Server.Created', { ...server('AWKWEB07'), changeInfo: { createdDate: '2026-01-05' } }],
  ['Server.Deleted', { accountAlias: 'AWK', name: 'AWKWEB01' }, minuteMs],
  ['Server.Updated', server('AWKWEB01', 'AWK', 1_000, 2_000)],
  ['Server.Created', server('AWKWEB01', 'AWK', 2 * minuteMs), minuteMs],
  ['Account.Updated', account('AWK', { businessName: 'Ünïcode & Söhne' })],
  ['Alert.Notification', alert(on(3 * minuteMs), on(3 * minuteMs, 'memory')), minuteMs],
  ['Alert.Notification', alert(on(4 * minuteMs)), minuteMs],
  ['Alert.Notification', alert(off(2 * minuteMs, 5 * minuteMs)), minuteMs],
  ['Alert.Notification', alert(on(2 * minuteMs))],
  ['Alert.Notification', alert(on(undefined, 'disk'), { metric: 'disk', state: 'resting' })],
  ['Alert.Notification', alert(off(5 * minuteMs, 4 * minuteMs, 'disk')), minuteMs],
  ['Alert.Notification', alert(off(undefined, 7 * minuteMs, 'memory'))],
  ['Alert.Notification', alert()],
  ['Account.Deleted', account('AWK'), 2 * hourMs],
  ['Account.Created', account('awk'), hourMs],
  ['Server.Created', server('AWKWEB08', 'AWK', 3 * hourMs)],
  // Behind the lateness: what had ended is forgotten.
  ['Server.Updated', server('AWKWEB02', 'AWK', 2_000, 60 * hourMs), 60 * hourMs],
  ['Alert.Notification', alert(off(3 * minuteMs, 61 * hourMs, 'memory')), hourMs],
  ['Server.Created', server('AWKWEB01', 'AWK', 300 * hourMs), 240 * hourMs],
];

/** Its frames; a tick follows each delivery, and one stands every ten minutes of a pause. */
export function writeAwkwardLane(tenant: string): Buffer[] {
  const writer = createLaneWriter(startMs, tenant);
  let nowMs = startMs;
  for (const [event, body, afterMs = 500] of told) {
    for (const dueMs = nowMs + afterMs; nowMs < dueMs; ) {
      nowMs = Math.min(dueMs, nowMs + 10 * minuteMs);
      writer.tick(nowMs);
    }
    const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    writer.post(event, Buffer.from(bytes), nowMs);
    writer.tick(nowMs + 100);
  }
  return writer.frames;
}
