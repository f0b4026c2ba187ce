import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deliveryId, eventId, frame, framePair, frameRejected, makeDetection, makeEvent } from './fixtures.ts';
import { focusedSubject, rowsOf, usePages } from './pages.ts';

const { open } = usePages();

describe('details', () => {
  test('a click shows payload, signature and key; Escape gives the focus back', async () => {
    const sample = { name: 'WA1DEMOSERVER01', details: { cpu: 1, memoryMB: 4096 } };
    const { page } = await open({
      records: framePair({ seq: 1 }, { body: Buffer.from(JSON.stringify(sample)), key_id: 'centurylink-published' }),
    });
    await rowsOf(page, 'server').click();
    const panel = page.getByRole('dialog');
    await expect.poll(() => panel.locator('.payload').textContent()).toBe(JSON.stringify(sample, null, 2));
    expect(await panel.textContent()).toContain('verified by key centurylink-published');
    expect(await panel.locator('.signature').first().textContent()).toBe('tier3-rsasha1: c2lnbmF0dXJl');
    expect(await panel.textContent()).toContain(deliveryId(1));
    await page.keyboard.press('Escape');
    expect(await panel.isVisible()).toBe(false);
    expect(await focusedSubject(page)).toBe('WA1NWNDWEB01');
  });

  test('a rejected delivery says why', async () => {
    const { page } = await open({ records: frameRejected({ seq: 1, detail: 'No active key verifies it' }) });
    await rowsOf(page, 'user').click();
    const panel = page.getByRole('dialog');
    await expect.poll(() => panel.textContent()).toContain('No active key verifies it');
    expect(await panel.locator('.verdict-box').getAttribute('data-verdict')).toBe('rejected');
    expect(await panel.locator('.verdict-box').textContent()).toContain('signature mismatch');
  });

  test('what the console no longer holds: how to ask ClickHouse', async () => {
    const { page } = await open({ records: [frame('event', makeEvent({ seq: 1 }))] });
    await rowsOf(page, 'server').click();
    await expect
      .poll(() => page.getByRole('dialog').textContent())
      .toContain(`SELECT * FROM hookwatch.deliveries WHERE id = '${deliveryId(1)}'`);
  });

  test('a detection leads to its evidence, an event of it to its payload, and back', async () => {
    const { page } = await open({
      records: [
        ...framePair({ seq: 1, entity: 'account', subject: 'FRD1' }),
        ...framePair({ seq: 2, subject: 'WA1FRD1A01' }),
        frame('detection', makeDetection({ events: [eventId(1), eventId(2)] })),
      ],
    });
    const finding = page.locator('[data-list=detections] .row');
    for (const word of ['high', '5 servers within 1 h', 'FRD1', 'WA1FRD1A02', '5 in 1 h']) {
      expect(await finding.textContent()).toContain(word);
    }
    await finding.click();
    const panel = page.getByRole('dialog');
    await panel.getByRole('button', { name: 'WA1FRD1A01' }).click();
    await panel.locator('.payload').waitFor();
    expect(await panel.locator('#panel-title').textContent()).toBe('Server.Updated · WA1FRD1A01');
    await panel.getByRole('button', { name: 'Back' }).click();
    await panel.locator('.evidence').waitFor();
    expect(await panel.locator('.evidence li').count()).toBe(2);
  });

  test('the payload can be copied', async () => {
    const { page } = await open({
      records: framePair({ seq: 1 }, { body: Buffer.from('{"a":1}') }),
      context: { permissions: ['clipboard-read', 'clipboard-write'] },
    });
    await rowsOf(page, 'server').click();
    const section = page.locator('section', { has: page.getByRole('heading', { name: 'Payload' }) });
    await section.getByRole('button', { name: 'Copy' }).click();
    await section.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('{\n  "a": 1\n}');
  });
});

test('a real payload is shown byte by byte', async () => {
  const recorded = readFileSync(new URL('../recorded/clc-user-updated-2015.http', import.meta.url), 'utf8');
  const [head = '', body = ''] = recorded.split(/\r?\n\r?\n/);
  const signature = /^Tier3-RsaSha1: (.*)$/im.exec(head)?.[1]?.trim() ?? '';
  const rejected = frameRejected({ seq: 1 }, { body: Buffer.from(body), headers: { 'tier3-rsasha1': signature } });
  const { page } = await open({ records: rejected });
  await rowsOf(page, 'user').click();
  const panel = page.getByRole('dialog');
  await expect.poll(() => panel.locator('.payload').textContent()).toBe(JSON.stringify(JSON.parse(body), null, 2));
  expect(await panel.locator('.signature').first().textContent()).toContain(signature);
});
