import { expect, test } from 'vitest';
import { createKeptToken } from '../../../services/ports/provider-api/kept-token.ts';

function start() {
  const given: string[] = [];
  const request = async () => {
    given.push(`token-${given.length + 1}`);
    return given.at(-1)!;
  };
  return { given, kept: createKeptToken({ folder: undefined, owner: 'somebody', ageMsMax: 1_000, request }) };
}

test('whoever was refused with an older token does not take the newer one from the others', async () => {
  const { given, kept } = start();
  const first = await kept.get();
  kept.discard(first);
  expect(await kept.get()).toBe('token-2');
  // The refusal of a call that was slower.
  kept.discard(first);
  expect(await kept.get()).toBe('token-2');
  expect(given).toHaveLength(2);
});

test('a request that failed is made again by the next one who asks', async () => {
  let calls = 0;
  const request = () => (++calls === 1 ? Promise.reject(new Error('down')) : Promise.resolve('token'));
  const kept = createKeptToken({ folder: undefined, owner: 'somebody', ageMsMax: 1_000, request });
  await expect(Promise.all([kept.get(), kept.get()])).rejects.toThrow('down');
  expect(calls).toBe(1);
  expect(await kept.get()).toBe('token');
});
