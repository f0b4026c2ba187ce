import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Log, type LogRecord, LogTrimmedError, type NewRecord } from '../../../services/ports/log/log.ts';

/** A fresh, empty log whose segments are closed at 4 kB at most. */
export interface LogFixture {
  log: Log;
  /** Closes the log and opens the same one again; absent where nothing outlives `close`. */
  reopen?(): Promise<Log>;
  /** Closes the log, the reopened one if there was one, and removes what it left behind. */
  close(): Promise<void>;
}

const ample = { records: 10_000, bytes: 100_000_000 };
const records = (...texts: string[]): NewRecord[] => texts.map((text) => ({ key: 'acme', frame: Buffer.from(text) }));
const textsOf = (read: readonly LogRecord[]) => read.map(({ frame }) => Buffer.from(frame).toString());
const positionsOf = (read: readonly LogRecord[]) => read.map(({ position }) => position);

/** Everything from `from` to the end; a read may return less than its limits allow, but never nothing before the end. */
async function readAll(log: Log, from?: number): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  let next = from ?? (await log.bounds()).first;
  for (;;) {
    const read = await log.read(next, ample);
    if (read.length === 0) return all;
    all.push(...read);
    next = read.at(-1)!.position + 1;
  }
}

/** Fills more than a segment and trims all of it; returns the positions that the batches of one record were given. */
async function fillAndTrim(log: Log): Promise<number[]> {
  const positions: number[] = [];
  for (let i = 0; i < 12; i++) positions.push(await log.append([{ key: 'acme', frame: new Uint8Array(1000).fill(i) }]));
  await log.trim(positions.at(-1)!);
  return positions;
}

/** What every backend of the log port must do; call it once for each, in a test file of its own. */
export function logContract(name: string, open: () => Promise<LogFixture>): void {
  describe(`log: ${name}`, () => {
    let fixture: LogFixture;
    let log: Log;
    beforeEach(async () => {
      fixture = await open();
      log = fixture.log;
    });
    afterEach(() => fixture.close());

    orderAndPositions(() => log);
    readLimits(() => log);
    trimming(() => log);
    content(() => log);

    test('what was appended is there after a restart, and numbering goes on', async () => {
      const { reopen } = fixture;
      if (!reopen) return expect(name, 'only the memory backend may forget').toBe('memory');
      await log.append(records('a', 'b'));
      const { next } = await log.bounds();
      log = await reopen();
      expect(textsOf(await readAll(log))).toEqual(['a', 'b']);
      expect(await log.append(records('c'))).toBe(next);
    });
  });

  describe(`log: ${name}: random operations`, () => {
    test('do what they do to an array', () => matchesModel(open));
  });
}

function orderAndPositions(log: () => Log): void {
  test('an empty log starts where it ends', async () => {
    const { first, next } = await log().bounds();
    expect(first).toBe(next);
    expect(await log().read(first, ample)).toEqual([]);
  });

  test('records are read in the order in which they were appended', async () => {
    await log().append(records('a', 'b'));
    await log().append(records('c'));
    await log().append(records('d', 'e'));
    expect(textsOf(await readAll(log()))).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('append resolves with the position of its first record, which bounds announced', async () => {
    for (const batch of [records('a'), records('b', 'c'), records('d')]) {
      const { next } = await log().bounds();
      const position = await log().append(batch);
      expect(position).toBe(next);
      expect((await log().bounds()).next).toBeGreaterThan(position);
      expect(textsOf(await log().read(position, { ...ample, records: 1 }))).toEqual(
        textsOf([{ position, ...batch[0]! }]),
      );
    }
  });

  test('positions grow and lie within the bounds', async () => {
    await log().append(records('a', 'b'));
    await log().append(records('c'));
    const positions = positionsOf(await readAll(log()));
    const { first, next } = await log().bounds();
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    expect(positions[0]).toBe(first);
    expect(positions.at(-1)).toBeLessThan(next);
  });

  test('appends issued together keep the order of the calls', async () => {
    const texts = Array.from({ length: 200 }, (_, i) => `record ${i}`);
    const positions = await Promise.all(texts.map((text) => log().append(records(text))));
    const read = await readAll(log());
    expect(textsOf(read)).toEqual(texts);
    expect(positionsOf(read)).toEqual(positions);
  });

  test('the records of a batch lie side by side, and a reader sees all of them or none', async () => {
    const batches = Array.from({ length: 50 }, (_, i) => records(...Array.from({ length: 4 }, (_, j) => `${i}.${j}`)));
    const appended = Promise.all(batches.map((batch) => log().append(batch)));
    const seen: number[] = [];
    do {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push((await readAll(log())).length);
    } while (seen.at(-1)! < 200);
    const positions = await appended;
    expect(seen.map((count) => count % 4)).toEqual(seen.map(() => 0));
    for (const [i, position] of positions.entries()) {
      const read = await log().read(position, { ...ample, records: 4 });
      expect(textsOf(read)).toEqual([`${i}.0`, `${i}.1`, `${i}.2`, `${i}.3`]);
      expect(positionsOf(read)).toEqual([position, position + 1, position + 2, position + 3]);
    }
  });
}

function readLimits(log: () => Log): void {
  test('a read returns at most so many records', async () => {
    const position = await log().append(records('a', 'b', 'c', 'd'));
    expect(textsOf(await log().read(position, { ...ample, records: 2 }))).toEqual(['a', 'b']);
    expect(textsOf(await log().read(position + 2, { ...ample, records: 2 }))).toEqual(['c', 'd']);
  });

  test('a read stops before the bytes exceed the limit', async () => {
    const position = await log().append(records('a'.repeat(400), 'b'.repeat(400), 'c'.repeat(400)));
    const read = await log().read(position, { ...ample, bytes: 1000 });
    expect(read.map(({ frame }) => frame.length)).toEqual([400, 400]);
  });

  test('the first record is returned although it is larger than the limit', async () => {
    const position = await log().append(records('a'.repeat(1000), 'b'));
    expect(await log().read(position, { ...ample, bytes: 10 })).toHaveLength(1);
  });

  test('a read past the end is empty', async () => {
    await log().append(records('a'));
    const { next } = await log().bounds();
    expect(await log().read(next, ample)).toEqual([]);
    expect(await log().read(next + 1000, ample)).toEqual([]);
  });
}

function trimming(log: () => Log): void {
  test('trim lets old segments go and nothing from the position on', async () => {
    const positions = await fillAndTrim(log());
    const { first } = await log().bounds();
    expect(first).toBeGreaterThan(positions[0]!);
    expect(first).toBeLessThanOrEqual(positions.at(-1)!);
    expect(positionsOf(await readAll(log()))).toEqual(positions.filter((position) => position >= first));
  });

  test('a read of what was trimmed rejects and never skips', async () => {
    const positions = await fillAndTrim(log());
    const { first } = await log().bounds();
    await expect(log().read(first - 1, ample)).rejects.toThrow(LogTrimmedError);
    await expect(log().read(positions[0]!, ample)).rejects.toMatchObject({ code: 'LOG_TRIMMED' });
  });

  test('trim before the start and again changes nothing', async () => {
    await fillAndTrim(log());
    const before = await log().bounds();
    await log().trim(before.first);
    await log().trim(0);
    expect(await log().bounds()).toEqual(before);
  });

  test('a trimmed log goes on where it was', async () => {
    await fillAndTrim(log());
    const { next } = await log().bounds();
    await log().trim(next);
    expect((await log().bounds()).next).toBe(next);
    expect(await log().append(records('next'))).toBe(next);
    expect(textsOf(await readAll(log(), next))).toEqual(['next']);
  });
}

function content(log: () => Log): void {
  test('frames are bytes, whatever bytes', async () => {
    const frames = [
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(0),
      Buffer.from([0xc3, 0x28, 0, 0xff, 0xfe]),
      new Uint8Array(300_000).fill(0xab),
    ];
    await log().append(frames.map((frame) => ({ key: 'acme', frame })));
    const read = await readAll(log());
    expect(read.map(({ frame }) => Buffer.from(frame))).toEqual(frames.map((frame) => Buffer.from(frame)));
  });

  test('a frame may be a slice of a larger buffer', async () => {
    const buffer = Buffer.from('before|frame|after');
    await log().append([{ key: 'acme', frame: buffer.subarray(7, 12) }]);
    expect(textsOf(await readAll(log()))).toEqual(['frame']);
  });

  test('frames are copied: what the caller does to its buffer later does not reach the log', async () => {
    const frame = Buffer.from('before');
    await log().append([{ key: 'acme', frame }]);
    frame.write('after!');
    expect(textsOf(await readAll(log()))).toEqual(['before']);
  });

  test('every record keeps its key', async () => {
    const keys = ['northwind', 'acme', 'émile & söhne', 'acme', ''];
    await log().append(keys.map((key) => ({ key, frame: Buffer.from('x') })));
    expect((await readAll(log())).map(({ key }) => key)).toEqual(keys);
  });
}

type Operation =
  | { name: 'append'; batch: readonly { key: string; frame: Uint8Array }[] }
  | { name: 'read'; back: number; records: number; bytes: number }
  | { name: 'trim'; back: number }
  | { name: 'reopen' };

const batches = fc.array(fc.record({ key: fc.string({ maxLength: 4 }), frame: fc.uint8Array({ maxLength: 600 }) }), {
  minLength: 1,
  maxLength: 6,
});
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ name: fc.constant('append' as const), batch: batches }) },
    {
      weight: 4,
      arbitrary: fc.record({
        name: fc.constant('read' as const),
        back: fc.nat(60),
        records: fc.integer({ min: 1, max: 20 }),
        bytes: fc.nat(3000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ name: fc.constant('trim' as const), back: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.constant({ name: 'reopen' as const }) },
  ),
  { maxLength: 40 },
);

/** Runs random operations against the log and an array of its records. A failure prints the seed and the operations. */
async function matchesModel(open: () => Promise<LogFixture>): Promise<void> {
  const law = fc.asyncProperty(operations, async (steps) => {
    const fixture = await open();
    try {
      await compareWithArray(fixture, steps);
    } finally {
      await fixture.close();
    }
  });
  await fc.assert(law, { numRuns: 25 });
}

async function compareWithArray(fixture: LogFixture, steps: readonly Operation[]): Promise<void> {
  let { log } = fixture;
  let model: LogRecord[] = [];
  let { next } = await log.bounds();
  for (const step of steps) {
    if (step.name === 'append') {
      expect(await log.append(step.batch)).toBe(next);
      model.push(...step.batch.map(({ key, frame }, i) => ({ position: next + i, key, frame })));
      next += step.batch.length;
    } else if (step.name === 'reopen') {
      log = (await fixture.reopen?.()) ?? log;
    } else if (step.name === 'trim') {
      const before = await log.bounds();
      const position = Math.max(0, next - step.back);
      await log.trim(position);
      const { first } = await log.bounds();
      expect(first).toBeGreaterThanOrEqual(before.first);
      expect(first).toBeLessThanOrEqual(Math.max(before.first, position));
      model = model.filter((record) => record.position >= first);
    } else {
      await compareRead(log, model, { ...step, from: next - step.back });
    }
    expect(await log.bounds()).toEqual({ first: model[0]?.position ?? next, next });
  }
  expect(plain(await readAll(log))).toEqual(plain(model));
}

async function compareRead(
  log: Log,
  model: readonly LogRecord[],
  { from, ...limits }: { from: number; records: number; bytes: number },
): Promise<void> {
  const { first } = await log.bounds();
  if (from < first) return expect(log.read(from, limits)).rejects.toThrow(LogTrimmedError);
  const read = await log.read(from, limits);
  const expected = model.filter(({ position }) => position >= from);
  expect(plain(read)).toEqual(plain(expected.slice(0, read.length)));
  expect(read.length).toBeLessThanOrEqual(limits.records);
  expect(read.length > 0).toBe(expected.length > 0);
  const bytes = read.reduce((sum, { frame }) => sum + frame.length, 0);
  expect(read.length === 1 || bytes <= limits.bytes).toBe(true);
}

/** Records with comparable frames: backends may return a Uint8Array or a Buffer. */
function plain(read: readonly LogRecord[]): { position: number; key: string; frame: string }[] {
  return read.map(({ position, key, frame }) => ({ position, key, frame: Buffer.from(frame).toString('hex') }));
}
