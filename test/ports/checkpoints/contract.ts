import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';

export interface CheckpointsFixture {
  checkpoints: Checkpoints;
  close(): Promise<void>;
}

async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const textOf = (chunks: readonly Uint8Array[] = []) => chunks.map((chunk) => Buffer.from(chunk).toString());

/** What every backend of the checkpoints port must do. */
export function checkpointsContract(name: string, open: () => Promise<CheckpointsFixture>): void {
  describe(`checkpoints: ${name}`, () => {
    let fixture: CheckpointsFixture;
    beforeEach(async () => {
      fixture = await open();
    });
    afterEach(() => fixture.close());

    const save = (position: number, ...texts: string[]) =>
      fixture.checkpoints.save('acme', { position, recordId: `r${position}` }, chunksOf(...texts));

    test('a lane without checkpoints has none', async () => {
      expect(await fixture.checkpoints.newest('acme')).toBeUndefined();
      expect(await fixture.checkpoints.list('acme')).toEqual([]);
      expect(await fixture.checkpoints.lanes()).toEqual([]);
    });

    test('returns the state as it was saved, with the identity of its last record', async () => {
      await save(7, 'one', '', 'two');
      const newest = await fixture.checkpoints.newest('acme');
      expect(newest).toMatchObject({ position: 7, recordId: 'r7' });
      expect(textOf(newest?.chunks).filter(Boolean)).toEqual(['one', 'two']);
    });

    test('the highest position is the newest, whatever the order of saving', async () => {
      await save(30, 'late');
      await save(20, 'early');
      expect((await fixture.checkpoints.newest('acme'))?.position).toBe(30);
      expect(await fixture.checkpoints.list('acme')).toEqual([20, 30]);
    });

    test('lanes do not see each other, whatever their names', async () => {
      await save(1, 'acme');
      await fixture.checkpoints.save('../acme', { position: 9, recordId: 'x' }, chunksOf('other'));
      expect(await fixture.checkpoints.list('acme')).toEqual([1]);
      expect(await fixture.checkpoints.lanes()).toEqual(['../acme', 'acme']);
      expect(textOf((await fixture.checkpoints.newest('../acme'))?.chunks)).toEqual(['other']);
    });

    test('a save that fails halfway leaves what was there', async () => {
      await save(1, 'whole');
      async function* failing() {
        yield Buffer.from('half');
        throw new Error('stopped');
      }
      await expect(fixture.checkpoints.save('acme', { position: 2, recordId: 'r2' }, failing())).rejects.toThrow(
        'stopped',
      );
      expect(await fixture.checkpoints.list('acme')).toEqual([1]);
    });

    test('prune keeps the newest three and the one that the oldest retained record needs', async () => {
      for (const position of [10, 20, 30, 40, 50, 60]) await save(position, 'x');
      await fixture.checkpoints.prune('acme', 25);
      expect(await fixture.checkpoints.list('acme')).toEqual([20, 40, 50, 60]);
    });
  });
}
