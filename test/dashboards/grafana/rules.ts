/** House rules of dashboards: what makes them readable, and what lets them be mounted anywhere. */
import * as units from '@grafana/grafana-foundation-sdk/units';
import { columnsOf } from './columns.ts';
import {
  clickhouseQueries,
  type DashboardModel,
  type PanelModel,
  panelsOf,
  type Source,
  type Target,
} from './dashboards.ts';

const knownUnits = new Set<unknown>(Object.values(units));
const columnsMax = 24;
const uidLengthMax = 40;

type Rule = (dashboard: DashboardModel, all: readonly DashboardModel[]) => string[];

/** By what each keeps up; every one says what is wrong. */
export const rules: Record<string, Rule> = {
  'it is found by a fixed uid, and by its tag': ({ id, uid, tags, title, description }) => [
    ...(id === null ? [] : [`id is ${id}: Grafana gives ids`]),
    ...(/^hookwatch-[a-z-]+$/.test(uid) && uid.length <= uidLengthMax ? [] : [`uid is ${uid}`]),
    ...(tags.includes('hookwatch') ? [] : ['it has no tag hookwatch']),
    ...(title && description ? [] : ['title or description is empty']),
  ],
  'the crosshair is shared': ({ graphTooltip }) => (graphTooltip === 1 ? [] : [`graphTooltip is ${graphTooltip}`]),
  'links lead to each other dashboard and keep time and variables': ({ uid, links }, all) =>
    all.flatMap((other) => {
      if (other.uid === uid) return [];
      const slug = other.title.toLowerCase().replaceAll(' ', '-');
      const link = links.find(({ url }) => url === `/d/${other.uid}/${slug}`);
      if (!link) return [`no link leads to ${other.title}`];
      return link.keepTime && link.includeVars ? [] : [`the link to ${other.title} forgets time or variables`];
    }),
  'panels have ids and titles of their own': (dashboard) => {
    const panels = panelsOf(dashboard);
    return [...repeated(panels.map(({ id }) => String(id))), ...repeated(panels.map(({ title }) => title))];
  },
  'panels say what they show and in which unit': (dashboard) =>
    chartsOf(dashboard).flatMap(({ title, description = '', fieldConfig }) => [
      ...(/\.$/.test(description) ? [] : [`${title}: no description in sentences`]),
      ...(knownUnits.has(fieldConfig?.defaults.unit) ? [] : [`${title}: unit ${fieldConfig?.defaults.unit}`]),
    ]),
  'panels do not overlap, nor leave the grid': (dashboard) => overlaps(panelsOf(dashboard)),
  'queries of a panel have ids of their own': (dashboard) =>
    chartsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.length === 0 ? [`${title}: no query`] : repeated(targets.map(({ refId }) => `${title}/${refId}`)),
    ),
  'data sources are chosen by a variable': (dashboard) => sources(dashboard),
  'queries keep to the chosen tenants and accounts': (dashboard) =>
    clickhouseQueries(dashboard).flatMap(({ name, sql }) => {
      const wanted = { 'variable tenant': [], 'variable account': ['tenant'] }[name] ?? ['tenant', 'account'];
      return wanted
        .filter((variable) => !sql.includes(`, $${variable})`))
        .map((variable) => `${name}: no $${variable}`);
    }),
  'settings of columns are of columns that are there': (dashboard) =>
    chartsOf(dashboard).flatMap(({ title, fieldConfig }) => {
      const columns = new Set((columnsOf[`panel ${title}/A`] ?? []).map(([column]) => column));
      return (fieldConfig?.overrides ?? [])
        .filter(({ matcher }) => matcher.id === 'byName' && !columns.has(String(matcher.options)))
        .map(({ matcher }) => `${title}: no column ${matcher.options}`);
    }),
  'links within tables name columns, variables and dashboards that are there': (dashboard, all) =>
    chartsOf(dashboard).flatMap((panel) => linkFaults(panel, dashboard, all)),
};

const chartsOf = (dashboard: DashboardModel) => panelsOf(dashboard).filter(({ type }) => type !== 'row');

function repeated(names: string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`);
}

function overlaps(panels: PanelModel[]): string[] {
  return panels.flatMap((panel, index) => {
    const { x, y, w, h } = panel.gridPos;
    const outside = x < 0 || y < 0 || w < 1 || h < 1 || x + w > columnsMax;
    const others = panels.slice(index + 1).filter(({ gridPos: other }) => {
      const beside = other.x >= x + w || x >= other.x + other.w;
      return !beside && other.y < y + h && y < other.y + other.h;
    });
    return [
      ...(outside ? [`${panel.title} leaves the grid`] : []),
      ...others.map(({ title }) => `${panel.title} lies over ${title}`),
    ];
  });
}

/** Every reference to a data source goes by a variable of the same kind. */
function sources({ annotations, templating, ...dashboard }: DashboardModel): string[] {
  const chosen = new Map(
    templating.list.filter(({ type }) => type === 'datasource').map(({ name, query }) => [`\${${name}}`, query]),
  );
  const check = (name: string, source: Source | undefined) =>
    source?.type !== undefined && chosen.get(source.uid ?? '') === source.type
      ? []
      : [`${name}: data source ${JSON.stringify(source)}`];
  const targets = (name: string, list: Target[]) =>
    list.flatMap(({ refId, datasource }) => check(`${name}/${refId}`, datasource));
  return [
    ...dashboard.panels
      .flatMap((panel) => [panel, ...(panel.panels ?? [])])
      .filter(({ type }) => type !== 'row')
      .flatMap((panel) => [...check(panel.title, panel.datasource), ...targets(panel.title, panel.targets ?? [])]),
    ...annotations.list.flatMap(({ name, datasource }) => check(`annotation ${name}`, datasource)),
    ...templating.list
      .filter(({ type }) => type === 'query')
      .flatMap(({ name, datasource }) => check(`variable ${name}`, datasource)),
  ];
}

function linkFaults(
  { title, fieldConfig }: PanelModel,
  dashboard: DashboardModel,
  all: readonly DashboardModel[],
): string[] {
  const urls = (fieldConfig?.overrides ?? [])
    .flatMap(({ properties }) => properties)
    .filter(({ id }) => id === 'links')
    .flatMap(({ value }) => (value as { url: string }[]).map(({ url }) => url));
  const columns = new Set((columnsOf[`panel ${title}/A`] ?? []).map(([column]) => column));
  const variables = new Set(dashboard.templating.list.map(({ name }) => name));
  return urls.flatMap((url) => {
    const target = all.find(({ uid }) => url.startsWith(`/d/${uid}?`));
    const fields = [...url.matchAll(/\$\{__data\.fields\.(\w+):percentencode\}/g)].map(([, field]) => field!);
    const kept = [...url.matchAll(/\$\{(\w+):queryparam\}/g)].map(([, variable]) => variable!);
    const set = [...url.matchAll(/&var-(\w+)=/g)].map(([, variable]) => variable!);
    return [
      ...(target ? [] : [`${title}: ${url} leads nowhere`]),
      ...(url.includes(`\${__url_time_range}`) ? [] : [`${title}: ${url} forgets the time`]),
      ...fields.filter((field) => !columns.has(field)).map((field) => `${title}: no column ${field}`),
      ...[...kept, ...set].filter((name) => !variables.has(name)).map((name) => `${title}: no variable ${name}`),
      ...[...variables].filter((name) => ![...kept, ...set].includes(name)).map((name) => `${title}: ${name} is lost`),
    ];
  });
}
