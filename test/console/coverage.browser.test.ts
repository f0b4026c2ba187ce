import { Hono } from 'hono';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { LaneReport } from '../../services/core/flow/report.ts';
import { usePages } from './pages.ts';

const { openCoverage } = usePages();
const now = Date.UTC(2026, 4, 4, 12);
const hostile = '<img src=x onerror="window.harmed=1">';

function report(fields: Partial<LaneReport> = {}): LaneReport {
  return {
    position: 1,
    watermark: now,
    coverage: { rows: [], count: 0 },
    losses: { rows: [], count: 0 },
    comparisons: { rows: [], count: 0 },
    backups: { rows: [], count: 0 },
    ...fields,
  };
}

const full = report({
  coverage: {
    rows: [
      { account: 'centurylink:ACME', state: 'blind', reasons: ['no_edge'], since: now - 60_000 },
      { account: 'citrix:ACME', state: 'unknown', reasons: ['not_measured'], since: now - 60_000 },
    ],
    count: 7,
  },
  losses: {
    rows: [{ endpoint: 'acme-servers', other: 'all-servers', account: 'centurylink:ACME', both: 97, alone: 3 }],
    count: 1,
  },
  comparisons: {
    rows: [
      {
        account: 'centurylink:ACME',
        run: 'run-1',
        startedAt: now - 7_200_000,
        completedAt: now - 7_100_000,
        bootstrap: false,
        servers: 1_204,
        missed: { creations: 1, changes: 2, deletions: 0 },
        byEndpoint: { 'server-created': 1, 'server-updated': 2 },
      },
    ],
    count: 1,
  },
  backups: {
    rows: [
      {
        account: 'backup:ACME',
        server: hostile,
        policy: 'daily - all',
        state: 'failing',
        lastSuccessAt: null,
        lastReportAt: now - 86_400_000,
        failures: 3,
        missed: 0,
      },
    ],
    count: 1,
  },
});

/** A worker's answers, as they are now. */
function lanesOf(reports: Record<string, LaneReport | undefined>) {
  const routes = new Hono();
  routes.get('/lanes/:tenant/report', (c) => {
    const found = reports[c.req.param('tenant')];
    return found ? c.json(found) : c.json({ error: 'not here' }, 404);
  });
  return { lanes: () => Object.fromEntries(Object.keys(reports).map((tenant) => [tenant, {}])), routes };
}

const rows = (page: Page, name: string) =>
  page
    .getByRole('table', { name })
    .locator('tbody tr')
    .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));

test('each part says what is known, what was missed, and where all of it is', async () => {
  const page = await openCoverage(lanesOf({ northwind: full }));
  expect(await rows(page, 'Coverage')).toEqual([
    ['centurylink:ACME', 'blind', '2026-05-04 11:59', 'no edge'],
    ['citrix:ACME', 'unknown', '2026-05-04 11:59', 'not measured'],
  ]);
  expect(await rows(page, 'Lost deliveries')).toEqual([
    ['acme-servers', 'all-servers', 'centurylink:ACME', '97', '3', '3.0 %'],
  ]);
  expect(await rows(page, 'Reconciliation')).toEqual([
    ['centurylink:ACME', 'whole', '2 h', '1,204', '1', '2', '0', 'server-created 1, server-updated 2'],
  ]);
  expect(await rows(page, 'Backups that need a look')).toEqual([
    ['backup:ACME', hostile, 'daily - all', 'failing', 'never', '1 d', '3', '0'],
  ]);
  await page.getByText('2 of 7. With their history: SELECT * FROM hookwatch.coverage').waitFor();
  expect(await page.evaluate('window.harmed')).toBeUndefined();
});

test('what is not known yet is said, and a lane that nobody works on', async () => {
  const page = await openCoverage(lanesOf({ northwind: report(), other: undefined }));
  await page.getByText('Nothing was compared with a provider yet: hookwatch reconcile does it.').waitFor();
  await page.getByText('Nobody works on this lane now.').waitFor();
  expect(await page.getByRole('table').count()).toBe(0);
});

test('the filter is kept in the address, and Escape clears it', async () => {
  const page = await openCoverage(lanesOf({ northwind: full }), { hash: '#account=citrix' });
  expect(await rows(page, 'Coverage')).toHaveLength(1);
  expect(await page.getByRole('table').count()).toBe(1);
  await page.keyboard.press('/');
  await page.keyboard.press('Escape');
  expect(await rows(page, 'Coverage')).toHaveLength(2);
  expect(new URL(page.url()).hash).toBe('');
});

test('what changes is drawn, and the focus stays', async () => {
  const reports = { northwind: full };
  const page = await openCoverage(lanesOf(reports));
  const table = page.getByRole('region', { name: 'Coverage' });
  await table.focus();
  const good: LaneReport['coverage']['rows'] = [
    { account: 'centurylink:ACME', state: 'good', reasons: [], since: now },
  ];
  reports.northwind = report({ coverage: { rows: good, count: 1 } });
  await page.getByText('good', { exact: true }).waitFor();
  expect(await table.evaluate((element) => element.matches(':focus'))).toBe(true);
});

describe('screens', () => {
  test.each([
    { width: 360, height: 640 },
    { width: 390, height: 844 },
    { width: 1024, height: 768 },
    { width: 1440, height: 900 },
  ])('$width x $height: nothing is wider than the screen', async (viewport) => {
    const page = await openCoverage(lanesOf({ northwind: full }), { context: { viewport } });
    await page.getByRole('table').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });
});
