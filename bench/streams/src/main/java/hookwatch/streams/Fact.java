package hookwatch.streams;

import java.util.List;

/**
 * The fact that a body states. Times are epoch milliseconds, null where the body does not say.
 *
 * @param entity account, user, server or alert
 * @param action created, updated, deleted or notified
 * @param account provider:account
 * @param subject as the provider spells it
 * @param key the subject in the one spelling by which it is recognised
 * @param time the body's own time of the event
 * @param createdAt when the entity was created by its own word
 * @param modifiedAt when the entity was last changed by its own word
 * @param data the body's text
 */
record Fact(
    String entity,
    String action,
    String account,
    String parentAccount,
    String subject,
    String key,
    String location,
    Long time,
    Long createdAt,
    Long modifiedAt,
    List<Trigger> triggers,
    String data) {

  /** One trigger of an alert. */
  record Trigger(String metric, String state, Long startedAt, Long endedAt, String policyDuration) {}

  boolean isCreated() {
    return action.equals("created");
  }

  boolean isDeleted() {
    return action.equals("deleted");
  }
}
