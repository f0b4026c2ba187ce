/** The object of `Type: Notifications`. Who raised it chose `CreatedDate` and `EventId` freely: neither is relied upon. */
import type { Fields } from '../fields.ts';
import { priorities, severities } from './vocabulary.ts';

export const notificationFields = [
  ...['PublishNotificationId', 'Destination', 'Component', 'CreatedDate', 'Categories', 'Severity', 'EventId'],
  ...['Priority', 'Content', 'Data', 'ExternalId'],
];
const contentFields = ['LanguageTag', 'Title', 'Description', 'DetailUri'];

/** Languages that are kept as attributes; a body has as many as it likes. */
const languagesMax = 20;

/** What a type's own reader makes of an object. */
export interface Reading {
  subject: string;
  attributes: Record<string, string>;
  flags: string[];
}

export function readNotification(object: Fields, customer: string): Reading {
  const severity = readLevel(object, 'Severity', severities);
  const priority = readLevel(object, 'Priority', priorities);
  const content = readContent(object.objects('Content', contentFields));
  const destination = readDestination(object.text('Destination'));
  const categories = object.any('Categories');
  return {
    subject: object.identifier('PublishNotificationId') ?? '',
    attributes: present({
      severity: severity.name,
      priority: priority.name,
      ...destination,
      component: object.text('Component'),
      categories: Array.isArray(categories) && categories.length > 0 ? JSON.stringify(categories) : undefined,
      external_id: object.text('ExternalId'),
      claimed_created_date: object.text('CreatedDate'),
      claimed_event_id: object.text('EventId'),
      ...content.attributes,
    }),
    flags: [
      ...severity.flags,
      ...priority.flags,
      ...content.flags,
      ...(isOurs(destination, customer) ? [] : ['customer_differs']),
    ],
  };
}

/** A number by its name; one without a name as it is. Notifications raised through the API have names in place of numbers. */
function readLevel(object: Fields, field: 'Severity' | 'Priority', names: readonly string[]) {
  const text = object.text(field)?.trim();
  if (text === undefined) return { name: undefined, flags: [] };
  const word = text.toLowerCase() === 'information' ? 'informational' : text.toLowerCase();
  const name = /^\d$/.test(word) ? names[Number(word)] : names.find((candidate) => candidate === word);
  return { name: name ?? text, flags: name === undefined ? [`unknown_${field.toLowerCase()}`] : [] };
}

interface Destination extends Record<string, string | undefined> {
  destination_customer?: string;
  destination_administrator?: string;
}

/** `acme;*`: the customer, and the administrator or everybody. */
function readDestination(text: string | undefined): Destination {
  if (text === undefined) return {};
  const end = text.indexOf(';');
  if (end === -1) return { destination_customer: text };
  return { destination_customer: text.slice(0, end), destination_administrator: text.slice(end + 1) };
}

function isOurs({ destination_customer: target }: Destination, customer: string): boolean {
  return target === undefined || target === '*' || target === customer;
}

/** The preferred language without a suffix, every other one with its tag: `title`, `title_fr_fr`. */
function readContent(content: readonly Fields[]) {
  const texts = content.map((entry) => ({
    tag: entry.text('LanguageTag') ?? '',
    title: entry.text('Title'),
    description: entry.text('Description'),
    uri: entry.text('DetailUri'),
  }));
  const preferred =
    texts.find(({ tag }) => /^en-us$/i.test(tag)) ?? texts.find(({ tag }) => /^en(-|$)/i.test(tag)) ?? texts[0];
  const attributes: Record<string, string | undefined> = {
    title: preferred?.title,
    description: preferred?.description,
    detail_uri: preferred?.uri,
    language: preferred?.tag || undefined,
  };
  const others = texts.filter((text) => text !== preferred);
  for (const { tag, title, description, uri } of others.slice(0, languagesMax - 1)) {
    const suffix = suffixOf(tag);
    attributes[`title_${suffix}`] ??= title;
    attributes[`description_${suffix}`] ??= description;
    attributes[`detail_uri_${suffix}`] ??= uri;
  }
  return { attributes, flags: others.length >= languagesMax ? ['content_truncated'] : [] };
}

function suffixOf(tag: string): string {
  return (
    tag
      .slice(0, 35)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_') || 'untagged'
  );
}

/** Without what is absent. */
export function present(attributes: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
