/** What an edge does with slow, rude and hasty clients, once more: its port speaks TLS. */
import { describe, expect, test } from 'vitest';
import { serveOverTls, startTestEdge } from './fixture.ts';

serveOverTls();

test('the edges of this file speak TLS', async () => {
  expect((await startTestEdge()).url).toMatch(/^https:/);
});

describe('sockets', async () => {
  await import('./sockets.test.ts');
});
describe('answers', async () => {
  await import('./answers.test.ts');
});
describe('stop', async () => {
  await import('./stop.test.ts');
});
