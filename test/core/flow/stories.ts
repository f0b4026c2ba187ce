/** Random stories of a lane, for the laws of the flow. */
import fc from 'fast-check';
import type { LaneRecord } from '../../../services/core/flow/flow.ts';
import { beginComparison, endpointsOf } from './identity.ts';
import { accountBody, alertBody, iso, type LaneBuilder, laneOf, serverBody, startMs } from './lane.ts';

/** What happens at an edge, as a delivery or a tick. */
type Act =
  | { do: 'account'; verb: 'Created' | 'Updated' | 'Deleted'; account: string }
  | { do: 'server'; verb: 'Created' | 'Updated'; account: string; server: string; agoMs: number }
  | { do: 'delete'; account: string; server: string }
  | { do: 'alert'; account: string; server: string; state: string; agoMs: number; length: number }
  | { do: 'broken'; body: string }
  | { do: 'unverified' }
  | { do: 'tick' }
  /** An account is below another one, known or not. */
  | { do: 'move'; account: string; parent: string }
  /** A server of one of three snapshots, told at one of two endpoints, by a URL with or without the action, or fetched. */
  | { do: 'told'; way: 'ACME' | 'AAA' | 'unnamed' | 'fetched'; account: string; version: number; gone: boolean };

/** What only some laws allow for: a second edge whose records come in any order or not at all, and another flow. */
type Trouble =
  | { do: 'other'; seq: number }
  | { do: 'gap' }
  | { do: 'takeover'; epoch: number; flow: string; previous: string };

const account = fc.constantFrom('AAA', 'BBB');
const server = fc.constantFrom('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7');
const agoMs = fc.integer({ min: -90_000, max: 7_200_000 });
const flow = fc.constantFrom('a', 'b');
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('other' as const), seq: fc.integer({ min: 0, max: 9 }) }) },
  fc.record({ do: fc.constant('gap' as const) }),
  fc.record({ do: fc.constant('takeover' as const), epoch: fc.integer({ min: 1, max: 4 }), flow, previous: flow }),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('account' as const),
      verb: fc.constantFrom('Created' as const, 'Updated' as const, 'Deleted' as const),
      account,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('server' as const),
      verb: fc.constantFrom('Created' as const, 'Created' as const, 'Updated' as const),
      account,
      server,
      agoMs,
    }),
  },
  fc.record({ do: fc.constant('delete' as const), account, server }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('alert' as const),
      account,
      server,
      state: fc.constantFrom('triggered', 'notTriggered', 'odd'),
      agoMs,
      length: fc.integer({ min: -1_000, max: 600_000 }),
    }),
  },
  fc.record({
    do: fc.constant('broken' as const),
    body: fc.constantFrom('', '{', '[]', 'null', '{"name":"x"}', '{"__proto__":{"accountAlias":"AAA"}}'),
  }),
  fc.record({ do: fc.constant('unverified' as const) }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      account: fc.constantFrom('AAA', 'BBB', 'CCC', 'DDD'),
      parent: fc.constantFrom('ACME', 'AAA', 'CCC', 'RIVAL', ''),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('told' as const),
      way: fc.constantFrom('ACME' as const, 'AAA' as const, 'AAA' as const, 'unnamed' as const, 'fetched' as const),
      account: fc.constantFrom('AAA', 'CCC', 'DDD'),
      version: fc.integer({ min: 0, max: 2 }),
      gone: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
);
/** Acts with the time that passes before each: seconds as a rule, now and then hours or days. */
const storyOf = <T>(what: fc.Arbitrary<T>, pauseMsMax: number) =>
  fc.array(
    fc.tuple(
      what,
      fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 120_000 }) }, fc.integer({ min: 0, max: pauseMsMax })),
    ),
    { maxLength: 60 },
  );

export const story = storyOf(act, 200_000_000);
/** Ends within the seven days for which a deleted server is remembered. */
export const shortStory = storyOf(act, 10_000_000);
export const troubledStory = storyOf(
  fc.oneof({ weight: 2, arbitrary: act }, { weight: 1, arbitrary: trouble }),
  200_000_000,
);

const otherBoot = 'b000000000000002';

const endpoints = endpointsOf(
  ...['Server.Updated', 'Server.Deleted'].flatMap((event) => [
    { name: `root-${event.toLowerCase()}`, event, account: 'ACME' },
    { name: `sub-${event.toLowerCase()}`, event, account: 'AAA' },
  ]),
);

export const settings = { endpoints, accounts: ['centurylink:BBB'], pending_max: 8 };

export function tell(acts: [Act | Trouble, number][]): LaneRecord[] {
  const lane = laneOf({ servers: 3 }, settings);
  beginComparison(lane);
  let at = 0;
  for (const [what, passesMs] of acts) {
    at += passesMs;
    const now = { received_at: startMs + at };
    if (what.do === 'account') lane.post(`Account.${what.verb}`, accountBody(what.account), at);
    else if (what.do === 'server')
      lane.post(`Server.${what.verb}`, serverBody(what.account, what.server, at - what.agoMs), at);
    else if (what.do === 'delete') lane.post('Server.Deleted', { accountAlias: what.account, name: what.server }, at);
    else if (what.do === 'alert') {
      const start = startMs + at - what.agoMs;
      const trigger = {
        state: what.state,
        stateStartTime: iso(start),
        ...(what.state === 'notTriggered' && { stateEndTime: iso(start + what.length) }),
      };
      lane.post('Alert.Notification', alertBody(what.account, what.server, trigger), at);
    } else if (what.do === 'broken') lane.post('Server.Updated', what.body, at);
    else if (what.do === 'unverified')
      lane.post('Server.Updated', '{}', at, { verdict: 'rejected', verdict_reason: 'signature mismatch' });
    else if (what.do === 'other') tellOther(lane, what.seq, at);
    else if (what.do === 'move') {
      const event = what.parent === '' ? 'Account.Deleted' : 'Account.Updated';
      lane.post(event, accountBody(what.account, { parentAlias: what.parent || undefined }), at);
    } else if (what.do === 'told') tellServer(lane, what, at);
    else if (what.do === 'gap')
      lane.control({ ...now, kind: 'gap', document: JSON.stringify({ boot: otherBoot, edge: 'edge-2' }) });
    else if (what.do === 'takeover') {
      const { do: _, ...document } = what;
      lane.control({ ...now, kind: 'takeover', document: JSON.stringify(document) });
    } else lane.tick(at);
  }
  lane.tick(at + 5_000);
  return lane.records;
}

function tellServer(lane: LaneBuilder, { way, account, version, gone }: Act & { do: 'told' }, at: number): void {
  const name = `W${version}`;
  const body = gone ? { accountAlias: account, name } : serverBody(account, name, version * 1_000);
  const named = gone ? 'Server.Deleted' : 'Server.Updated';
  const event = way === 'unnamed' ? 'Server' : named;
  if (way === 'fetched') {
    const parts = { origin: 'reconcile', endpoint: 'reconcile', account: `centurylink:${account}` } as const;
    return void lane.post(event, JSON.stringify(body, null, 1), at, parts);
  }
  const owner = way === 'ACME' ? 'ACME' : 'AAA';
  const endpoint = `${owner === 'ACME' ? 'root' : 'sub'}-${event.toLowerCase()}`;
  lane.post(event, body, at, { account: `centurylink:${owner}`, endpoint });
}

/** A record of the second edge: its boot, a tick, or what follows from its number. */
function tellOther(lane: LaneBuilder, seq: number, at: number): void {
  const parts = { boot: otherBoot, seq, received_at: startMs + at };
  if (seq === 0) lane.control({ ...parts, kind: 'boot', edge: 'edge-2' });
  else if (seq % 3 === 0) lane.control({ ...parts, kind: 'tick', time: startMs + at });
  else lane.post('Server.Created', serverBody('AAA', `O${seq}`, at), at, parts);
}
