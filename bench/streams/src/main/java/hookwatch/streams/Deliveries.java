package hookwatch.streams;

import hookwatch.Delivery;
import hookwatch.Event;
import hookwatch.Origin;
import hookwatch.Reject;
import hookwatch.TimeBasis;
import hookwatch.Verdict;
import java.util.ArrayList;
import java.util.List;

/** What becomes of a delivery: an event with all that follows from it, or a reject with its reason. */
final class Deliveries {
  private final Tables tables;
  private final Entities entities;
  private final Episodes episodes;
  private final Panes panes;
  private final AccountCreatedThenServers rule;

  Deliveries(Tables tables, Expiries expiries, Panes panes) {
    this.tables = tables;
    this.panes = panes;
    entities = new Entities(tables, expiries);
    episodes = new Episodes(tables, expiries);
    rule = new AccountCreatedThenServers(tables, expiries);
  }

  void work(Step step, Delivery delivery) {
    tables.count(Tables.key(
        step.tenant, "deliveries", delivery.provider + "|" + delivery.event_name + "|" + delivery.verdict), 1);
    var event = step.ids.of(delivery.received_at, "event", step.tenant, delivery.id);
    step.emit(delivery, event);
    if (delivery.verdict == Verdict.rejected) {
      reject(step, delivery, event, delivery.verdict_reason, "the raw bytes were not verified");
    } else if (!delivery.provider.equals("centurylink")) {
      reject(step, delivery, event, "unknown provider", "no decoder for provider " + delivery.provider);
    } else {
      try {
        work(step, delivery, event, Centurylink.decode(delivery));
      } catch (Body.Rejection rejection) {
        reject(step, delivery, event, rejection.reason, rejection.getMessage());
      }
    }
  }

  private void reject(Step step, Delivery delivery, String event, String reason, String detail) {
    tables.count(Tables.key(step.tenant, "rejects", reason), 1);
    var reject = new Reject();
    reject.delivery = delivery.id;
    reject.received_at = delivery.received_at;
    reject.endpoint = delivery.endpoint;
    reject.provider = delivery.provider;
    reject.event_name = delivery.event_name;
    reject.account = delivery.account;
    reject.reason = reason;
    reject.detail = detail;
    var id = step.ids.of(delivery.received_at, "reject", step.tenant, delivery.id);
    step.emit(reject, id, delivery.received_at, event);
  }

  private void work(Step step, Delivery delivery, String event, Fact fact) {
    var own = EventTime.of(fact.time(), delivery, step.lane.row);
    var occurrence = new Occurrence(fact, delivery, event, own.time());
    var observation = entities.observe(step, occurrence, own.flag().equals("stale"));
    // Behind the lateness windows are closed: the event is kept and counted, and changes nothing that was said.
    boolean tooLate = own.time() < step.lane.row.watermark - step.lane.row.latenessMs;
    tables.count(Tables.key(step.tenant, "outcomes", "events"), 1);
    emit(step, occurrence, own, observation, flags(delivery, own, observation, fact, tooLate));
    if (!tooLate) relate(step, occurrence, observation.creation());
  }

  private static void emit(
      Step step, Occurrence occurrence, EventTime own, Entities.Observation observation, List<String> flags) {
    var fact = occurrence.fact();
    var delivery = occurrence.delivery();
    var event = new Event();
    event.deliveries = List.of(delivery.id);
    event.received_at = delivery.received_at;
    event.provider = delivery.provider;
    event.source = "/" + delivery.provider + "/" + delivery.endpoint;
    event.type = delivery.provider + "." + fact.entity() + "." + fact.action();
    event.subject = fact.subject();
    event.time = own.time();
    event.time_basis = own.basis();
    event.entity = fact.entity();
    event.action = fact.action();
    event.account = fact.account();
    event.parent_account = fact.parentAccount();
    event.novelty = observation.novelty();
    event.location = fact.location();
    event.flags = flags;
    event.data = fact.data();
    step.emit(event, occurrence.event(), delivery.received_at);
  }

  private static List<String> flags(
      Delivery delivery, EventTime own, Entities.Observation observation, Fact fact, boolean tooLate) {
    var flags = new ArrayList<>(delivery.flags);
    if (!own.flag().isEmpty()) flags.add(own.flag());
    if (observation.flag() != null) flags.add(observation.flag());
    for (var trigger : fact.triggers()) {
      if (trigger.state().equals("triggered") || trigger.state().equals("notTriggered")) continue;
      flags.add("alert_state_unknown");
      break;
    }
    if (tooLate) flags.add("too_late");
    return flags;
  }

  /** Relates an event to what the lane knows: episodes, panes, rules. */
  private void relate(Step step, Occurrence occurrence, boolean creation) {
    var fact = occurrence.fact();
    switch (fact.entity()) {
      case "alert" -> episodes.apply(step, occurrence);
      case "account" -> {
        if (fact.isDeleted()) rule.accountDeleted(step, fact.account());
        if (creation) rule.accountCreated(step, occurrence);
      }
      case "server" -> {
        if (!creation) return;
        panes.add(step, fact.account(), fact.key(), occurrence.time());
        rule.serverCreated(step, occurrence);
      }
      default -> {}
    }
  }

  /** A fact that stands in the lane. `event` is the id of its event, `time` when it happened by the time rules. */
  record Occurrence(Fact fact, Delivery delivery, String event, long time) {}

  /** When an event happened: the body's own time where it is near received_at, else received_at itself. */
  private record EventTime(long time, TimeBasis basis, String flag) {
    static EventTime of(Long own, Delivery delivery, LaneRow settings) {
      long receivedAt = delivery.received_at;
      if (own == null) return new EventTime(receivedAt, TimeBasis.received, "");
      if (own > receivedAt + settings.futureMs) return new EventTime(receivedAt, TimeBasis.received, "future");
      if (own < receivedAt - settings.pastMs && delivery.origin != Origin.reconcile) {
        return new EventTime(receivedAt, TimeBasis.received, "stale");
      }
      return new EventTime(own, TimeBasis.provider, "");
    }
  }
}
