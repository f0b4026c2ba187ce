import { describe, expect, test } from 'vitest';
import { frame, framePair, frameRejected, makeDetection } from './fixtures.ts';
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
