/** What a check has found. */

export interface Finding {
  check: string;
  status: 'ok' | 'warn' | 'fail';
  what: string;
  /** What to do; empty where all is well. */
  todo: string;
}

export interface Findings {
  ok(what: string): Finding;
  /** Deliveries come in, or may; something should be looked at. */
  warn(what: string, todo: string): Finding;
  /** Deliveries are lost, or never come. */
  fail(what: string, todo: string): Finding;
}

export function findingsOf(check: string): Findings {
  return {
    ok: (what) => ({ check, status: 'ok', what, todo: '' }),
    warn: (what, todo) => ({ check, status: 'warn', what, todo }),
    fail: (what, todo) => ({ check, status: 'fail', what, todo }),
  };
}

/** A line for each, and one more for what to do. */
export function describeFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .map(({ check, status, what, todo }) => {
      const indent = `\n${' '.repeat(width + 8)}`;
      const line = `${status.padEnd(6)}${check.padEnd(width + 2)}${what.replaceAll('\n', indent)}`;
      return todo === '' ? line : `${line}${indent}→ ${todo}`;
    })
    .join('\n');
}
