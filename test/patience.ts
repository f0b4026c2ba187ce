/** What a test waits for comes when it comes: on a busy machine later than vitest's second. Tests that need longer say so. */
import { vi } from 'vitest';

const timeout = 15_000;
const { waitFor, waitUntil } = vi;

vi.waitFor = (callback, options) => waitFor(callback, withPatience(options));
vi.waitUntil = (callback, options) => waitUntil(callback, withPatience(options));

type Options = Parameters<typeof waitFor>[1];

function withPatience(options: Options): Options {
  return typeof options === 'number' ? options : { timeout, ...options };
}
