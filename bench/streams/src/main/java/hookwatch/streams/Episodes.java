package hookwatch.streams;

import hookwatch.Episode;
import hookwatch.EpisodeState;
import hookwatch.streams.Deliveries.Occurrence;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Alert episodes: how long an alert was on, by server and metric. An episode is recognised by its start, so openings and
 * closings may come in any order.
 */
final class Episodes {
  private static final int EVENTS_MAX = 100;
  private static final int EPISODES_MAX = 64;

  private final Tables tables;
  private final Expiries expiries;

  Episodes(Tables tables, Expiries expiries) {
    this.tables = tables;
    this.expiries = expiries;
  }

  private record Signal(Step step, Occurrence occurrence, Fact.Trigger trigger, String seriesKey, String key, EpisodesRow row) {}

  /** Applies one alert: an event of several triggers moves several episodes. */
  void apply(Step step, Occurrence occurrence) {
    for (var trigger : occurrence.fact().triggers()) {
      boolean opens = trigger.state().equals("triggered");
      if (!opens && !trigger.state().equals("notTriggered")) continue;
      var series = occurrence.fact().key() + "|" + trigger.metric();
      var key = Tables.key(step.tenant, occurrence.fact().account(), series);
      var row = tables.episodes.get(key);
      if (row == null) row = new EpisodesRow(new ArrayList<>());
      var signal = new Signal(step, occurrence, trigger, series, key, row);
      if (opens) open(signal);
      else close(signal);
    }
  }

  private void open(Signal signal) {
    var startedAt = signal.trigger.startedAt();
    var known = find(signal, startedAt);
    if (known == null) {
      begin(signal, startedAt == null ? signal.occurrence.time() : startedAt, null);
      return;
    }
    // Told again, or overtaken by its own closing: the episode is known.
    known.flags.remove("opening_missing");
    setOpening(known, startedAt);
    save(signal, known, known.closedAt == null);
  }

  private void close(Signal signal) {
    var startedAt = signal.trigger.startedAt();
    long closedAt = signal.trigger.endedAt() == null ? signal.occurrence.time() : signal.trigger.endedAt();
    var known = find(signal, startedAt);
    if (known == null) {
      begin(signal, startedAt == null ? closedAt : startedAt, closedAt);
      return;
    }
    boolean wasOpen = known.closedAt == null;
    setOpening(known, startedAt);
    end(known, closedAt, "alert");
    save(signal, known, wasOpen);
  }

  /** The episode with that start; where one of the two starts is not known, the one that is open. */
  private static EpisodeRow find(Signal signal, Long startedAt) {
    EpisodeRow open = null;
    for (var episode : signal.row.episodes) {
      if (startedAt != null && episode.openedAt == startedAt) return episode;
      if (episode.closedAt == null && (startedAt == null || episode.openingHeard)) open = episode;
    }
    return open;
  }

  private static void setOpening(EpisodeRow known, Long startedAt) {
    if (startedAt == null || !known.openingHeard) return;
    known.openedAt = startedAt;
    known.openingHeard = false;
  }

  private static void end(EpisodeRow episode, long closedAt, String endedBy) {
    episode.flags.remove("negative_length");
    if (closedAt < episode.openedAt) episode.flags.add("negative_length");
    episode.closedAt = closedAt;
    episode.endedBy = endedBy;
  }

  /** A new episode. The one before it has ended by then, and it has ended by the time of the one after it. */
  private void begin(Signal signal, long openedAt, Long closedAt) {
    var delivery = signal.occurrence.delivery();
    EpisodeRow before = null;
    EpisodeRow after = null;
    for (var episode : signal.row.episodes) {
      if (episode.openedAt < openedAt) before = episode;
      if (episode.openedAt > openedAt && after == null) after = episode;
    }
    if (before != null && before.closedAt == null) {
      end(before, openedAt, "next_opening");
      save(signal, before, true);
    }
    var episode = new EpisodeRow();
    episode.id = signal.step.ids.of(
        delivery.received_at, "episode", signal.step.tenant, delivery.id, signal.seriesKey, Long.toString(openedAt));
    episode.firstReceivedAt = delivery.received_at;
    episode.server = signal.occurrence.fact().subject();
    episode.metric = signal.trigger.metric();
    episode.openedAt = openedAt;
    episode.openingHeard = signal.trigger.startedAt() == null;
    episode.endedBy = "";
    episode.policyDuration = "";
    episode.events = new ArrayList<>();
    episode.flags = new ArrayList<>(closedAt == null ? List.of() : List.of("opening_missing"));
    if (closedAt != null) end(episode, closedAt, "alert");
    else if (after != null) end(episode, after.openedAt, "next_opening");
    signal.row.episodes.add(episode);
    save(signal, episode, false);
  }

  private void save(Signal signal, EpisodeRow episode, boolean wasOpen) {
    var event = signal.occurrence.event();
    episode.revision++;
    if (!signal.trigger.policyDuration().isEmpty()) episode.policyDuration = signal.trigger.policyDuration();
    if (episode.events.size() < EVENTS_MAX && !episode.events.contains(event)) episode.events.add(event);
    var episodes = signal.row.episodes;
    episodes.sort(Comparator.comparingLong(one -> one.openedAt));
    if (episodes.size() > EPISODES_MAX) episodes.remove(0);
    boolean isOpen = episode.closedAt == null;
    if (isOpen != wasOpen) {
      tables.count(Tables.key(signal.step.tenant, "openEpisodes", episode.metric), isOpen ? 1 : -1);
    }
    tables.episodes.put(signal.key, signal.row);
    expiries.plan(signal.step.lane, Tables.EPISODES, signal.key);
    emit(signal, episode);
  }

  private static void emit(Signal signal, EpisodeRow episode) {
    boolean isOpen = episode.closedAt == null;
    var output = new Episode();
    output.account = signal.occurrence.fact().account();
    output.server = episode.server;
    output.metric = episode.metric;
    output.state = isOpen ? EpisodeState.open : EpisodeState.closed;
    output.opened_at = episode.openedAt;
    output.closed_at = episode.closedAt;
    output.length_ms = isOpen ? null : Long.valueOf(episode.closedAt - episode.openedAt);
    output.ended_by = episode.endedBy;
    output.policy_duration = episode.policyDuration;
    output.events = episode.events;
    output.flags = episode.flags;
    signal.step.emit(output, episode.id, episode.revision, episode.firstReceivedAt);
  }
}
