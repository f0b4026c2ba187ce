package hookwatch.streams;

/** Idle rows end by ticks. What had been written of them stays. */
final class Expiries {
  /** How long a deleted entity or a closed boot is remembered, so that a replay of its life is recognised. */
  private static final long TOMBSTONE_MS = 7 * Times.DAY_MS;

  private final Tables tables;

  Expiries(Tables tables) {
    this.tables = tables;
  }

  /** Plans the end of a row as it is now, if it has one. When the time has come the row is asked once more. */
  void plan(Lane lane, String table, String key) {
    long endsAt = endOf(lane, table, key);
    if (endsAt == Long.MAX_VALUE) return;
    long hour = endsAt / Times.HOUR_MS;
    lane.expiredHour = Math.min(lane.expiredHour, hour);
    tables.expiries.add(Tables.key(lane.tenant, text(hour), table, key));
  }

  /** Ends what is due at the watermark. */
  void expire(Lane lane, long watermark) {
    long hour = watermark / Times.HOUR_MS;
    if (lane.expiredHour >= hour) return;
    lane.expiredHour = hour;
    for (var due : tables.expiries.between(Tables.prefix(lane.tenant), Tables.key(lane.tenant, text(hour)))) {
      tables.expiries.remove(due);
      var parts = due.split("\0", 4);
      if (endOf(lane, parts[2], parts[3]) > watermark) plan(lane, parts[2], parts[3]);
      else end(lane, parts[2], parts[3]);
    }
  }

  /** When a row is over: it may have been renewed since its end was planned. Long.MAX_VALUE: not at all. */
  private long endOf(Lane lane, String table, String key) {
    long latenessMs = lane.row.latenessMs;
    switch (table) {
      case Tables.ENTITIES: {
        var entity = tables.entities.get(key);
        return entity != null && entity.deleted ? entity.lastReceivedAt + TOMBSTONE_MS : Long.MAX_VALUE;
      }
      case Tables.CREATIONS: {
        long last = 0;
        var row = tables.creations.get(key);
        if (row != null) for (var creation : row.creations) last = Math.max(last, creation.time);
        return last + lane.row.withinMs + latenessMs;
      }
      case Tables.PANES:
        return Long.parseLong(Tables.lastPart(key)) * Times.MINUTE_MS + Times.HOUR_MS + latenessMs;
      case Tables.BURSTS: {
        var burst = tables.bursts.get(key);
        return (burst == null ? 0 : burst.startedAt) + lane.row.withinMs + latenessMs;
      }
      case Tables.PRODUCERS: {
        var producer = lane.producers.get(Tables.lastPart(key));
        return producer != null && producer.closed ? producer.progress + TOMBSTONE_MS : Long.MAX_VALUE;
      }
      case Tables.EPISODES: {
        long last = 0;
        var row = tables.episodes.get(key);
        if (row != null) {
          for (var episode : row.episodes) {
            if (episode.closedAt == null) return Long.MAX_VALUE;
            last = Math.max(last, episode.closedAt);
          }
        }
        return last + latenessMs;
      }
      default: {
        var askedAt = tables.requests.get(key);
        return (askedAt == null ? 0 : askedAt) + latenessMs;
      }
    }
  }

  private void end(Lane lane, String table, String key) {
    switch (table) {
      case Tables.ENTITIES -> tables.entities.delete(key);
      case Tables.CREATIONS -> tables.creations.delete(key);
      case Tables.PANES -> tables.panes.delete(key);
      case Tables.BURSTS -> tables.bursts.delete(key);
      case Tables.PRODUCERS -> lane.forgetProducer(Tables.lastPart(key));
      case Tables.EPISODES -> tables.episodes.delete(key);
      default -> tables.requests.delete(key);
    }
  }

  /** Hours since 1970, all of one length: they sort as text. */
  private static String text(long hour) {
    return Long.toString(1_000_000_000 + hour);
  }
}
