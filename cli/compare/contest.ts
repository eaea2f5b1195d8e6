/** A comparison for the monitor: the same measurements as the report's, of what has happened until now. */
import type { JourneySnapshot, Machine, Scenario, Setting, Snapshot } from '../../engine/index.ts';
import type { Both, Comparison, Contest } from '../../tui/compare/model.ts';
import { subjects, TABLES } from './measure.ts';
import { paired } from './pairs.ts';
import { settingsOf, valueText } from './settings.ts';
import { waysOf } from './ways.ts';

export function contestOf(
  machines: Both<Machine>,
  scenarios: Both<Scenario>,
  names: Both<string>,
  settings: Both<readonly Setting[]>,
): Contest {
  const label = (side: 0 | 1) => [names[side], ...settings[side].map((s) => s.asked)].join(' ');
  return {
    machines,
    labels: [label(0), label(1)],
    settings: settingsOf(...scenarios).map(
      ({ place, a, b }) => `${place}: ${valueText(a)} | ${valueText(b)}`,
    ),
    compare,
  };
}

function compare(
  before: Both<Snapshot>,
  now: Both<Snapshot>,
  fired: Both<JourneySnapshot> | null,
): Comparison {
  const passed = now.every((snapshot, side) => snapshot.time > before[side]!.time);
  const [a, b] = [0, 1].map((side) => subjects(before[side]!, now[side]!, []));
  const steps = fired ? waysOf([oneOf(fired[0])], [oneOf(fired[1])])[0]!.steps : [];
  return {
    steps,
    subjects: paired(a!, b!).map(({ name, tables }) => ({
      name,
      tables: passed
        ? tables.map(({ table, rows }) => {
            const { title, unit } = TABLES[table];
            if (title === '') return { title: name, digits: 1, rows };
            return {
              title: unit === 'us' ? `${title}, us` : `${title}${unit}`,
              digits: unit === 'us' ? 2 : 1,
              rows,
            };
          })
        : [],
    })),
  };
}

function oneOf(journey: JourneySnapshot) {
  return { fire: { device: journey.device, at: journey.start, times: 1 }, journey };
}
