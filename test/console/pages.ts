import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { type ConsoleOptions, createConsole } from '../../services/console/console.ts';
import type { Log, NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { launchChromium, serveConsole } from './browser.ts';
import { framePair } from './fixtures.ts';

export interface Given {
  records?: NewRecord[];
  context?: BrowserContextOptions;
  /** The end of the page's address. */
  hash?: string;
}

/** Starts a browser for the file that calls it. */
export function usePages() {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  async function openPage(url: string, options: BrowserContextOptions): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const errors: unknown[] = [];
    page.on('pageerror', (error) => errors.push(error));
    onTestFinished(() => expect(errors).toEqual([]));
    await page.goto(url);
    await page.locator('#state[data-state=live]').waitFor();
    return page;
  }

  return {
    /** A console over a memory log, and a page that shows it. The test fails if the page reports an error. */
    async open({ records = [], context = {}, hash = '' }: Given = {}) {
      const log = createMemoryLog();
      await log.append(records);
      const web = await serve(log);
      return { log, web, page: await openPage(`${web.url}/${hash}`, context) };
    },
    /** The page of coverage over what workers say. */
    async openCoverage(
      given: Pick<ConsoleOptions, 'lanes' | 'routes'>,
      { context = {}, hash = '' }: Omit<Given, 'records'> = {},
    ) {
      const web = await serve(createMemoryLog(), 0, given);
      return openPage(`${web.url}/coverage${hash}`, context);
    },
  };
}

/** A console over a log, until the test ends; port 0 lets the system choose. */
export async function serve(log: Log, port = 0, more: Partial<ConsoleOptions> = {}) {
  const console = createConsole({ ...more, outputs: log, pollIntervalMs: 5, flushIntervalMs: 10 });
  await console.start();
  const web = await serveConsole(console, port);
  onTestFinished(() => web.stop());
  return web;
}

export const rowsOf = (page: Page, column: string) => page.locator(`#column-${column} .row`);

export const subjectsOf = (page: Page, column: string) => page.locator(`#column-${column} .subject`).allTextContents();

/** What the row that has the focus is about. */
export const focusedSubject = (page: Page) => page.locator('.row:focus .subject, .row:focus .title').textContent();

/** Rows of one column, the newest called s<count>. */
export function makeRows(count: number, entity = 'server'): NewRecord[] {
  return Array.from({ length: count }, (_, index) => {
    return framePair({ seq: index + 1, entity, subject: `s${index + 1}` });
  }).flat();
}
