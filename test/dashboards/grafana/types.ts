/**
 * A dashboard as it stands in JSON, by the types of Grafana's foundation SDK, which are generated from Grafana's schemas:
 * each panel with the options and field settings of its kind, each query with those of its data source.
 */
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as table from '@grafana/grafana-foundation-sdk/table';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

/** As JSON has it: enums of texts are texts, and there are no methods. */
type Json<T> = 0 extends 1 & T
  ? T
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends readonly (infer Element)[]
        ? Json<Element>[]
        : { [Key in keyof T as T[Key] extends (...args: never[]) => unknown ? never : Key]: Json<T[Key]> };

/** An object type with some properties made anew. */
type With<T, Changed> = Omit<T, keyof Changed> & Changed;

/**
 * A query of the ClickHouse plug-in, written as SQL: CHSqlQuery in its src/types/sql.ts; `format` as in its
 * mapQueryTypeToGrafanaFormat (0 series over time, 1 a table).
 */
interface ClickHouseQuery {
  refId: string;
  datasource?: { type: 'grafana-clickhouse-datasource'; uid: string };
  editorType: 'sql';
  queryType: 'table' | 'timeseries';
  format: 0 | 1;
  rawSql: string;
}

type PrometheusQuery = With<
  Json<prometheus.Dataquery>,
  { refId: string; datasource: { type: 'prometheus'; uid: string } }
>;

type Target = ClickHouseQuery | PrometheusQuery;

type PanelOf<Type extends string, Options, Custom> = With<
  Json<dashboard.Panel>,
  {
    type: Type;
    id: number;
    title: string;
    gridPos: dashboard.GridPos;
    targets: Target[];
    options: Json<Options>;
    fieldConfig: With<
      Json<dashboard.FieldConfigSource>,
      { defaults: With<Json<dashboard.FieldConfig>, { custom?: Json<Custom> }> }
    >;
  }
>;

type Panel =
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | PanelOf<'stat', stat.Options, never>
  | PanelOf<'table', table.Options, table.FieldConfig>;

type Row = With<Json<dashboard.RowPanel>, { panels: Panel[] }>;

type Variable = With<
  Json<dashboard.VariableModel>,
  {
    query:
      | string
      | Pick<ClickHouseQuery, 'refId' | 'editorType' | 'rawSql'>
      // PromVariableQuery of Grafana's own Prometheus plug-in; 1 asks for the values of a label.
      | { refId: string; qryType: 1; query: string };
  }
>;

export type DashboardJson = With<
  Json<dashboard.Dashboard>,
  {
    id: null;
    uid: string;
    panels: (Panel | Row)[];
    templating: { list: Variable[] };
    annotations: { list: With<Json<dashboard.AnnotationQuery>, { target: Target }>[] };
  }
>;
