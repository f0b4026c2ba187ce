/**
 * The words of Citrix Cloud's callbacks. Its pages call both lists extensible: a word that is not here is taken in
 * snake_case, and the event says so.
 *
 * | page                                                                              | words that it alone has |
 * | --------------------------------------------------------------------------------- | ----------------------- |
 * | developer-docs.citrix.com, citrix-cloud-event-and-webhook-subscription            | ChangeType `Login`      |
 * | developer.cloud.com, _platform/create_webhook (connector health checks, logons as events of their own) | `HealthDataRequest`, `HealthDataResponse`; Type `UiEvent:CCConsole:AdministratorLogon` |
 * | developer-docs.citrix.com, send-notifications-to-administrators-in-citrix-cloud   | severity and priority by name, `Information` for 0 |
 */

/** Entity by `Type`. */
export const entities: ReadonlyMap<string, string> = new Map([
  ['Administrator', 'administrator'],
  ['ClientAdministrator', 'client_administrator'],
  ['ResourceLocation', 'resource_location'],
  ['EdgeServers', 'edge_server'],
  ['Notifications', 'notification'],
  ['Forests', 'forest'],
  ['Domains', 'domain'],
  ['Entitlement', 'entitlement'],
  ['Subscriptions', 'subscription'],
  ['Webhooks', 'webhook'],
]);

/** Action by `ChangeType`. */
export const actions: ReadonlyMap<string, string> = new Map([
  ['Create', 'created'],
  ['Update', 'updated'],
  ['Delete', 'deleted'],
  ['Login', 'logged_in'],
  ['HealthDataRequest', 'health_data_request'],
  ['HealthDataResponse', 'health_data_response'],
]);

/** How an edition of the page told of an administrator's logon: as the creation of an object of this `Type`. */
export const logonType = 'UiEvent:CCConsole:AdministratorLogon';

/** Names by number. */
export const severities = ['informational', 'success', 'warning', 'error'] as const;
/** By number, and not in the order of urgency. */
export const priorities = ['normal', 'low', 'high', 'urgent'] as const;
