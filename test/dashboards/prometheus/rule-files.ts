/** Rules and their cases as dashboards/prometheus has them, and copies of them with one thing changed. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const repository = fileURLToPath(new URL('../../..', import.meta.url));
export const folder = join(repository, 'dashboards/prometheus');

export interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  keep_firing_for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
export interface RuleFile {
  groups: { name: string; interval?: string; rules: Rule[] }[];
}
export interface Case {
  input_series: { series: string; values: string }[];
  alert_rule_test?: { alertname: string; eval_time: string; exp_alerts?: { exp_labels?: Record<string, string> }[] }[];
  promql_expr_test?: { expr: string }[];
}

/** Files of a kind, by name. */
function readAll<T>(pattern: string): Map<string, T> {
  const paths = globSync(pattern, { cwd: folder }).sort();
  return new Map(paths.map((path) => [basename(path), parse(readFileSync(join(folder, path), 'utf8')) as T]));
}

export const ruleFiles = readAll<RuleFile>('rules/*.yml');
export const rules = [...ruleFiles.values()].flatMap(({ groups }) => groups.flatMap((group) => group.rules));
export const caseFiles = readAll<{ tests: Case[] }>('tests/*.test.yml');
export const cases = [...caseFiles.values()].flatMap(({ tests }) => tests);

/** A change of a rule that its cases should notice. */
export interface Mutation {
  rule: string;
  what: string;
  change(rule: Rule): void;
}

/** Of zeros and ones the highest is 0 where their sum is: which of the two is taken shows in no alert. */
const ofFlags = new Set(['LaneNotWorking', 'LaneWithoutWorker', 'EndpointSilent']);

/** Each rule with each of its thresholds, selectors, durations and labels changed, one at a time. */
export function mutationsOf(rule: Rule): Mutation[] {
  const name = rule.alert ?? rule.record!;
  const made: Mutation[] = [];
  const add = (what: string, change: Mutation['change']) => made.push({ rule: name, what, change });
  for (const { what, expr } of changedExpressions(rule.expr)) {
    if (what.startsWith('max by') && ofFlags.has(name)) continue;
    add(what, (changed) => {
      changed.expr = expr;
    });
  }
  for (const key of ['for', 'keep_firing_for'] as const) {
    if (rule[key] === undefined) continue;
    add(`without ${key}`, (changed) => {
      delete changed[key];
    });
    add(`${key} twice as long`, (changed) => {
      changed[key] = rule[key]!.replace(/\d+/, (digits) => String(Number(digits) * 2));
    });
  }
  for (const key of Object.keys(rule.labels ?? {})) {
    add(`another ${key}`, (changed) => {
      changed.labels = { ...rule.labels, [key]: 'other' };
    });
  }
  return made;
}

/** The expression with one place changed, each in turn. */
function changedExpressions(expr: string): { what: string; expr: string }[] {
  const changes: [RegExp, (one: string, two: string) => string[]][] = [
    // Thresholds: a little higher, a little lower, and the comparison turned around.
    [/([<>]|[=!]=) (\d+(?:\.\d+)?)/g, (sign, digits) => thresholds(sign, digits)],
    // No selector, and without each alternative of one.
    [/\{([^{}]+)\}/g, () => ['']],
    [/=~"([^"]+)"/g, alternatives],
    [/\bmax by/g, () => ['sum by']],
    [/\babs\(/g, () => ['(']],
    [/\[(\d+)([smhd])\]/g, (digits, unit) => [`[${Number(digits) * 3}${unit}]`]],
    [/0\.99\b/g, () => ['0.9']],
  ];
  const others = [...expr.matchAll(/ (unless|or|and) /g)].map(({ index, 0: found }) => ({
    what: `without what follows ${found.trim()} at ${index}`,
    expr: expr.slice(0, index) + expr.slice(endOfOperand(expr, index)),
  }));
  const places = changes.flatMap(([pattern, replace]) =>
    [...expr.matchAll(pattern)].flatMap((match) => {
      const [found, one = '', two = ''] = match;
      return replace(one, two).map((to) => ({
        what: `${found} at ${match.index} → ${to || 'nothing'}`,
        expr: expr.slice(0, match.index) + to + expr.slice(match.index + found.length),
      }));
    }),
  );
  return [...places, ...others];
}

/** Where the parenthesis closes within which the place is; else the end. */
function endOfOperand(expr: string, from: number): number {
  let depth = 0;
  for (let at = from; at < expr.length; at++) {
    if (expr[at] === '(') depth++;
    if (expr[at] === ')' && depth-- === 0) return at;
  }
  return expr.length;
}

function thresholds(sign: string, digits: string): string[] {
  const value = Number(digits);
  const turned: Record<string, string> = { '>': '<=', '<': '>=', '==': '!=', '!=': '==' };
  // None, or one, is a count: a tenth more or less of it says the same.
  const step = value === 0 || value === 1 ? 1.5 : value / 10;
  const moved = sign === '>' || sign === '<' ? [value + step, value - step] : [];
  return [...moved.map((other) => `${sign} ${other}`), `${turned[sign]} ${digits}`];
}

function alternatives(list: string): string[] {
  const parts = list.split('|');
  return parts.map((without) => `=~"${parts.filter((part) => part !== without).join('|')}"`);
}
