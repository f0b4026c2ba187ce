import { readFileSync } from 'node:fs';

/** What the sender wrote down, by the number of the delivery. */
export interface SenderLedger {
  /** SHA-256 of the body. */
  sent: Map<number, string>;
  answered: Map<number, { status: number; id: string }>;
  /** No answer: it may have arrived, or not. */
  failed: Map<number, string>;
}

export function readLedger(file: string): SenderLedger {
  const ledger: SenderLedger = { sent: new Map(), answered: new Map(), failed: new Map() };
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const [what, number, first = '', second = ''] = line.split(' ');
    const n = Number(number);
    if (what === 'sent') ledger.sent.set(n, first);
    else if (what === 'answered') ledger.answered.set(n, { status: Number(first), id: second });
    else if (what === 'failed') ledger.failed.set(n, first);
    else throw new Error(`Cannot read the sender's ledger: ${line}`);
  }
  return ledger;
}

/** A row of hookwatch.deliveries, as far as the sender knows it. */
export interface StoredDelivery {
  id: string;
  sha256: string;
}

/**
 * What contradicts "each 202 exactly once, anything sent at most once, nothing that was not sent".
 * Empty when the ledger and the rows agree.
 */
export function findContradictions({ sent, answered }: SenderLedger, rows: readonly StoredDelivery[]): string[] {
  const found: string[] = [];
  const byId = Map.groupBy(rows, ({ id }) => id);
  const byHash = Map.groupBy(rows, ({ sha256 }) => sha256);
  const numbers = new Map([...sent].map(([n, sha256]) => [sha256, n]));
  if (numbers.size !== sent.size) found.push('two deliveries were sent with the same body: the ledger tells nothing');
  for (const [n, { status, id }] of answered) {
    if (status !== 202) continue;
    const stored = byId.get(id) ?? [];
    if (stored.length !== 1) found.push(`${n} was answered 202 ${id}: ${stored.length} rows have that id`);
    else if (stored[0]!.sha256 !== sent.get(n)) found.push(`${n} was answered 202 ${id}: the row has another body`);
  }
  for (const [sha256, stored] of byHash) {
    const n = numbers.get(sha256);
    if (n === undefined) found.push(`${stored[0]!.id} was never sent`);
    else if (stored.length > 1) found.push(`${n} was sent once: ${stored.length} rows have its body`);
  }
  return found;
}
