/** What the simulator says that ClickHouse must answer, from what it prints. */

export interface PrintedCheck {
  what: string;
  /** In the order in which both are written: names and numbers, without the words between them. */
  expected: string[];
  sql: string;
}

/** `# <what>: expect <answer>`, and behind it a command that asks. */
export function readChecks(printed: string): PrintedCheck[] {
  const found = printed.matchAll(/^ {2}# (.+): expect (.+)\n {2}curl '[^']*\?query=([^'&]+)/gm);
  return [...found].map(([, what = '', answer = '', query = '']) => ({
    what,
    expected: answer === 'none' ? [] : factsOf(answer.replaceAll(/[,;]|\bcount\b/g, ' ')),
    sql: decodeURIComponent(query),
  }));
}

/** Of rows as ClickHouse prints them, or of the simulator's words; a count of zero has no row. */
export function factsOf(text: string): string[] {
  const words = text
    .toLowerCase()
    .replaceAll('centurylink.', '')
    // The one event whose type is another word.
    .replaceAll('alert.notified', 'alert.notification')
    .split(/\s+/)
    .filter(Boolean);
  return words.filter((word, index) => word !== '0' && words[index + 1] !== '0');
}
