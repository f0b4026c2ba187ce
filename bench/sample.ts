import type { EventName } from '../services/simulator/item.ts';
import { generateScenario } from '../services/simulator/scenario.ts';

const bodies = new Map<EventName, object>();

/** The last body of an event that the simulator makes: of an entity that has all that it will ever have. */
export function sampleBody(event: EventName): object {
  if (bodies.size === 0) {
    const scenario = { seed: 1, startMs: Date.UTC(2026, 0, 5, 9), rate: 500, seconds: 10, root: 'NWND' };
    for (const item of generateScenario(scenario)) bodies.set(item.event, JSON.parse(item.body.toString()));
  }
  return bodies.get(event)!;
}
