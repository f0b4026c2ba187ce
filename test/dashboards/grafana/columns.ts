/** What each query of the dashboards gives: the columns that panels name in their overrides, by the name of the query. */

type Columns = [name: string, type: string][];

const text = 'String';
const name = 'LowCardinality(String)';
const count = 'UInt64';
const seconds = 'Float64';
const instant = "DateTime64(3, 'UTC')";
/** Starts of intervals, which Grafana draws. */
const interval = "DateTime('UTC')";

export const columnsOf: Record<string, Columns> = {
  'panel Servers created/A': [['servers', count]],
  'panel New accounts/A': [['accounts', count]],
  'panel Detections/A': [['detections', count]],
  'panel Alerts that are on/A': [['alerts', count]],
  'panel Servers created per account/A': [
    ['time', interval],
    ['series', text],
    ['servers', count],
  ],
  'panel Servers created within an hour/A': [
    ['time', interval],
    ['series', name],
    ['servers', count],
  ],
  'panel Events by type/A': [
    ['time', interval],
    ['series', name],
    ['events', count],
  ],
  'panel What rules found/A': [
    ['fired', instant],
    ['severity', name],
    ['tenant', name],
    ['account', name],
    ['rule', name],
    ['title', text],
    ['servers', count],
    ['threshold', count],
    ['within', seconds],
    ['took', seconds],
    ['subjects', text],
    ['id', text],
  ],
  'panel New accounts, most servers first/A': [
    ['created', instant],
    ['tenant', name],
    ['account', name],
    ['parent', name],
    ['name', text],
    ['servers_first_hour', count],
    ['servers', count],
    ['detected', 'UInt8'],
  ],
  'panel Evidence of the detections/A': [
    ['received', instant],
    ['tenant', name],
    ['account', name],
    ['type', name],
    ['subject', text],
    ['happened', instant],
    ['verdict', name],
    ['key', name],
    ['delivery', text],
    ['body_sha256', text],
    ['body', text],
  ],
  'panel Alerts that are on, longest first/A': [
    ['length', seconds],
    ['opened', instant],
    ['tenant', name],
    ['account', name],
    ['server', text],
    ['metric', name],
    ['policy', text],
    ['flags', text],
  ],
  'panel Alerts that have ended, longest first/A': [
    ['length', `Nullable(${seconds})`],
    ['opened', instant],
    ['closed', `Nullable(${instant})`],
    ['tenant', name],
    ['account', name],
    ['server', text],
    ['metric', name],
    ['ended_by', name],
    ['flags', text],
  ],
  'panel Alerts that came on and ended/A': [
    ['time', interval],
    ['opened', count],
  ],
  'panel Alerts that came on and ended/B': [
    ['time', interval],
    ['ended', count],
  ],
  'annotation Detections': [
    ['time', instant],
    ['text', text],
    ['tags', text],
  ],
  'variable tenant': [['tenant', name]],
  'variable account': [['account', name]],
};

/** Of the types that the plug-in turns into fields of Grafana (pkg/converters/converters.go), those that are used. */
export const readableTypes =
  /^(?:(?:LowCardinality\()?String\)?|(?:Nullable\()?(?:U?Int(?:8|16|32|64)|Float64|DateTime(?:64)?\([^()]*\))\)?)$/;
