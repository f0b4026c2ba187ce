import { describe, expect, test } from 'vitest';
import { createEdgeClock } from '../../services/edge/clock.ts';
import { createQuota } from '../../services/edge/quota.ts';
import { createTestTime } from './fixture.ts';

const start = Date.UTC(2026, 0, 1);

function clockAt(notBefore = 0) {
  const time = createTestTime(start);
  const changes: boolean[] = [];
  const clock = createEdgeClock(time, notBefore, (suspect) => changes.push(suspect));
  return { time, clock, changes, stamp: () => clock.stamp() - start };
}

describe('a stamp never goes back', () => {
  test('when the wall clock does', () => {
    const { time, stamp } = clockAt();
    time.pass(10_000);
    expect(stamp()).toBe(10_000);
    time.jump(-4000);
    expect(stamp()).toBe(10_000);
    time.pass(5000);
    expect(stamp()).toBe(11_000);
  });

  test('below what the journal holds', () => {
    const { time, stamp } = clockAt(start + 3000);
    expect(stamp()).toBe(3000);
    time.pass(4000);
    expect(stamp()).toBe(4000);
  });
});

describe('a wall clock that leaves the monotonic one', () => {
  //   wall  ──jump──────────────────60 s──▶ believed again
  //   stamp ──goes on as if it had not──────▶ follows
  test.each([
    { jump: 5000, suspect: false },
    { jump: 5001, suspect: true },
    { jump: -5000, suspect: false },
    { jump: -5001, suspect: true },
  ])('by $jump ms: suspect $suspect', ({ jump, suspect }) => {
    const { time, clock, changes } = clockAt();
    time.jump(jump);
    expect(clock.suspect()).toBe(suspect);
    expect(changes).toEqual(suspect ? [true] : []);
  });

  test('little by little is suspect as well', () => {
    const { time, clock } = clockAt();
    for (let i = 0; i < 6; i++) {
      time.pass(60_000);
      time.jump(1000);
      expect(clock.suspect()).toBe(i === 5);
    }
  });

  test('is not followed until it has been steady for a minute, and is reported once', () => {
    const { time, clock, changes, stamp } = clockAt();
    time.jump(3_600_000);
    expect(stamp()).toBe(0);
    time.pass(59_999);
    expect([stamp(), clock.suspect()]).toEqual([59_999, true]);
    time.pass(1);
    expect([stamp(), clock.suspect()]).toEqual([3_660_000, false]);
    expect(changes).toEqual([true, false]);
  });

  test('must start its minute again when it jumps again', () => {
    const { time, clock, stamp } = clockAt();
    time.jump(3_600_000);
    clock.suspect();
    time.pass(40_000);
    time.jump(-3_600_000);
    expect(clock.suspect()).toBe(true);
    time.pass(59_999);
    expect([stamp(), clock.suspect()]).toEqual([99_999, true]);
    time.pass(1);
    expect([stamp(), clock.suspect()]).toEqual([100_000, false]);
  });
});

describe('a quota', () => {
  test('gives what it has at once, then fills up evenly', () => {
    const time = createTestTime();
    const quota = createQuota(6, time.monotonicMs);
    const takeAll = () => {
      let taken = 0;
      while (quota.take()) taken++;
      return taken;
    };
    expect(takeAll()).toBe(6);
    time.pass(9999);
    expect(takeAll()).toBe(0);
    time.pass(1);
    expect(takeAll()).toBe(1);
    time.pass(600_000);
    expect(takeAll()).toBe(6);
  });
});
