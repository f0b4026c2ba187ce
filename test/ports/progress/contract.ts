import { beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../../services/core/records/generated.ts';
import type { NewProgress, Progress } from '../../../services/ports/progress/progress.ts';

export function progressOf(parts: Partial<NewProgress> = {}): NewProgress {
  return {
    tenant: 'acme',
    position: 0,
    record_id: `r${parts.position ?? 0}`,
    flow: 'f1',
    final: false,
    producers: [],
    snapshot: null,
    ...parts,
  };
}

export const snapshot: Snapshot = { id: 's1', first: 0, pieces: 1, bytes: 10, sha256: '00' };

/** What every backend of the progress port must do; `open` makes an empty one. */
export function progressContract(name: string, open: () => Progress | Promise<Progress>): void {
  describe(`progress: ${name}`, () => {
    let progress: Progress;
    beforeEach(async () => {
      progress = await open();
    });

    /** Publishes in this order; a position with an s has a snapshot. Returns the positions that `latest` shows. */
    async function publish(...published: string[]) {
      for (const text of published) {
        const saved = text.endsWith('s') ? { snapshot } : {};
        await progress.publish(progressOf({ position: Number.parseInt(text, 10), ...saved }));
      }
      const { live, covered } = await progress.latest('acme');
      return { live: live?.position, covered: covered?.position };
    }

    test.each<[name: string, published: string[], live: number | undefined, covered: number | undefined]>([
      ['nothing', [], undefined, undefined],
      ['a lane without snapshots', ['4', '9'], 9, undefined],
      ['a lane with one snapshot, which may be damaged', ['4s', '9'], 9, undefined],
      ['a lane with two', ['4s', '7', '9s'], 9, 4],
      ['a lane with many', ['1s', '4s', '9s', '12s', '13'], 13, 9],
      ['records that come late', ['9s', '3', '12s', '4s', '11'], 12, 9],
      ['a snapshot that comes late', ['9s', '12s', '10s'], 12, 10],
      ['two snapshots at one position', ['4s', '9s', '9s'], 9, 4],
      ['a lane at its beginning', ['-1'], -1, undefined],
    ])('%s', async (_name, published, live, covered) => {
      expect(await publish(...published)).toEqual({ live, covered });
    });

    test('a record comes back as it was published, with the time of that', async () => {
      const producers = [{ boot: 'b1', edge: 'edge-1', last_seq: 7, seen_seq: 9, closed: true }];
      const published = progressOf({ position: 3, record_id: 'id', flow: 'f2', final: true, producers, snapshot });
      await progress.publish(published);
      expect((await progress.latest('acme')).live).toEqual({ ...published, published_at: expect.any(Number) });
    });

    test('of several at one position the last one counts', async () => {
      await progress.publish(progressOf({ position: 3 }));
      await progress.publish(progressOf({ position: 3, final: true }));
      expect((await progress.latest('acme')).live?.final).toBe(true);
    });

    test('lanes do not see each other', async () => {
      await progress.publish(progressOf({ position: 3 }));
      await progress.publish(progressOf({ position: 8, tenant: 'bolt' }));
      expect((await progress.latest('acme')).live?.position).toBe(3);
      expect((await progress.latest('bolt')).live?.position).toBe(8);
      expect(await progress.latest('contoso')).toEqual({ live: undefined, covered: undefined });
    });

    test('what was published is seen by who asks afterwards, also while others are asking', async () => {
      for (let position = 0; position < 20; position++) {
        const asked = progress.latest('acme');
        await progress.publish(progressOf({ position }));
        expect((await progress.latest('acme')).live?.position).toBe(position);
        await asked;
      }
    });
  });
}
