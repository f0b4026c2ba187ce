import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProducerProgress } from '../../../services/core/records/generated.ts';
import type { Checkpoint, CheckpointHead, Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';

export interface CheckpointsFixture {
  checkpoints: Checkpoints;
  close(): Promise<void>;
}

export const producer = (parts: Partial<ProducerProgress> = {}): ProducerProgress => ({
  boot: 'b1',
  edge: 'edge-1',
  last_seq: 7,
  seen_seq: 9,
  closed: false,
  ...parts,
});

export const headOf = (position: number, parts: Partial<CheckpointHead> = {}): CheckpointHead => ({
  position,
  recordId: `r${position}`,
  flow: 'f1',
  final: false,
  producers: [producer()],
  ...parts,
});

export async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

export async function textOf(checkpoint: Checkpoint | undefined): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of checkpoint?.chunks ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** What every backend of the checkpoints port must do. */
export function checkpointsContract(name: string, open: () => Promise<CheckpointsFixture>): void {
  describe(`checkpoints: ${name}`, () => {
    let fixture: CheckpointsFixture;
    beforeEach(async () => {
      fixture = await open();
    });
    afterEach(() => fixture.close());

    const save = (position: number, ...texts: string[]) =>
      fixture.checkpoints.save('acme', headOf(position), chunksOf(...texts));
    const newest = (upTo?: number) => fixture.checkpoints.newest('acme', upTo);

    test('a lane without checkpoints has none', async () => {
      expect(await newest()).toBeUndefined();
      expect(await newest(7)).toBeUndefined();
      expect(await fixture.checkpoints.list('acme')).toEqual([]);
      expect(await fixture.checkpoints.lanes()).toEqual([]);
    });

    test('returns the state as it was saved, with all that its head says, and again', async () => {
      const producers = [producer(), producer({ boot: 'b2', edge: '', last_seq: -1, seen_seq: 4, closed: true })];
      const head = headOf(7, { flow: 'f2', final: true, producers });
      await fixture.checkpoints.save('acme', head, chunksOf('one', '', 'two'));
      const { chunks, ...found } = (await newest())!;
      expect(found).toEqual(head);
      expect(await textOf({ ...found, chunks })).toBe('onetwo');
      expect(await textOf({ ...found, chunks })).toBe('onetwo');
    });

    test('a state of many megabytes comes back byte by byte', async () => {
      const parts = Array.from({ length: 9 }, (_, n) => String.fromCharCode(97 + n).repeat(n * 300_001));
      await save(1, ...parts);
      expect((await textOf(await newest())) === parts.join('')).toBe(true);
    });

    test('the highest position is the newest, whatever the order of saving', async () => {
      await save(30, 'late');
      await save(20, 'early');
      expect((await newest())?.position).toBe(30);
      expect(await fixture.checkpoints.list('acme')).toEqual([20, 30]);
    });

    test('of two at one position the one that was saved later counts', async () => {
      const saved = [
        headOf(7, { final: true }),
        headOf(7, { final: false }),
        headOf(7, { flow: 'f2', final: true, producers: [] }),
      ];
      for (const head of saved) {
        await fixture.checkpoints.save('acme', head, chunksOf('state'));
        const { chunks, ...found } = (await newest())!;
        expect(found).toEqual(head);
        expect(await textOf({ ...found, chunks })).toBe('state');
      }
      expect(await fixture.checkpoints.list('acme')).toEqual([7]);
    });

    test.each([
      [9, undefined],
      [10, 10],
      [29, 20],
      [30, 30],
      [99, 30],
    ])('up to %d the newest is %s', async (upTo, expected) => {
      for (const position of [30, 10, 20]) await save(position, `at ${position}`);
      const found = await newest(upTo);
      expect(found?.position).toBe(expected);
      expect(await textOf(found)).toBe(expected === undefined ? '' : `at ${expected}`);
    });

    test('lanes do not see each other, whatever their names', async () => {
      await save(1, 'acme');
      await fixture.checkpoints.save('../acme', headOf(9), chunksOf('other'));
      expect(await fixture.checkpoints.list('acme')).toEqual([1]);
      expect(await fixture.checkpoints.lanes()).toEqual(['../acme', 'acme']);
      expect(await textOf(await fixture.checkpoints.newest('../acme'))).toBe('other');
    });

    test('a save that fails halfway leaves what was there', async () => {
      await save(1, 'whole');
      async function* failing() {
        yield Buffer.from('half');
        throw new Error('stopped');
      }
      await expect(fixture.checkpoints.save('acme', headOf(2), failing())).rejects.toThrow('stopped');
      expect(await fixture.checkpoints.list('acme')).toEqual([1]);
      expect(await textOf(await newest())).toBe('whole');
    });

    test('two writers at once do not mix', async () => {
      const turns = ['a', 'b', 'c'];
      async function* inTurns(name: string) {
        for (const turn of turns) {
          yield Buffer.from(`${name}${turn} `);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      await Promise.all([
        fixture.checkpoints.save('acme', headOf(5), inTurns('late-')),
        fixture.checkpoints.save('acme', headOf(4), inTurns('early-')),
        fixture.checkpoints.save('bolt', headOf(5), inTurns('bolt-')),
      ]);
      expect(await textOf(await newest())).toBe('late-a late-b late-c ');
      expect(await textOf(await newest(4))).toBe('early-a early-b early-c ');
      expect(await textOf(await fixture.checkpoints.newest('bolt'))).toBe('bolt-a bolt-b bolt-c ');
    });

    test('prune keeps the newest three and the one that the oldest retained record needs', async () => {
      for (const position of [10, 20, 30, 40, 50, 60]) await save(position, `at ${position}`);
      await fixture.checkpoints.prune('acme', 25);
      const left = await fixture.checkpoints.list('acme');
      expect(left).toEqual(expect.arrayContaining([20, 40, 50, 60]));
      expect(left).not.toContain(10);
      for (const position of [20, 40, 50, 60]) expect(await textOf(await newest(position))).toBe(`at ${position}`);
      await fixture.checkpoints.prune('acme', 45);
      expect(await fixture.checkpoints.list('acme')).toEqual([40, 50, 60]);
    });
  });
}
