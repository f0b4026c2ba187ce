/**
 * Just enough of ClickHouse's lexer to find where an INSERT's data begins and which FORMAT a query asks for. Nothing
 * that protects anything depends on reading a stranger's text: rights are the engine's, statements are counted by its
 * own parser, and `namesIn` reads what its own formatter wrote.
 */

/** An INSERT that brings its data. The data is what follows FORMAT's name, or VALUES. */
export interface InsertStatement {
  /** `INSERT INTO t (a, b)` */
  target: string;
  /** `SETTINGS x = 1`, or empty. */
  settings: string;
  /** `Avro`; `Values` for VALUES. */
  format: string;
  /** Where the data begins. */
  dataOffset: number;
}

interface Word {
  text: string;
  start: number;
  end: number;
}

const whitespace = /[\s\0]+/y;
const comment = /--[^\n]*|#[ !][^\n]*|\/\*.*?(?:\*\/|$)/sy;
const quoted = /'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.|"")*"?|`(?:[^`\\]|\\.|``)*`?/sy;
const heredocTag = /\$\w*\$/y;
const word = /[\w.]+/y;

/** The words outside of brackets, quotes and comments. Expects one character per byte (latin1) to be offsets. */
function* outerWords(text: string): Generator<Word> {
  let depth = 0;
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  while (at < text.length) {
    if (take(whitespace) || take(comment)) continue;
    const start = at;
    if (take(heredocTag)) {
      const close = text.indexOf(text.slice(start, at), at);
      if (close < 0) return;
      at = close + at - start;
    } else if (take(quoted)) {
      // A quoted name is no keyword, but it ends what came before.
      if (depth === 0) yield { text: '', start, end: at };
    } else if (take(word)) {
      if (depth === 0) yield { text: text.slice(start, at).toUpperCase(), start, end: at };
    } else {
      const character = text[at++]!;
      if ('([{'.includes(character)) depth++;
      else if (')]}'.includes(character)) depth--;
    }
  }
}

/** The parts of `INSERT … FORMAT x <data>` or `INSERT … VALUES <data>`; undefined for every other text. */
export function splitInsert(text: string): InsertStatement | undefined {
  let first = true;
  let settings: Word | undefined;
  let format = false;
  const part = (end: number) => ({
    target: text.slice(0, settings?.start ?? end),
    settings: settings ? text.slice(settings.start, end) : '',
  });
  let formatStart = 0;
  for (const current of outerWords(text)) {
    if (first && current.text !== 'INSERT') return undefined;
    first = false;
    if (format) {
      const name = text.slice(current.start, current.end);
      return { ...part(formatStart), format: name, dataOffset: skipToData(text, current.end) };
    }
    if (current.text === 'SELECT' || current.text === 'WITH' || current.text === 'WATCH') return undefined;
    if (current.text === 'VALUES') return { ...part(current.start), format: 'Values', dataOffset: current.end };
    if (current.text === 'SETTINGS') settings = current;
    if (current.text === 'FORMAT') {
      format = true;
      formatStart = current.start;
    }
  }
  return undefined;
}

/** Data starts behind the first newline if there is one, else behind the blanks. */
function skipToData(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\f') at++;
  if (text[at] === '\r') at++;
  if (text[at] === '\n') at++;
  return at;
}

/** The format that the query itself asks for: the name behind its last FORMAT. */
export function formatClause(sql: string): string | undefined {
  let name: string | undefined;
  let previous = '';
  for (const { text, start, end } of outerWords(sql)) {
    if (previous === 'FORMAT' && text !== '') name = sql.slice(start, end);
    previous = text;
  }
  return name;
}

/**
 * Every name in a query that the engine's formatter wrote: keywords, functions, columns, aliases. It drops comments,
 * undoes whatever way of quoting there was, and escapes with backslashes.
 */
export function namesIn(formatted: string): Set<string> {
  const tokens = /'[^'\\]*(?:\\.[^'\\]*)*'|`[^`\\]*(?:\\.[^`\\]*)*`|"[^"\\]*(?:\\.[^"\\]*)*"|[\w$]+/gs;
  const names = new Set<string>();
  for (const [token] of formatted.matchAll(tokens)) {
    if (token.startsWith("'")) continue;
    names.add(/^[`"]/.test(token) ? token.slice(1, -1) : token);
  }
  return names;
}
