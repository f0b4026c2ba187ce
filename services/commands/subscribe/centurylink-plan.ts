/** What has to change at CenturyLink Cloud so that it calls what is wanted: pure. */
import type { WebhookConfiguration, WebhookOfEvent } from '../../ports/provider-api/centurylink.ts';
import { type KnownEndpoint, maskUri, placeOf, readTarget, type Target, urlOf } from './targets.ts';
import type { KnownTokens } from './tokens.ts';

export interface PlannedTarget {
  uri: string;
  action: 'keep' | 'add' | 'remove';
  /** For people; says nothing secret. */
  why: string;
}

export interface EventPlan {
  event: string;
  /** `before` is undefined where the event has no configuration; `after` where nothing says what it should be. */
  recursive: { before: boolean | undefined; after: boolean | undefined };
  targets: PlannedTarget[];
  /** Why nothing is done for the event although something should be. */
  problems: string[];
  /** Nothing is left to do. */
  done: boolean;
}

export interface CenturylinkWanted {
  /** In upper case. */
  account: string;
  publicUrl: string;
  /** All endpoints of the provider, of all tenants and accounts. */
  known: readonly KnownEndpoint[];
  tokens: KnownTokens;
  /** Targets of others are removed. */
  replace: boolean;
  /** `recursive` is changed although others are called by the same configuration. */
  setRecursive: boolean;
  nowMs: number;
}

/** One for each event that the provider lists, and for each that is wanted. Makes tokens known that the provider shows. */
export function planCenturylink(webhooks: readonly WebhookOfEvent[], wanted: CenturylinkWanted): EventPlan[] {
  const read = webhooks.map(({ name, configuration }) => ({
    event: name,
    configuration,
    targets: (configuration?.targetUris ?? []).map((uri) =>
      readTarget(uri, wanted.publicUrl, wanted.known, wanted.nowMs),
    ),
  }));
  for (const target of read.flatMap(({ targets }) => targets)) {
    if (target.kind === 'ours') wanted.tokens.add(target.token);
  }
  const listed = new Set(webhooks.map(({ name }) => name));
  const unlisted = wanted.known.filter((one) => isWanted(one, wanted.account) && !listed.has(one.endpoint.event));
  return [
    ...read.map(({ event, configuration, targets }) => planEvent(event, configuration, targets, wanted)),
    ...[...new Set(unlisted.map(({ endpoint }) => endpoint.event))].map((event) => ({
      event,
      recursive: { before: undefined, after: undefined },
      targets: [],
      problems: ['the provider does not list this event'],
      done: false,
    })),
  ];
}

/** An event without an action (`Server`) is of the sample listener, and stays with whoever has registered that. */
function isWanted({ endpoint }: KnownEndpoint, account: string): boolean {
  return endpoint.account === account && endpoint.event.includes('.');
}

function planEvent(
  event: string,
  configuration: WebhookConfiguration | undefined,
  targets: readonly Target[],
  wanted: CenturylinkWanted,
): EventPlan {
  const endpoints = wanted.known.filter((one) => isWanted(one, wanted.account) && one.endpoint.event === event);
  const standing = keepOne(targets.map((target) => standingOf(target, endpoints, wanted)));
  const served = new Set(standing.filter(({ action }) => action === 'keep').map(({ serves }) => serves));
  const missing = endpoints.filter((one) => !served.has(placeOf(one)));
  const added = missing.map((one) => ({ one, token: wanted.tokens.of(one) }));
  const unknown = added.filter(({ token }) => token === undefined).map(({ one }) => placeOf(one));
  const recursive = recursiveOf(endpoints, configuration);
  const planned: PlannedTarget[] = [
    ...standing.map(({ uri, action, why }) => ({ uri, action, why })),
    ...added
      .filter(({ token }) => token !== undefined)
      .map(({ one, token }) => ({ uri: urlOf(wanted.publicUrl, token!), action: 'add' as const, why: placeOf(one) })),
  ];
  const changes = recursive.after !== undefined && recursive.before !== recursive.after;
  const problems = [
    ...unknown.map((place) => `the token of ${place} is not known: give it by --tokens`),
    ...problemsOfRecursive(endpoints, recursive, standing, wanted),
  ];
  const done = problems.length === 0 && !changes && planned.every(({ action }) => action === 'keep');
  return { event, recursive: { before: recursive.before, after: recursive.after }, targets: planned, problems, done };
}

interface Standing extends PlannedTarget {
  /** The endpoint that needs no other target. */
  serves?: string;
  others: boolean;
}

function standingOf(target: Target, endpoints: readonly KnownEndpoint[], { replace }: CenturylinkWanted): Standing {
  const { uri } = target;
  if (target.kind === 'theirs') {
    return { uri, action: replace ? 'remove' : 'keep', why: replace ? 'not ours' : 'not ours: kept', others: true };
  }
  const ours = (action: 'keep' | 'remove', why: string): Standing => ({ uri, action, why, others: false });
  if (target.kind === 'sample') return ours('keep', 'of the sample listener: kept');
  const { owner, elsewhere } = target;
  if (!owner) return ours('remove', 'no endpoint has this token');
  const place = placeOf(owner);
  if (!endpoints.some((one) => placeOf(one) === place))
    return ours('remove', `of ${place}, which is for ${whatFor(owner)}`);
  if (elsewhere) return ours('remove', `of ${place}, at an address that is not the public one`);
  if (!owner.lasting) return ours('remove', `of ${place}, with a token that ends`);
  return { ...ours('keep', place), serves: place };
}

/** Of an endpoint that is called by two URLs the first one stays. The same URL twice cannot be removed once. */
function keepOne(standing: readonly Standing[]): Standing[] {
  return standing.map((one) => {
    const first = standing.find(({ serves }) => serves !== undefined && serves === one.serves);
    if (!first || first === one || first.uri === one.uri) return one;
    return { ...one, action: 'remove', why: `of ${one.serves}, which another one calls` };
  });
}

function whatFor({ endpoint }: KnownEndpoint): string {
  return `${endpoint.event} of ${endpoint.account}`;
}

function recursiveOf(endpoints: readonly KnownEndpoint[], configuration: WebhookConfiguration | undefined) {
  return { before: configuration?.recursive, after: endpoints[0]?.endpoint.recursive };
}

function problemsOfRecursive(
  endpoints: readonly KnownEndpoint[],
  { before, after }: EventPlan['recursive'],
  standing: readonly Standing[],
  { setRecursive }: CenturylinkWanted,
): string[] {
  const different = endpoints.find(({ endpoint }) => endpoint.recursive !== after);
  if (different) {
    const places = `${placeOf(endpoints[0]!)} and ${placeOf(different)}`;
    return [`${places} differ in \`recursive\`, of which the provider has one for all targets of an event`];
  }
  const others = standing.filter((one) => one.others && one.action === 'keep').length;
  if (after === undefined || before === undefined || before === after || others === 0 || setRecursive) return [];
  return [
    `\`recursive\` is ${before} and should be ${after}, also for ${others === 1 ? 'a target that is' : `${others} targets that are`} ` +
      'not ours: --set-recursive changes it for all',
  ];
}

export type Step = { do: 'set'; configuration: WebhookConfiguration } | { do: 'add' | 'remove'; uri: string };

/**
 * What brings an event to its plan. Targets of others are named only where all has to be set anew: for `recursive`. What is new is
 * added before what it stands for is removed, so that at no time nobody is called; twice is harmless, the flow sees the repeat.
 */
export function stepsOf({ recursive, targets }: EventPlan): Step[] {
  const of = (action: PlannedTarget['action']) =>
    targets.filter((target) => target.action === action).map(({ uri }) => uri);
  const { before, after } = recursive;
  if (after !== undefined && before !== after) {
    return [{ do: 'set', configuration: { recursive: after, targetUris: [...of('keep'), ...of('add')] } }];
  }
  const step = (action: 'add' | 'remove') => (uri: string) => ({ do: action, uri });
  return [...of('add').map(step('add')), ...of('remove').map(step('remove'))];
}

/** A line for each thing that is done or kept, without a secret. */
export function describePlan(plans: readonly EventPlan[]): string[] {
  return plans.flatMap(({ event, recursive, targets, problems, done }) => {
    const changes = recursive.after !== undefined && recursive.before !== recursive.after;
    const shown = (value: boolean | undefined) => (value === undefined ? 'unset' : String(value));
    const heading = changes
      ? `recursive ${shown(recursive.before)} → ${shown(recursive.after)}`
      : done
        ? 'as wanted'
        : '';
    const sign = { keep: ' ', add: '+', remove: '-' };
    const nothing = done && targets.length === 0;
    return [
      `  ${event.padEnd(20)}${nothing ? 'no endpoint' : heading}`.trimEnd(),
      ...targets.map(({ uri, action, why }) => `    ${sign[action]} ${maskUri(uri)} (${why})`),
      ...problems.map((problem) => `    ! ${problem}`),
    ];
  });
}
