/** What a PromQL expression reads: as much of its grammar as that takes. Whether it parses is promtool's to say. */

export interface Selector {
  metric: string;
  /** Labels that are matched. */
  labels: string[];
}

export interface Reads {
  selectors: Selector[];
  /** Labels of `by`, `on` and the like. */
  grouping: string[];
  /** Metrics whose rate is taken. */
  rated: string[];
}

const groupings = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const words = new Set([...groupings, 'and', 'or', 'unless', 'offset', 'bool', 'inf', 'nan']);
const rates = new Set(['rate', 'irate', 'increase']);

export function readsOf(expression: string): Reads {
  // Texts, ranges and numbers name nothing.
  const tokens: string[] = expression.match(/"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[A-Za-z_:][\w:]*|\d[\w.]*|[^\s\w]/g) ?? [];
  const reads: Reads = { selectors: [], grouping: [], rated: [] };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const next = tokens[at + 1] ?? '';
    if (!/^[A-Za-z_:]/.test(token)) continue;
    if (groupings.has(token) && next === '(') {
      const end = tokens.indexOf(')', at);
      reads.grouping.push(...tokens.slice(at + 2, end).filter((name) => name !== ','));
      at = end;
    } else if (next !== '(' && !words.has(token) && !groupings.has(next)) {
      const end = next === '{' ? tokens.indexOf('}', at) : at;
      const labels = tokens
        .slice(at + 2, end)
        .filter((name, index, all) => /^\w+$/.test(name) && isMatched(all[index + 1]));
      reads.selectors.push({ metric: token, labels });
      if (rates.has(tokens[at - 2] ?? '') && tokens[at - 1] === '(') reads.rated.push(token);
      at = end;
    }
  }
  return reads;
}

const isMatched = (operator: string | undefined) => operator === '=' || operator === '!';
