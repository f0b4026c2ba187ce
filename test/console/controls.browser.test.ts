import { describe, expect, test } from 'vitest';
import { frame, framePair, frameRejected, makeDetection } from './fixtures.ts';
import { focusedSubject, makeRows, rowsOf, subjectsOf, usePages } from './pages.ts';

const { open } = usePages();

describe('pause and filter', () => {
  test('paused, rows stand still and what is new is counted; resuming shows it', async () => {
    const { log, page } = await open({ records: makeRows(2) });
    await rowsOf(page, 'server').first().waitFor();
    await page.keyboard.press('p');
    await page.locator('#state[data-state=paused]').waitFor();
    await log.append([...framePair({ seq: 3, subject: 's3' }), ...frameRejected({ seq: 4 })]);
    const button = page.locator('#pause');
    await expect.poll(() => button.textContent()).toContain('Resume · 2 new');
    expect(await subjectsOf(page, 'server')).toEqual(['s2', 's1']);
    await button.click();
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['s3', 's2', 's1']);
    expect(await button.textContent()).toContain('Pause');
    expect(await page.locator('#state').textContent()).toBe('Live');
  });

  const two = [
    ...framePair({ seq: 1, account: 'centurylink:ACME', subject: 'acme' }),
    ...framePair({ seq: 2, account: 'citrix:NWND', subject: 'nwnd' }),
    frame('detection', makeDetection({ account: 'centurylink:ACME' })),
  ];

  test.each([
    { text: 'ACME', left: ['acme'] },
    { text: 'acm', left: ['acme'] },
    { text: 'citrix:NWND', left: ['nwnd'] },
    { text: 'cit', left: ['nwnd'] },
    { text: 'WND', left: [] },
    { text: '', left: ['nwnd', 'acme'] },
  ])('"$text" leaves $left', async ({ text, left }) => {
    const { page } = await open({ records: two });
    await rowsOf(page, 'server').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type(text);
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(left);
    expect(await page.locator('[data-list=detections] .row').count()).toBe(left.includes('acme') ? 1 : 0);
  });

  test('the filter is kept in the address, holds for what comes, and Escape clears it', async () => {
    const { log, page } = await open({ records: two, hash: '#account=acme' });
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['acme']);
    await log.append([
      ...framePair({ seq: 3, account: 'citrix:NWND', subject: 'other' }),
      ...framePair({ seq: 4, account: 'centurylink:ACME', subject: 'more' }),
    ]);
    await expect.poll(() => subjectsOf(page, 'server')).toEqual(['more', 'acme']);
    await page.keyboard.press('/');
    await page.keyboard.press('Escape');
    await expect.poll(() => subjectsOf(page, 'server')).toHaveLength(4);
    expect(new URL(page.url()).hash).toBe('');
  });
});

describe('keyboard', () => {
  test('walks within a list, between columns and up to the detections', async () => {
    const { page } = await open({
      records: [
        ...makeRows(3, 'account'),
        ...framePair({ seq: 11, entity: 'server', subject: 'a server' }),
        frame('detection', makeDetection({ title: 'found' })),
      ],
    });
    await rowsOf(page, 'server').waitFor();
    const walk = ['j', 's3', 'ArrowDown', 's2', 'j', 's1', 'j', 's1', 'k', 's2', 'ArrowRight', 'a server', 'h', 's3'];
    const more = ['End', 's1', 'Home', 's3', 'ArrowUp', 'found', 'ArrowDown', 's3', 'l', 'a server', 'l', 'a server'];
    const steps = [...walk, ...more];
    for (let index = 0; index < steps.length; index += 2) {
      await page.keyboard.press(steps[index]!);
      expect(await focusedSubject(page), `after ${steps.slice(0, index + 1).join(' ')}`).toBe(steps[index + 1]);
    }
    const outline =
      'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth';
    expect(await page.evaluate(outline)).toBe('solid2px');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
  });

  test('the focus stays with its row while new ones arrive, and moves on when it is pushed out', async () => {
    const { log, page } = await open({ records: makeRows(200) });
    await rowsOf(page, 'server').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('End');
    await page.keyboard.press('k');
    expect(await focusedSubject(page)).toBe('s2');
    await log.append(framePair({ seq: 201, subject: 's201' }));
    await expect.poll(async () => (await subjectsOf(page, 'server'))[0]).toBe('s201');
    expect(await focusedSubject(page)).toBe('s2');
    await log.append(framePair({ seq: 202, subject: 's202' }));
    await expect.poll(async () => (await subjectsOf(page, 'server'))[0]).toBe('s202');
    expect(await focusedSubject(page)).toBe('s3');
  });

  test('Tab enters each list once', async () => {
    const { page } = await open({
      records: [...makeRows(5, 'account'), ...framePair({ seq: 9, subject: 'a server' })],
    });
    await rowsOf(page, 'account').first().waitFor();
    await page.locator('#help').focus();
    await page.keyboard.press('Tab');
    expect(await focusedSubject(page)).toBe('s5');
    await page.keyboard.press('Tab');
    expect(await focusedSubject(page)).toBe('a server');
  });

  test('typing in the filter is no command', async () => {
    const { page } = await open({ records: makeRows(1) });
    await page.locator('#account').fill('');
    await page.locator('#account').pressSequentially('pjk ?');
    expect(await page.locator('#state').textContent()).toBe('Live');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  test('? lists the keys, Escape closes the list', async () => {
    const { page } = await open();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });
});
