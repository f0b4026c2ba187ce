import { expect, test } from 'vitest';
import { createBoots, workedOf } from '../../../services/edge/forwarder/boots.ts';

const day = 86_400_000;
const nowMs = 100 * day;

/** Boots as `a0-4` (numbers that the journal holds) in order, ten positions each; `a0-4@8` was received eight days ago. */
function bootsOf(...texts: string[]) {
  return bootsBehind(() => false, ...texts);
}

function bootsBehind(lacksBefore: (position: number) => boolean, ...texts: string[]) {
  const boots = createBoots(lacksBefore);
  for (const [nth, text] of texts.entries()) {
    const [, boot, from, to, days = '0'] = /^(\w)(\d)-(\d)(?:@(\d+))?$/.exec(text)!;
    for (let seq = Number(from); seq <= Number(to); seq++) {
      const place = { kind: 'delivery' as const, tenant: 'acme', boot: boot!, seq, id: '' };
      boots.add({ ...place, receivedAt: nowMs - Number(days) * day }, nth * 10 + seq);
    }
  }
  return boots;
}

/** What a worker says, as `a3` (worked on up to 3) or `a3/7` (seen up to 7). */
function said(...texts: string[]) {
  return workedOf(
    texts.map((text) => {
      const [, boot, last, seen = last] = /^(\w)(-?\d)(?:\/(\d))?$/.exec(text)!;
      return { boot: boot!, edge: 'edge-1', last_seq: Number(last), seen_seq: Number(seen), closed: false };
    }),
  );
}

test.each<[name: string, journal: string[], worker: string[], lost: string | undefined]>([
  ['nothing is known of a lane that nobody works on', ['a0-4'], [], undefined],
  ['all of it was worked on', ['a0-4'], ['a4'], undefined],
  ['the rest is on its way', ['a0-4'], ['a2'], undefined],
  ['one was seen behind a gap', ['a0-4'], ['a1/4'], 'a2'],
  ['the first is missing', ['a0-4'], ['a-1/4'], 'a0'],
  ['the end of a boot is missing, the next one was seen', ['a0-4', 'b0-4'], ['a3', 'b2'], 'a4'],
  ['the next boot was not seen yet', ['a0-4', 'b0-4'], ['a3'], undefined],
  ['a whole boot is missing', ['a0-4', 'b0-4', 'c0-4'], ['a4', 'c2'], 'b0'],
  ['the first of two gaps counts', ['a0-4', 'b0-4'], ['a1/3', 'b0/4'], 'a2'],
  ['of boots of other edges nothing is known here', ['a0-4'], ['a4', 'x1/7'], undefined],
  ['what this journal does not hold cannot be sent again', ['a5-8'], ['a2/8'], undefined],
  ['and hides no other gap', ['a5-8', 'b0-4'], ['a2/8', 'b1/3'], 'b2'],
  ['a boot that the flow has forgotten', ['a0-4@8', 'b0-4'], ['b4'], undefined],
  ['a boot that it has never met, or else it would remember', ['a0-4@6', 'b0-4'], ['b4'], 'a0'],
  ['an old boot of a lane that has met none of ours', ['a0-4@8'], ['x4'], undefined],
])('lost: %s', (_name, journal, worker, lost) => {
  const found = bootsOf(...journal).lost(said(...worker), nowMs);
  expect(found && `${found.boot}${found.seq}`).toBe(lost);
});

test.each<[name: string, record: string, worker: string[], held: boolean]>([
  ['worked on', 'a2', ['a2'], true],
  ['not worked on', 'a3', ['a2'], false],
  ['seen behind a gap, but dropped', 'a3', ['a2/4'], false],
  ['of a boot that was never met', 'a3', ['b4'], false],
  ['old, of a boot that was forgotten', 'a3@8', ['b4'], true],
  ['old, but nothing behind it was met', 'a3@8', ['x4'], false],
])('a record that was %s', (_name, record, worker, held) => {
  const [, boot, seq, days = '0'] = /^(\w)(\d)(?:@(\d+))?$/.exec(record)!;
  const place = { boot: boot!, seq: Number(seq), receivedAt: nowMs - Number(days) * day };
  expect(bootsOf(`a0-4@${days}`, 'b0-4').holds(said(...worker), place, nowMs)).toBe(held);
});

test('what precedes the first record is asked for where something there could not be read', () => {
  const first = (lacks: boolean) => bootsBehind(() => lacks, 'a5-8', 'b0-4').lost(said('a2/8', 'b1/3'), nowMs);
  expect(first(true)).toMatchObject({ boot: 'a', seq: 3 });
  expect(first(false)).toMatchObject({ boot: 'b', seq: 2 });
});

test('what was given up is asked for no more, until the worker has come past it', () => {
  const boots = bootsOf('a0-8', 'b0-4');
  boots.giveUp(boots.lost(said('a2/8', 'b0/4'), nowMs)!);
  expect(boots.lost(said('a2/8', 'b0/4'), nowMs)).toMatchObject({ boot: 'b', seq: 1 });
  expect(boots.lost(said('a5/8', 'b0/4'), nowMs)).toMatchObject({ boot: 'a', seq: 6 });
});

test('what lies before a position is forgotten, but never the newest boot', () => {
  const boots = bootsOf('a0-4', 'b0-4', 'c0-4');
  boots.forget(10);
  expect(boots.lost(said('a1/3', 'b0/4'), nowMs)).toMatchObject({ boot: 'b', seq: 1 });
  boots.forget(1000);
  expect(boots.lost(said('b0/4', 'c0/4'), nowMs)).toMatchObject({ boot: 'c', seq: 1 });
});
