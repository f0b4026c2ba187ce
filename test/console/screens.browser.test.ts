import { describe, expect, test } from 'vitest';
import { eventId, frame, framePair, frameRejected, idAt, makeDetection, makeEpisode, noon } from './fixtures.ts';
import { makeRows, rowsOf, usePages } from './pages.ts';

const { open } = usePages();

describe('screens', () => {
  const long = 'a-very-long-name-that-goes-on-'.repeat(5);
  const wide = [
    ...['account', 'alert', 'user', 'server'].flatMap((entity, index) =>
      framePair({ seq: index + 1, entity, subject: long, account: `centurylink:${long}`, flags: ['stale', 'replay'] }),
    ),
    ...frameRejected({ seq: 9, event_name: '', endpoint: long }),
    frame('detection', makeDetection({ title: long, subjects: [long, long] })),
  ];
  const fits = 'document.documentElement.scrollWidth <= innerWidth';
  const panelFits =
    "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.getElementById('panel-body'))";

  test.each([
    { width: 360, height: 640 },
    { width: 390, height: 844 },
    { width: 768, height: 1024 },
    { width: 1024, height: 768 },
    { width: 1440, height: 900 },
  ])('$width x $height: nothing is wider than the screen', async (viewport) => {
    const { page } = await open({ records: wide, context: { viewport } });
    await page.locator('.columns .row').first().waitFor();
    expect(await page.evaluate(fits)).toBe(true);
    await page.locator('[data-list=account] .row').click();
    await page.getByRole('dialog').locator('.payload').waitFor();
    expect(await page.evaluate(fits)).toBe(true);
    expect(await page.evaluate(panelFits)).toBe(true);
  });

  const alert = (seq: number, time: number) =>
    framePair({ seq, entity: 'alert', action: 'notified', subject: 'WA1NWNDWEB01', time, time_basis: 'provider' });

  test.each([
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ])('$width x $height: what happened to an alert and how long it was on is not cut off', async (viewport) => {
    const lengthMs = 3 * 86_400_000 + 23 * 3_600_000;
    const ended = { metric: 'memory', state: 'closed', ended_by: 'alert', version: 2, length_ms: lengthMs } as const;
    const records = [
      ...alert(1, noon),
      ...alert(2, noon + lengthMs),
      frame('episode', makeEpisode({ ...ended, closed_at: noon + lengthMs, events: [eventId(1), eventId(2)] })),
      ...alert(3, noon),
      frame('episode', makeEpisode({ id: idAt(noon, 'e3'), metric: 'memory', events: [eventId(3)] })),
    ];
    const { page } = await open({ records, context: { viewport } });
    if (viewport.width < 900) await page.getByRole('tab', { name: /Alert/ }).click();
    await rowsOf(page, 'alert').first().waitFor();
    const actions = rowsOf(page, 'alert').locator('.action');
    expect(await actions.allTextContents()).toEqual(['memory opened', 'memory closed', 'memory opened']);
    expect(await rowsOf(page, 'alert').locator('.chip').allTextContents()).toEqual(['3 d 23 h', '3 d 23 h']);
    const cut = (element: { scrollWidth: number; clientWidth: number }) => element.scrollWidth > element.clientWidth;
    for (const words of ['.action', '.chips', '.chip', '.subject', '.alias']) {
      for (const element of await rowsOf(page, 'alert').locator(words).all()) {
        expect([words, await element.evaluate(cut)]).toEqual([words, false]);
      }
    }
    const colours = await page.evaluate(
      "[...document.querySelectorAll('#column-alert .action')].map((element) => getComputedStyle(element).color)",
    );
    const [isOpen, ...closed] = colours as string[];
    expect(new Set(closed).size).toBe(1);
    expect(closed).not.toContain(isOpen);
  });

  test('on a phone one column is shown, picked by its tab', async () => {
    const viewport = { width: 390, height: 844 };
    const { page } = await open({ records: wide, context: { viewport, isMobile: true, hasTouch: true } });
    await rowsOf(page, 'account').waitFor();
    expect(await rowsOf(page, 'server').isVisible()).toBe(false);
    await page.getByRole('tab', { name: /Server/ }).tap();
    await rowsOf(page, 'server').waitFor();
    expect(await rowsOf(page, 'account').isVisible()).toBe(false);
    await rowsOf(page, 'server').tap();
    await page.getByRole('dialog').locator('.payload').waitFor();
  });

  test('whoever asks for less motion gets none', async () => {
    const { log, page } = await open({ records: makeRows(1), context: { reducedMotion: 'reduce' } });
    await rowsOf(page, 'server').waitFor();
    await log.append(framePair({ seq: 5 }));
    await page.locator('.new').waitFor();
    expect(await page.evaluate('document.getAnimations().length')).toBe(0);
  });
});
