/**
 * What Grafana and its ClickHouse plug-in make of a query before ClickHouse sees it: a table of facts.
 *
 * Sources, in this order of what they do:
 * - `$__conditionalAll` and the macros below: the plug-in's documentation, docs/sources/query-editor.md, "Macros"
 *   (github.com/grafana/clickhouse-datasource), whose output examples stand in macros.test.ts; seconds are rounded down
 *   and an interval is at least 1 s (pkg/macros/macros.go there).
 * - `${name:singlequote}`: Grafana's documentation, "Advanced variable format options": each value in single quotes,
 *   single quotes within escaped by a backslash, values joined by commas.
 */

/** Selected values of the dashboard's variables; `all` where All is selected, as it is when a dashboard is opened. */
export type Selection = Record<string, readonly string[] | 'all'>;

export interface Panel {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  intervalMs: number;
}

const seconds = (ms: number) => Math.floor(ms / 1000);
const dateTime = (ms: number) => `toDateTime(${seconds(ms)})`;
const dateTime64 = (ms: number) => `fromUnixTimestamp64Milli(${ms})`;
const date = (ms: number) => `toDate('${new Date(ms).toISOString().slice(0, 10)}')`;
const intervalSeconds = ({ intervalMs }: Panel) => Math.max(1, seconds(intervalMs));
const between = (column: string, from: string, to: string) => `${column} >= ${from} AND ${column} <= ${to}`;

/** Number of arguments and what it stands for. */
const macros: Record<string, { arity: number; expand(panel: Panel, ...args: string[]): string }> = {
  fromTime: { arity: 0, expand: ({ from }) => dateTime(from) },
  toTime: { arity: 0, expand: ({ to }) => dateTime(to) },
  fromTime_ms: { arity: 0, expand: ({ from }) => dateTime64(from) },
  toTime_ms: { arity: 0, expand: ({ to }) => dateTime64(to) },
  timeFilter: { arity: 1, expand: ({ from, to }, column = '') => between(column, dateTime(from), dateTime(to)) },
  timeFilter_ms: { arity: 1, expand: ({ from, to }, column = '') => between(column, dateTime64(from), dateTime64(to)) },
  dateFilter: { arity: 1, expand: ({ from, to }, column = '') => between(column, date(from), date(to)) },
  timeInterval: {
    arity: 1,
    expand: (panel, column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalSeconds(panel)} second)`,
  },
  timeInterval_ms: {
    arity: 1,
    expand: ({ intervalMs }, column) =>
      `toStartOfInterval(toDateTime64(${column}, 3), INTERVAL ${Math.max(1, intervalMs)} millisecond)`,
  },
  interval_s: { arity: 0, expand: (panel) => String(intervalSeconds(panel)) },
};

/**
 * The query as ClickHouse gets it.
 * @throws Error for a macro, variable or format that is not in the table above: what it would become is not known here.
 */
export function expand(sql: string, panel: Panel, selection: Selection): string {
  const chosen = replaceCalls(sql, 'conditionalAll', (args) => {
    const [condition, variable] = args;
    const name = /^\$\{?(\w+)\}?$/.exec(variable ?? '')?.[1];
    if (args.length !== 2 || condition === undefined || name === undefined) {
      throw new Error(`Cannot expand $__conditionalAll(${args.join(', ')}): it takes a condition and a variable`);
    }
    return valuesOf(selection, name) === 'all' ? '1=1' : condition;
  });
  const interpolated = chosen.replace(/\$\{(\w+):(\w+)\}/g, (_, name: string, format: string) => {
    const values = valuesOf(selection, name);
    if (format !== 'singlequote' || values === 'all') throw new Error(`Cannot expand \${${name}:${format}}`);
    return values.map((value) => `'${value.replaceAll("'", "\\'")}'`).join(',');
  });
  const names = Object.keys(macros).sort((a, b) => b.length - a.length);
  const expanded = names.reduce((text, name) => expandMacro(text, name, panel), interpolated);
  const left = /\$(?:\w+|\{[^}]*\})/.exec(expanded);
  if (left) throw new Error(`Cannot expand ${left[0]}: no such macro or variable`);
  return expanded;
}

function valuesOf(selection: Selection, name: string): readonly string[] | 'all' {
  const values = selection[name];
  if (values === undefined) throw new Error(`Cannot expand $${name}: the dashboard has no such variable`);
  return values;
}

function expandMacro(sql: string, name: string, panel: Panel): string {
  const { arity, expand: make } = macros[name]!;
  if (arity === 0) return sql.replaceAll(new RegExp(`\\$__${name}(?![A-Za-z0-9_])`, 'g'), () => make(panel));
  return replaceCalls(sql, name, (args) => {
    if (args.length !== arity)
      throw new Error(`Cannot expand $__${name}: it takes ${arity} arguments, not ${args.length}`);
    return make(panel, ...args);
  });
}

/** Replaces each `$__name(…)`; parentheses within arguments are balanced, quotes are not looked at, as in the plug-in. */
function replaceCalls(sql: string, name: string, replace: (args: string[]) => string): string {
  const head = `$__${name}(`;
  const start = sql.lastIndexOf(head);
  if (start < 0) return sql;
  const args: string[] = [];
  let depth = 1;
  let from = start + head.length;
  let at = from;
  for (; at < sql.length; at++) {
    const character = sql[at];
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth > 0 && (depth > 1 || character !== ',')) continue;
    args.push(sql.slice(from, at).trim());
    from = at + 1;
    if (depth === 0) break;
  }
  if (depth > 0) throw new Error(`Cannot expand ${head}…: it is not closed`);
  return replaceCalls(`${sql.slice(0, start)}${replace(args)}${sql.slice(at + 1)}`, name, replace);
}
