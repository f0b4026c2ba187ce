import { expect, test } from 'vitest';
import { loadAddon } from '../../../../services/ports/warehouse/chdb/addon.ts';

test('without the package the error says what to do', () => {
  expect(() => loadAddon('no-such-package')).toThrow(
    expect.objectContaining({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/Cannot find module 'no-such-package'.*Set CLICKHOUSE_URL .* npm ci/s),
    }),
  );
});
