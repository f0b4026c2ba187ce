/**
 * What the state of a lane says of itself, as metrics: read from the state and not from what a process did, so that a
 * restart changes none of them.
 */
import type { DeclareGauge } from './telemetry.ts';

/** Ledger behind the edge: journaled = events + linked twins + rejects + pending. */
export function laneMetrics(gauge: DeclareGauge) {
  return {
    working: gauge('hookwatch_lane_working', '1 while the lane is worked on; /readyz says why it is not.', ['tenant']),
    position: gauge('hookwatch_lane_position', 'Position of the last record that the flow has worked on.', ['tenant']),
    watermarkLagSeconds: gauge(
      'hookwatch_lane_watermark_lag_seconds',
      'How far the watermark of the lane is behind the wall clock.',
      ['tenant'],
    ),
    ledger: gauge(
      'hookwatch_ledger_deliveries',
      'Deliveries of the lane by what became of them, from the state: journaled = events + twins + rejects + pending.',
      ['tenant', 'outcome'],
    ),
    ledgerImbalance: gauge(
      'hookwatch_ledger_imbalance',
      'Deliveries of the lane of which nothing became: journaled less events, twins, rejects and pending. 0 but for a bug.',
      ['tenant'],
    ),
    repeats: gauge(
      'hookwatch_ledger_repeats',
      'Records that came again from the same producer and were dropped, from the state.',
      ['tenant'],
    ),
    retired: gauge(
      'hookwatch_lane_retired_records',
      'Records of starts of edges for which a gap was declared, from the state: lost, recovered, or dropped for tearing too many holes.',
      ['tenant', 'outcome'],
    ),
    producersBehind: gauge(
      'hookwatch_lane_producers_behind',
      'Producers of the lane with a gap in their numbers, from the state.',
      ['tenant'],
    ),
    deliveries: gauge('hookwatch_deliveries', 'Deliveries by provider, event and verdict, from the state.', [
      'tenant',
      'provider',
      'event',
      'verdict',
    ]),
    compared: gauge(
      'hookwatch_compared_seconds',
      "When the last whole comparison with a provider's API began, in seconds since 1970, from the state.",
      ['tenant', 'provider'],
    ),
    rejects: gauge('hookwatch_rejects', 'Rejects by reason, from the state.', ['tenant', 'reason']),
    detections: gauge('hookwatch_detections', 'Detections that hold, by rule and severity, from the state.', [
      'tenant',
      'rule',
      'severity',
    ]),
    openDetections: gauge(
      'hookwatch_open_detections',
      'Detections that are open, from the state: until a window after they fired is over, or their account is deleted.',
      ['tenant', 'rule', 'severity'],
    ),
    ...episodeMetrics(gauge),
    ...identityMetrics(gauge),
    ...watchedMetrics(gauge),
    checkpointPosition: gauge('hookwatch_lane_checkpoint_position', 'Position of the newest checkpoint.', ['tenant']),
  };
}

/** Of whose the lane's deliveries are, and which of them are one event. */
function identityMetrics(gauge: DeclareGauge) {
  return {
    twinLosses: gauge(
      'hookwatch_twin_losses',
      'Events that came to the other endpoint only, though both should have been told: lost at `endpoint`. From the state.',
      ['tenant', 'endpoint', 'other'],
    ),
    twinsMeasured: gauge(
      'hookwatch_twins_measured',
      'Events by which losses at `endpoint` were measured: those that came to the other one. From the state.',
      ['tenant', 'endpoint', 'other'],
    ),
    remembered: gauge(
      'hookwatch_lane_remembered',
      'What the lane remembers: deliveries that wait for their account, or were refused for it; bodies; events that twins may come of.',
      ['tenant', 'what'],
    ),
    forgotten: gauge(
      'hookwatch_lane_forgotten',
      'What the lane did not remember for as long as it should, since a limit was reached: deliveries that wait or were refused, bodies, twins.',
      ['tenant', 'what'],
    ),
  };
}

/** Of the alerts that a lane's state knows. */
function episodeMetrics(gauge: DeclareGauge) {
  return {
    openEpisodes: gauge('hookwatch_open_episodes', 'Alerts that are on, by metric, from the state.', [
      'tenant',
      'metric',
    ]),
    oldestEpisodeSeconds: gauge(
      'hookwatch_open_episode_oldest_seconds',
      'Age of the alert that has been on for longest, by metric, from the state; 0 where none is on.',
      ['tenant', 'metric'],
    ),
    openLongEpisodes: gauge(
      'hookwatch_open_long_episodes',
      "Alerts that have been on for an hour by the lane's watermark, by metric, from the state.",
      ['tenant', 'metric'],
    ),
    longEpisodes: gauge('hookwatch_long_episodes', 'Alerts that were ever on for an hour, by metric, from the state.', [
      'tenant',
      'metric',
    ]),
  };
}

/** Of how far absence of events can be trusted, and of backups. */
function watchedMetrics(gauge: DeclareGauge) {
  return {
    coverage: gauge(
      'hookwatch_coverage_accounts',
      'Accounts by what their own coverage is now: good, degraded, blind or unknown. What concerns all accounts is not in it. From the state.',
      ['tenant', 'provider', 'state'],
    ),
    blindSeconds: gauge(
      'hookwatch_lane_blind_seconds',
      'Of the time that may still be amended, two days as a rule: how long no edge was alive, or records were lost. From the state.',
      ['tenant'],
    ),
    blindUntil: gauge(
      'hookwatch_lane_blind_until_seconds',
      'When the lane was last blind, in seconds since 1970; 0 where it was not in the time that may still be amended. From the state.',
      ['tenant'],
    ),
    silentEndpoints: gauge(
      'hookwatch_endpoint_silent',
      '1 while an endpoint has not been called for much longer than usual, from the state.',
      ['tenant', 'endpoint'],
    ),
    recovered: gauge(
      'hookwatch_recovered',
      "What providers' APIs told and no webhook had, by provider and kind: creations, changes, deletions. From the state.",
      ['tenant', 'provider', 'missed'],
    ),
    backups: gauge(
      'hookwatch_backups',
      'Servers under a backup policy by how their backups do: ok, failing, missed or silent. From the state.',
      ['tenant', 'state'],
    ),
  };
}
