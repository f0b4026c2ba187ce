import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode, headerBytes, schemaIdOf } from '../../../services/core/records/codec.ts';
import type { RecordTypes } from '../../../services/core/records/generated.ts';
import { type TableKind, viewOf } from '../../../services/ports/warehouse/tables.ts';
import type { Warehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { fixture } from './records.ts';

/**
 * What every backend must do. `open` gives a warehouse that was never migrated, on storage that holds nothing; `restart`
 * restarts whatever stores the rows and gives the warehouse that is there then.
 */
export function describeWarehouse(
  name: string,
  open: () => Promise<Warehouse>,
  restart: () => Promise<Warehouse>,
): void {
  describe(name, () => {
    let warehouse: Warehouse;
    beforeAll(async () => {
      warehouse = await open();
    });
    afterAll(() => warehouse.close());

    const insert = <K extends TableKind>(kind: K, ...values: RecordTypes[K][]) => insertValues(warehouse, kind, values);
    const tenant = () => `tenant-${randomUUID()}`;

    test('refuses rows before it was migrated, for good', async () => {
      await expect(insert('event', fixture('event', {}))).rejects.toMatchObject({
        name: 'Error',
        code: 'WAREHOUSE_SCHEMA',
        retryable: false,
      });
    });

    describe('once migrated', () => {
      beforeAll(async () => {
        await Promise.all([warehouse.migrate(), warehouse.migrate()]);
        await warehouse.migrate();
      });

      test.each(Object.keys(viewOf) as TableKind[])(
        'gives back a %s as it was written, every field of it',
        async (kind) => {
          const value = fixture(kind, { tenant: tenant() });
          await insert(kind, value);
          expect(await warehouse.rows(kind, { tenant: value.tenant })).toEqual([value]);
        },
      );

      test('keeps bytes that are no text', async () => {
        const body = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
        const value = fixture('delivery', { tenant: tenant(), body, headers: { 'user-agent': "it's \\ ünï\n" } });
        await insert('delivery', value);
        expect((await warehouse.rows('delivery', { tenant: value.tenant }))[0]).toEqual(value);
      });

      test('keeps null and empty apart from values', async () => {
        const open = fixture('episode', {
          tenant: tenant(),
          state: 'open',
          closed_at: null,
          length_ms: null,
          events: [],
        });
        await insert('episode', open);
        expect(await warehouse.rows('episode', { tenant: open.tenant })).toEqual([open]);
      });

      test.each([
        ['one insert, rising', [[1, 2, 3]]],
        ['one insert, falling', [[3, 2, 1]]],
        ['three inserts, falling', [[3], [2], [1]]],
        ['repeats', [[3, 3], [1, 3], [3]]],
      ])('shows the highest version of an id: %s', async (_, inserts) => {
        const name = tenant();
        for (const versions of inserts) {
          const values = versions.map((version) =>
            fixture('event', { tenant: name, version, subject: `v${version}`, time: 1_000 + version }),
          );
          await insert('event', ...values);
        }
        const rows = await warehouse.rows('event', { tenant: name });
        expect(rows.map(({ version, subject }) => ({ version, subject }))).toEqual([{ version: 3, subject: 'v3' }]);
      });

      test('hides what was withdrawn, and shows it again when a higher version says so', async () => {
        const name = tenant();
        const say = (version: number, withdrawn: boolean) =>
          insert('detection', fixture('detection', { tenant: name, version, withdrawn }));
        await say(1, false);
        await say(2, true);
        await say(1, false);
        expect(await warehouse.rows('detection', { tenant: name })).toEqual([]);
        await say(3, false);
        expect(await warehouse.rows('detection', { tenant: name })).toMatchObject([{ version: 3 }]);
      });

      test('finds rows by tenant and id, lowest id first, up to a limit', async () => {
        const [one, other] = [tenant(), tenant()];
        const ids = ['c', 'a', 'b'];
        await insert('pane', ...ids.map((id) => fixture('pane', { tenant: one, id })));
        await insert('pane', fixture('pane', { tenant: other, id: 'a' }));
        const found = async (filter: object) => (await warehouse.rows('pane', filter)).map(({ id }) => id);
        expect(await found({ tenant: one })).toEqual(['a', 'b', 'c']);
        expect(await found({ tenant: one, ids: ['c', 'b', 'x'] })).toEqual(['b', 'c']);
        expect(await found({ tenant: one, limit: 2 })).toEqual(['a', 'b']);
        expect(await found({ tenant: one, ids: [] })).toEqual([]);
      });

      test('finds rows by the position of their current version', async () => {
        const name = tenant();
        const say = (id: string, version: number, position: number) =>
          insert('episode', fixture('episode', { tenant: name, id, version, position }));
        for (const [id, position] of [
          ['a', 10],
          ['b', 11],
          ['c', 12],
          ['d', 13],
        ] as const)
          await say(id, 1, position);
        await say('b', 2, 20);
        const found = async (after: number, upTo: number) =>
          (await warehouse.rows('episode', { tenant: name, positions: { after, upTo } })).map(({ id }) => id);
        expect(await found(10, 13)).toEqual(['c', 'd']);
        expect(await found(13, 20)).toEqual(['b']);
        expect(await found(-1, 9)).toEqual([]);
      });

      test('takes a large batch whole', async () => {
        const name = tenant();
        const values = Array.from({ length: 5_000 }, (_, index) =>
          fixture('delivery', { tenant: name, id: `id-${String(index).padStart(6, '0')}`, seq: index }),
        );
        await insert('delivery', ...values);
        const rows = await warehouse.rows('delivery', { tenant: name, limit: 10_000 });
        expect(rows.map(({ seq }) => seq)).toEqual(values.map(({ seq }) => seq));
      });

      test('an empty insert is nothing', async () => {
        await expect(warehouse.insert('reject', 1, [])).resolves.toBeUndefined();
      });

      test('refuses a damaged body, for good', async () => {
        const frame = encode('reject', fixture('reject', { tenant: tenant() }));
        const bodies = [frame.subarray(headerBytes, frame.length - 3)];
        await expect(warehouse.insert('reject', schemaIdOf(frame), bodies)).rejects.toMatchObject({
          code: 'WAREHOUSE_DATA',
          retryable: false,
        });
      });

      test('a schema of another kind is a programmer error', async () => {
        const frame = encode('reject', fixture('reject', {}));
        const bodies = [frame.subarray(headerBytes)];
        await expect(warehouse.insert('event', schemaIdOf(frame), bodies)).rejects.not.toHaveProperty('retryable');
      });
    });

    test('names the run of what stores the rows: the same until that is restarted', async () => {
      const before = await warehouse.incarnation();
      await insert('event', fixture('event', { tenant: tenant() }));
      expect(await Promise.all([warehouse.incarnation(), warehouse.incarnation()])).toEqual([before, before]);
      await warehouse.close();
      for (const known = [before]; known.length < 4; ) {
        warehouse = await restart();
        const incarnation = await warehouse.incarnation();
        expect(known).not.toContain(incarnation);
        expect(await warehouse.incarnation()).toBe(incarnation);
        known.push(incarnation);
        await warehouse.close();
      }
    });
  });
}

export async function insertValues<K extends TableKind>(
  warehouse: Warehouse,
  kind: K,
  values: readonly RecordTypes[K][],
): Promise<void> {
  const frames = values.map((value) => encode(kind, value));
  const bodies = frames.map((frame) => frame.subarray(headerBytes));
  await warehouse.insert(kind, schemaIdOf(frames[0]!), bodies);
}
