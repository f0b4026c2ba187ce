/** Endpoints that are called no more. Times in hours after the start. */
import { describe, expect, test } from 'vitest';
import { silenceOf } from '../../../services/core/flow/rhythms.ts';
import type { Coverage } from '../../../services/core/records/generated.ts';
import { type LaneBuilder, laneOf, settingsDocument, startMs } from './lane.ts';
import { plain, rowsOf, work } from './watched.ts';

const hour = 3_600_000;
const day = 24;
const endpoint = { name: 'things', provider: plain, event: '', account: 'ACME', recursive: false };
const account = `${plain}:ACME`;

function call(lane: LaneBuilder, hours: number, name = endpoint.name): void {
  const body = { entity: 'thing', action: 'told', account, subject: 'a', data: '{}' };
  lane.post('', body, Math.round(hours * hour), { provider: plain, endpoint: name, account });
}

/** Settings of a lane are its first record: those with the endpoint take effect behind it. */
function lane(endpoints: object[] = [endpoint]): LaneBuilder {
  const built = laneOf();
  const predecessor = (built.records[0]!.record.value as { id: string }).id;
  built.control({ kind: 'settings', predecessor, document: JSON.stringify({ ...settingsDocument, endpoints }) });
  return built;
}

/** An idle edge: its ticks are as far apart as they may be without an outage. */
function tick(built: LaneBuilder, from: number, to: number): void {
  for (let ms = from * hour; ms <= to * hour; ms += 15_000) built.tick(Math.round(ms));
}

/** Called every hour for so many days, but at night: its nights are twelve hours of quiet. */
function callDaily(built: LaneBuilder, days: number): void {
  for (let n = 0; n < days; n++) {
    for (let h = 8; h <= 20; h++) {
      tick(built, n * day + h - (h === 8 && n > 0 ? 12 : 1), n * day + h);
      call(built, n * day + h);
    }
  }
}

const silences = (built: LaneBuilder): string[] =>
  rowsOf(work(built.records).outputs, 'coverage')
    .filter((row: Coverage) => row.account === account && row.state === 'blind')
    .map(({ reasons, started_at, ended_at }) =>
      [reasons.join(), (started_at - startMs) / hour, ended_at === null ? 'on' : (ended_at - startMs) / hour].join(' '),
    );

describe('an endpoint that is called by day', () => {
  const calledUntil = 9 * day + 20;

  function told(until: number, more: (built: LaneBuilder) => void = () => {}): string[] {
    const built = lane();
    callDaily(built, 10);
    tick(built, calledUntil, until);
    more(built);
    return silences(built);
  }

  test('is not silent at night, nor for a while behind', () => {
    expect(told(calledUntil + 23.9)).toEqual([]);
  });

  test('is silent after twice its longest pause, from its last call on', () => {
    expect(told(calledUntil + 24.1)).toEqual([`endpoint_silent:things ${calledUntil} on`]);
  });

  test('until it is called again', () => {
    const calls = (built: LaneBuilder) => {
      call(built, calledUntil + 26);
      tick(built, calledUntil + 26, calledUntil + 27);
    };
    expect(told(calledUntil + 26, calls)).toEqual([`endpoint_silent:things ${calledUntil} ${calledUntil + 26}`]);
  });

  test('and as soon the next time: a silence is no pause to get used to', () => {
    const calls = (built: LaneBuilder) => {
      call(built, calledUntil + 26);
      tick(built, calledUntil + 26, calledUntil + 26 + 24.1);
    };
    // The two meet at the one call between them.
    expect(told(calledUntil + 26, calls)).toEqual([`endpoint_silent:things ${calledUntil} on`]);
  });

  test('and silent no longer once the settings do not name it', () => {
    const removed = (built: LaneBuilder) => {
      const predecessor = (built.records[2]!.record.value as { id: string }).id;
      const document = JSON.stringify({ ...settingsDocument, endpoints: [] });
      built.control({ kind: 'settings', predecessor, document, received_at: startMs + (calledUntil + 26) * hour });
      tick(built, calledUntil + 26, calledUntil + 28);
    };
    const [silence] = told(calledUntil + 26, removed);
    expect(silence).toMatch(new RegExp(`^endpoint_silent:things ${calledUntil} ${calledUntil + 26}`));
  });
});

test.each([
  ['that is called for six days only', 6 * day, 200, 1, undefined],
  ['that is called too seldom', 10 * day, 99, 12, undefined],
  ['with enough of a history', 7 * day, 100, 12, 24],
  ['that never rests', 7 * day, 5_000, 0.1, 1],
])('one %s', (_what, historyHours, calls, longestHours, silentHours) => {
  const known = {
    firstAt: 0,
    lastAt: historyHours * hour,
    days: [[1, calls, longestHours * hour]] as [number, number, number][],
  };
  const silentMs = silenceOf(known);
  expect(silentMs === undefined ? undefined : silentMs / hour).toBe(silentHours);
});

test('an endpoint that the settings do not name is never silent', () => {
  const built = lane([]);
  callDaily(built, 10);
  tick(built, 9 * day + 20, 9 * day + 60);
  expect(silences(built)).toEqual([]);
});

test('an outage teaches nothing, and is no silence', () => {
  const built = lane();
  callDaily(built, 10);
  // Nobody hears for two days; then it takes as long as ever.
  tick(built, 9 * day + 20, 9 * day + 30);
  tick(built, 9 * day + 78, 9 * day + 80);
  expect(silences(built)).toEqual([]);
  tick(built, 9 * day + 80, 9 * day + 94);
  expect(silences(built)).toEqual([`endpoint_silent:things ${9 * day + 20} on`]);
});
