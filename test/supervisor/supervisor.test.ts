import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createSupervisor, type PartOptions, type SupervisorOptions } from '../../services/supervisor/supervisor.ts';
import { isAlive } from './installation.ts';

interface Line {
  msg: string;
  part: string;
  process?: number;
  how?: string;
  delayMs?: number;
}

const script = join(import.meta.dirname, 'part.ts');

/** A supervisor of fake parts: `{ web: ['stubborn'] }`, in the order of the keys. It stops when the test ends. */
function supervise(
  traits: Record<string, string[]>,
  options: Partial<SupervisorOptions & Pick<PartOptions, 'drainMsMax' | 'backoffMsMax'>> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-supervisor-'));
  const diary = join(folder, 'diary');
  writeFileSync(diary, '');
  const lines: Line[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const { drainMsMax = 10_000, backoffMsMax = 10_000, ...rest } = options;
  const parts = Object.entries(traits).map(([name, own]) => ({
    name,
    args: [script, diary, name, ...own],
    drainMsMax,
    backoffMsMax,
  }));
  const supervisor = createSupervisor({ parts, logger, backoffMsMin: 1, ...rest });
  onTestFinished(async () => {
    await supervisor.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    ...supervisor,
    diary: () => readFileSync(diary, 'utf8').split('\n').slice(0, -1),
    log: () => lines,
    deaths: () => lines.filter(({ msg }) => msg.startsWith('part died')),
    pids: () => lines.flatMap(({ process: pid }) => pid ?? []),
  };
}

describe('start', () => {
  test('resolves with the URLs of all parts once every one works', async () => {
    const supervisor = supervise({ web: ['waits:log starts'], log: [] });
    expect(await supervisor.start()).toEqual({ web: 'http://web', log: 'http://log' });
    expect(isAlive(supervisor.pid('web')!)).toBe(true);
    expect(supervisor.pid('nobody')).toBeUndefined();
  });

  test('rejects when a part dies before it works, and leaves none behind', async () => {
    const supervisor = supervise({ web: [], log: ['waits:web starts', 'mute'], store: ['dies'] });
    await expect(supervisor.start()).rejects.toThrow('store ended with exit code 3 before it was ready');
    expect(supervisor.pids().filter(isAlive)).toEqual([]);
    expect(supervisor.deaths()).toEqual([]);
  });

  test('a part that dies while others still come up is started again', async () => {
    const supervisor = supervise({ web: ['waits:log starts'], log: ['waits:web starts', 'crashes'] });
    await supervisor.start();
    await vi.waitFor(() => expect(supervisor.deaths().length).toBeGreaterThan(1));
    expect(supervisor.deaths()[0]).toMatchObject({ part: 'log', how: 'exit code 4' });
  });
});

describe('a part that dies', () => {
  const delaysOf = async (options: Parameters<typeof supervise>[1], count: number) => {
    const supervisor = supervise({ web: ['crashes'] }, options);
    await supervisor.start();
    await vi.waitFor(() => expect(supervisor.deaths().length).toBeGreaterThanOrEqual(count), { timeout: 10_000 });
    return supervisor
      .deaths()
      .slice(0, count)
      .map(({ delayMs }) => delayMs);
  };

  test('is started again, later each time up to a limit', async () => {
    expect(await delaysOf({ backoffMsMin: 2, backoffMsMax: 10 }, 5)).toEqual([2, 4, 8, 10, 10]);
  });

  test('is started again soon when it had been steady', async () => {
    expect(await delaysOf({ backoffMsMin: 2, steadyMs: 0 }, 3)).toEqual([2, 2, 2]);
  });

  test('has another process then, and the others keep theirs', async () => {
    const supervisor = supervise({ web: [], log: [] });
    await supervisor.start();
    const { web, log } = { web: supervisor.pid('web')!, log: supervisor.pid('log')! };
    process.kill(web, 'SIGKILL');
    await vi.waitUntil(() => supervisor.pid('web') !== web && supervisor.pid('web') !== undefined);
    expect(supervisor.pid('log')).toBe(log);
    expect(supervisor.deaths()).toMatchObject([{ part: 'web', how: 'SIGKILL', delayMs: 1 }]);
  });
});

describe('stop', () => {
  test('drains one part after the other', async () => {
    const supervisor = supervise({ web: [], log: [], store: [] });
    await supervisor.start();
    await Promise.all([supervisor.stop(), supervisor.stop()]);
    expect(supervisor.diary().filter((line) => !line.endsWith('starts'))).toEqual([
      'web is told to end',
      'web ends',
      'log is told to end',
      'log ends',
      'store is told to end',
      'store ends',
    ]);
    expect(supervisor.deaths()).toEqual([]);
  });

  test('kills a part that does not drain in time, and goes on', async () => {
    const supervisor = supervise({ web: ['stubborn'], log: [] }, { drainMsMax: 300 });
    await supervisor.start();
    const web = supervisor.pid('web')!;
    await supervisor.stop();
    expect(isAlive(web)).toBe(false);
    expect(supervisor.diary().slice(2)).toEqual(['web is told to end', 'log is told to end', 'log ends']);
    expect(supervisor.log().at(-1)).toMatchObject({ part: 'web', msg: 'part does not drain in time; it is killed' });
  });

  test('starts none again, though its pause ends while another part drains', async () => {
    const supervisor = supervise({ web: ['stubborn'], log: [] }, { backoffMsMin: 100, drainMsMax: 300 });
    await supervisor.start();
    process.kill(supervisor.pid('log')!, 'SIGKILL');
    await vi.waitFor(() => expect(supervisor.deaths()).toHaveLength(1), { interval: 5 });
    await supervisor.stop();
    expect(supervisor.log().filter(({ msg, part }) => msg === 'part started' && part === 'log')).toHaveLength(1);
    expect(supervisor.pids().filter(isAlive)).toEqual([]);
  });

  test('ends what is still coming up', async () => {
    const supervisor = supervise({ web: ['mute'] });
    const started = supervisor.start();
    await vi.waitFor(() => expect(supervisor.diary()).toEqual(['web starts']));
    await Promise.all([supervisor.stop(), expect(started).rejects.toThrow('web ended with exit code 0')]);
    expect(supervisor.pids().filter(isAlive)).toEqual([]);
  });
});
