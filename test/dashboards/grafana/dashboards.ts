/** The dashboards as they are mounted into Grafana, taken apart. */
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../../dashboards/grafana/', import.meta.url);

export interface Source {
  type?: string;
  uid?: string;
}

/** A panel's, an annotation's or a variable's. */
export interface Target {
  refId: string;
  datasource?: Source;
  hide?: boolean;
  editorType?: string;
  format?: number;
  rawSql?: string;
  expr?: string;
  legendFormat?: string;
}

export interface PanelModel {
  id: number;
  type: string;
  title: string;
  description?: string;
  interval?: string;
  datasource?: Source;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  fieldConfig?: {
    defaults: { unit?: string };
    overrides?: { matcher: { id: string; options?: unknown }; properties: { id: string; value?: unknown }[] }[];
  };
  panels?: PanelModel[];
}

export interface LinkModel {
  title: string;
  url: string;
  keepTime: boolean;
  includeVars: boolean;
}

export interface VariableModel {
  name: string;
  type: string;
  datasource?: Source;
  query: string | { rawSql?: string; query?: string; editorType?: string };
  definition?: string;
  label?: string;
}

export interface DashboardModel {
  id: null;
  uid: string;
  title: string;
  description: string;
  tags: string[];
  graphTooltip: number;
  schemaVersion: number;
  links: LinkModel[];
  annotations: { list: { name: string; datasource?: Source; expr?: string; target: Target }[] };
  templating: { list: VariableModel[] };
  panels: PanelModel[];
}

/** By file name, without its ending. */
export const dashboards: ReadonlyMap<string, DashboardModel> = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => [name.slice(0, -'.json'.length), JSON.parse(readDashboard(name)) as DashboardModel]),
);

/** Text of a dashboard's file. */
export function readDashboard(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

/** Panels with those that lie in rows. */
export function panelsOf(dashboard: DashboardModel): PanelModel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

export interface Query {
  /** Where it stands: `panel <title>/<refId>`, `annotation <name>` or `variable <name>`. */
  name: string;
  sql: string;
  /** The result is drawn over time, so it must have the columns for it. */
  series: boolean;
}

/** Every query of a dashboard that goes to ClickHouse. */
export function clickhouseQueries(dashboard: DashboardModel): Query[] {
  const { annotations, templating } = dashboard;
  const panels = panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, rawSql, format }) => ({
      name: `panel ${title}/${refId}`,
      sql: rawSql,
      series: format === 0,
    })),
  );
  const marks = annotations.list.map(({ name, target }) => ({
    name: `annotation ${name}`,
    sql: target.rawSql,
    series: false,
  }));
  const variables = templating.list
    .filter(({ type }) => type === 'query')
    .map(({ name, query }) => ({
      name: `variable ${name}`,
      sql: typeof query === 'string' ? undefined : query.rawSql,
      series: false,
    }));
  return [...panels, ...marks, ...variables].filter((query): query is Query => query.sql !== undefined);
}

export interface PrometheusQuery {
  name: string;
  expression: string;
  legend?: string | undefined;
}

/** Every expression of a dashboard that goes to Prometheus. */
export function prometheusQueries(dashboard: DashboardModel): PrometheusQuery[] {
  const panels = panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr, legendFormat }) => ({
      name: `panel ${title}/${refId}`,
      expression: expr,
      legend: legendFormat,
    })),
  );
  const marks = dashboard.annotations.list.map(({ name, target }) => ({
    name: `annotation ${name}`,
    expression: target.expr,
  }));
  const variables = dashboard.templating.list.map(({ name, query }) => {
    const asked = typeof query === 'string' ? undefined : query.query;
    // label_values(metric, label) lists the values of a label.
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(asked ?? '') ?? [];
    if (asked !== undefined && label === undefined)
      throw new Error(`Cannot read the query of variable ${name}: ${asked}`);
    return { name: `variable ${name}`, expression: label && `count by (${label}) (${metric})` };
  });
  return [...panels, ...marks, ...variables].filter(
    (query): query is PrometheusQuery => query.expression !== undefined,
  );
}
