import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { frame, framePair, frameRejected, makeDetection, noon } from './fixtures.ts';
import { rowsOf, usePages } from './pages.ts';

const { open } = usePages();

const entities = ['account', 'alert', 'user', 'server'];
const eventsTotal = 10_000;

function makeBurst(from: number, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const seq = from + index;
    if (seq % 100 === 0) return frameRejected({ seq, event_name: 'Server.Updated' });
    return framePair({ seq, entity: entities[seq % 4]!, subject: `subject-${seq}` });
  }).flat();
}

/** Watches how long the page goes without drawing, from now on. */
async function watchFrames(page: Page): Promise<void> {
  await page.evaluate(`
    window.longestGapMs = 0;
    window.frames = 0;
    let last = performance.now();
    requestAnimationFrame(function watch(now) {
      window.longestGapMs = Math.max(window.longestGapMs, now - last);
      window.frames += 1;
      last = now;
      requestAnimationFrame(watch);
    });
  `);
}

interface Measures {
  longestGapMs: number;
  frames: number;
  nodes: number;
  rows: number[];
}

function measure(page: Page): Promise<Measures> {
  return page.evaluate(`({
    longestGapMs: window.longestGapMs,
    frames: window.frames,
    nodes: document.querySelectorAll('*').length,
    rows: [...document.querySelectorAll('.column .list')].map((list) => list.children.length),
  })`);
}

/** Bytes that the page really holds: a collection of garbage comes first. */
async function measureHeap(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}

test('10,000 events in a burst: at most 200 rows a column, memory and nodes bounded, the page goes on drawing', async () => {
  const { log, page } = await open({ records: makeBurst(1, 1_000) });
  await expect.poll(() => rowsOf(page, 'server').count()).toBe(200);
  const full = await measure(page);
  const fullHeap = await measureHeap(page);

  await watchFrames(page);
  const start = performance.now();
  for (let seq = 1_001; seq <= 1_000 + eventsTotal; seq += 100) {
    await log.append(makeBurst(seq, 100));
    await page.evaluate('new Promise(requestAnimationFrame)');
  }
  await expect.poll(() => page.locator('#totals').textContent(), { timeout: 20_000 }).toContain('10,890 events');
  const elapsedMs = performance.now() - start;
  const after = await measure(page);

  expect(Math.max(...after.rows)).toBe(200);
  // Rows differ in their chips only.
  expect(after.nodes).toBeLessThan(full.nodes * 1.1);
  expect(await measureHeap(page)).toBeLessThan(fullHeap * 2);
  // Relative to the burst's own length, for machines differ: a page that hung would have one gap as long as the burst.
  expect(after.frames).toBeGreaterThan(20);
  expect(after.longestGapMs).toBeLessThan(elapsedMs / 4);
  expect(await rowsOf(page, 'user').first().locator('.subject').textContent()).toBe('subject-10998');

  // And it still answers.
  await rowsOf(page, 'server').first().click();
  await page.getByRole('dialog').locator('.payload').waitFor();
});

test('a burst while paused costs the page nothing, and is there on resuming', async () => {
  const { log, page } = await open({ records: makeBurst(1, 1_000) });
  await expect.poll(() => rowsOf(page, 'server').count()).toBe(200);
  await page.keyboard.press('p');
  const newest = await rowsOf(page, 'user').first().textContent();
  await log.append(makeBurst(1_001, 5_000));
  await expect.poll(() => page.locator('#pause').textContent()).toContain('Resume · 5,000 new');
  expect(await rowsOf(page, 'user').first().locator('.subject').textContent()).toBe('subject-998');
  expect(newest).toContain('subject-998');
  await page.keyboard.press('p');
  await expect.poll(() => rowsOf(page, 'user').first().locator('.subject').textContent()).toBe('subject-5998');
  expect(await rowsOf(page, 'user').count()).toBe(200);
});

test('at most 50 detections', async () => {
  const detections = Array.from({ length: 120 }, (_, index) =>
    frame('detection', makeDetection({ id: `0-${index}`, fired_at: noon + index, title: `found ${index}` })),
  );
  const { log, page } = await open({ records: detections.slice(0, 40) });
  await log.append(detections.slice(40));
  const titles = page.locator('[data-list=detections] .title');
  await expect.poll(() => titles.first().textContent()).toBe('found 119');
  expect(await titles.count()).toBe(50);
});
