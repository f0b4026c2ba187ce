import { expect, test } from 'vitest';
import { ownEntity, snakeCase } from '../../../services/core/providers/words.ts';

test.each([
  ['ClientAdministrator', 'client_administrator'],
  ['UiEvent:CCConsole:AdministratorLogon', 'ui_event_cc_console_administrator_logon'],
  ['resource.location-1', 'resource_location_1'],
  ['already_snake', 'already_snake'],
  ['日本', ''],
  ['', ''],
])('%s → %s', (text, word) => {
  expect(snakeCase(text)).toBe(word);
});

test('no word is longer than 64 characters', () => {
  expect(snakeCase('aB'.repeat(200))).toHaveLength(64);
});

test.each(['account', 'user', 'server', 'alert', 'backup'])('%s keeps its meaning for the flow', (word) => {
  expect(ownEntity('standard-webhooks', word)).toBe(`standard_webhooks_${word}`);
  expect(ownEntity('citrix', `${word}s`)).toBe(`${word}s`);
});
