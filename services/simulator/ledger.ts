import { closeSync, openSync, writeSync } from 'node:fs';
import type { Item } from './item.ts';

/**
 * The sender's own account of what it did, one line per fact, to be held against what arrived:
 *
 *     sent <n> <event> <account> <subject> <sha256 of the body>     before the request leaves
 *     answered <n> <status> <id, or - when the answer has none>
 *     failed <n> <code>                                             no answer: it may have arrived, or not
 *
 * `n` counts from 1 within a run. No field holds a space. Each line has reached the operating system before the call
 * returns, so it survives the sender's own death (not the machine's).
 */
export interface Ledger {
  sent(number: number, item: Item, sha256: string): void;
  answered(number: number, status: number, id: string): void;
  failed(number: number, code: string): void;
  close(): void;
}

/** Appends to `path`, which is made if absent. */
export function openLedger(path: string): Ledger {
  const file = openSync(path, 'a', 0o600);
  const write = (...fields: (string | number)[]) => {
    writeSync(file, `${fields.join(' ')}\n`);
  };
  return {
    sent: (number, item, sha256) => write('sent', number, item.event, item.account, item.subject, sha256),
    answered: (number, status, id) => write('answered', number, status, id || '-'),
    failed: (number, code) => write('failed', number, code),
    close: () => closeSync(file),
  };
}
