import { describe, expect, test } from 'vitest';
import { eventId, frame, framePair, frameRejected, makeDetection } from './fixtures.ts';
import { subjectsOf, usePages } from './pages.ts';

const { open } = usePages();

describe('hostile input', () => {
  const attacks = [
    '<img src=x onerror="window.harmed=1">',
    '<script>window.harmed=1</script>',
    '"><svg onload=window.harmed=1>',
    "javascript:window.harmed=1//';</style>",
    '\u202Egnp.exe',
  ];

  test.each(attacks)('stays text everywhere: %s', async (attack) => {
    const event = { seq: 1, subject: attack, account: `centurylink:${attack}`, action: attack, flags: [attack] };
    const delivery = {
      body: Buffer.from(JSON.stringify({ [attack]: attack })),
      headers: { [attack]: attack, 'tier3-rsasha1': attack },
      endpoint: attack,
      key_id: attack,
    };
    const { page } = await open({
      records: [
        ...framePair(event, delivery),
        frame('detection', makeDetection({ title: attack, account: attack, subjects: [attack], events: [eventId(1)] })),
        ...frameRejected({ seq: 2, reason: attack, detail: attack }, { body: Buffer.from(attack) }),
      ],
    });
    const count = () => page.locator('img, svg, script, style, iframe').count();
    const before = await count();
    expect(await subjectsOf(page, 'server')).toEqual([attack]);
    for (const list of ['server', 'user', 'detections']) {
      await page.locator(`[data-list=${list}] .row`).click();
      await page.locator('#panel-body:not([aria-busy]) .verdict-box').waitFor();
      expect(await page.locator('#panel').textContent()).toContain(attack);
      await page.keyboard.press('Escape');
    }
    expect(await count()).toBe(before);
    expect(await page.evaluate('window.harmed')).toBeUndefined();
  });

  test('the policy would stop what text handling missed', async () => {
    const { page } = await open();
    const inject = `
      const script = document.createElement('script');
      script.textContent = 'window.harmed = 1';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="window.harmed = 1">');
      new Promise((resolve) => document.addEventListener('securitypolicyviolation', () => resolve('stopped')));
    `;
    expect(await page.evaluate(inject)).toBe('stopped');
    expect(await page.evaluate('window.harmed')).toBeUndefined();
  });
});
