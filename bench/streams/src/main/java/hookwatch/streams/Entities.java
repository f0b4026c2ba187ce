package hookwatch.streams;

import hookwatch.Novelty;
import hookwatch.streams.Deliveries.Occurrence;

/** The latest snapshot of every account, user and server, and whether an event is news: a creation counts once. */
final class Entities {
  /** What an event says of its entity. `flag` may be null; `creation`: it is to be counted as one. */
  record Observation(Novelty novelty, boolean creation, String flag) {}

  private static final Observation KNOWN = new Observation(Novelty.known, false, null);

  private final Tables tables;
  private final Expiries expiries;

  Entities(Tables tables, Expiries expiries) {
    this.tables = tables;
    this.expiries = expiries;
  }

  /** Notes an account, user or server event. `stale`: its own time was too far from received_at to count. */
  Observation observe(Step step, Occurrence occurrence, boolean stale) {
    var fact = occurrence.fact();
    if (fact.entity().equals("alert")) return KNOWN;
    long receivedAt = occurrence.delivery().received_at;
    var key = Tables.key(step.tenant, fact.entity(), fact.account(), fact.key());
    var met = tables.entities.get(key);
    var known = met != null && !beginsNewLife(fact, met) ? met : null;
    boolean overtaken = !stale && receivedAt - (known == null ? 0 : known.firstReceivedAt) <= step.lane.row.latenessMs;
    var observation = known == null ? judgeNew(fact, met) : judgeKnown(fact, known, overtaken);
    var entity = known == null ? newEntity(fact, receivedAt) : known;
    renew(entity, fact, observation, receivedAt);
    tables.entities.put(key, entity);
    if (entity.deleted) expiries.plan(step.lane, Tables.ENTITIES, key);
    return observation;
  }

  private static boolean beginsNewLife(Fact fact, EntityRow met) {
    if (fact.createdAt() != null && met.createdAt != null) return fact.createdAt() > met.createdAt;
    return fact.isCreated() && met.deleted && met.created;
  }

  private static Observation judgeNew(Fact fact, EntityRow met) {
    var flag = met != null && !met.deleted ? "deletion_missing" : null;
    return fact.isCreated() ? new Observation(Novelty.created, true, flag) : new Observation(Novelty.seen, false, flag);
  }

  /** `overtaken`: a creation that comes after an update or deletion of the same life may still be counted. */
  private static Observation judgeKnown(Fact fact, EntityRow known, boolean overtaken) {
    if (fact.isCreated()) {
      return known.created || !overtaken
          ? new Observation(Novelty.known, false, "repeat")
          : new Observation(Novelty.created, true, null);
    }
    if (fact.action().equals("updated") && known.deleted) return new Observation(Novelty.known, false, "after_deletion");
    return isOlderSnapshot(fact, known) ? new Observation(Novelty.known, false, "older_snapshot") : KNOWN;
  }

  private static boolean isOlderSnapshot(Fact fact, EntityRow known) {
    return fact.modifiedAt() != null && known.modifiedAt != null && fact.modifiedAt() < known.modifiedAt;
  }

  private static EntityRow newEntity(Fact fact, long receivedAt) {
    return new EntityRow("", fact.subject(), null, null, false, false, receivedAt, receivedAt);
  }

  private static void renew(EntityRow entity, Fact fact, Observation observation, long receivedAt) {
    // A deletion says nothing but the name; the snapshot before it is worth more.
    boolean tellsNews = !fact.isDeleted() && !entity.deleted && !isOlderSnapshot(fact, entity);
    if (tellsNews || entity.data.isEmpty()) {
      entity.subject = fact.subject();
      entity.data = fact.data();
      if (fact.modifiedAt() != null) entity.modifiedAt = fact.modifiedAt();
    }
    if (entity.createdAt == null) entity.createdAt = fact.createdAt();
    entity.created |= observation.creation();
    entity.deleted |= fact.isDeleted();
    entity.lastReceivedAt = receivedAt;
  }
}
