import { describe, expect, test } from 'vitest';
import { eventId, frame, framePair, frameRejected, makeEpisode, makeEvent } from './fixtures.ts';
import { makeRows, rowsOf, serve, subjectsOf, usePages } from './pages.ts';

const { open } = usePages();

describe('live', () => {
  test('an empty page says what to try next, until something arrives', async () => {
    const { log, page } = await open();
    await expect.poll(() => page.locator('#empty').textContent()).toContain('npm run simulate');
    await log.append(framePair({ seq: 1 }));
    await rowsOf(page, 'server').waitFor();
    expect(await page.locator('#empty').isVisible()).toBe(false);
  });

  test('rows appear in their column, newest first, with all that a row says', async () => {
    const { log, page } = await open({ records: framePair({ seq: 1, subject: 'older' }) });
    await log.append([
      ...framePair({ seq: 2, subject: 'newer', action: 'created', novelty: 'created', flags: ['stale'] }),
      ...framePair({ seq: 3, entity: 'account', subject: 'ACME' }),
      ...framePair({ seq: 4, entity: 'alert', action: 'notified' }),
      frame('episode', makeEpisode({ state: 'closed', length_ms: 226_000, events: [eventId(4)] })),
      ...frameRejected({ seq: 5, event_name: 'User.Updated' }),
      ...frameRejected({ seq: 6, event_name: '' }),
    ]);
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['newer', 'older']);
    const text = await rowsOf(page, 'server').first().textContent();
    for (const word of ['created', 'newer', 'centurylink:', 'NWND', 'new', 'stale', '✓']) expect(text).toContain(word);
    expect(await subjectsOf(page, 'account')).toEqual(['ACME']);
    expect(await rowsOf(page, 'alert').locator('.action').textContent()).toBe('cpu opened');
    expect(await rowsOf(page, 'alert').locator('.chips').textContent()).toBe('3 min 46 s');
    expect(await rowsOf(page, 'user').textContent()).toContain('signature mismatch');
    expect(await rowsOf(page, 'rejected').count()).toBe(1);
  });

  test('an amended row changes in place, a withdrawn one goes', async () => {
    const { log, page } = await open({ records: makeRows(2) });
    await rowsOf(page, 'server').first().waitFor();
    await log.append([
      frame('event', makeEvent({ seq: 1, version: 2, subject: 'amended' })),
      frame('event', makeEvent({ seq: 2, version: 2, withdrawn: true })),
    ]);
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['amended']);
  });

  test('after a restart of the console the page goes on by itself, without doubles', async () => {
    const { log, page, web } = await open({ records: makeRows(3) });
    await expect.poll(() => subjectsOf(page, 'server')).toHaveLength(3);
    await web.stop();
    await page.locator('#state[data-state=reconnecting]').waitFor();
    await log.append(framePair({ seq: 4, subject: 's4' }));
    await serve(log, web.port);
    await page.locator('#state[data-state=live]').waitFor();
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['s4', 's3', 's2', 's1']);
    expect(await page.locator('#totals').textContent()).toContain('4 events');
  });
});
