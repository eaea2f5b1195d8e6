/** Files of demos: what they come out as, and where mistakes are told to be. */
import { expect, test } from 'vitest';
import type * as z from 'zod';
import { builtinScenario, builtinScenarios } from '../../engine/index.ts';
import type { Command } from '../../engine/machine/commands.ts';
import type { command } from '../../engine/scenario/command-schema.ts';
import { parseDemo } from '../../engine/scenario/load-demo.ts';

const SHELF = {
  names: builtinScenarios().map((s) => s.name),
  take: (name: string) => builtinScenario(name)!,
};
const demo = (text: string) => parseDemo(text, 'd.yaml', SHELF);

const HEAD = 'demo: d\ntitle: t\nscenario: kvm\nend: 2s\n';

/** Files may say every command that there is, and no other. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const same: Same<Command['do'], z.output<typeof command>['do']> = true;

test('every command may stand in a file', () => {
  expect(same).toBe(true);
});

test('steps come by time, those of the demo and of the run together', () => {
  const { runs, end } = demo(
    `${HEAD}steps: [{at: 1s, caption: one}, {at: 250ms, pause: true}]
runs:
  - {name: a, title: x, steps: [{at: 0.5, speed: max}]}
  - {name: b, title: y, scenario: kvm-apicv, settings: [cpus=6]}
`,
  );
  expect(end).toBe(2e9);
  expect(runs[0]!.steps.map((s) => [s.at, s.caption, s.pause, s.speed])).toEqual([
    [0.25e9, undefined, true, undefined],
    [0.5e9, undefined, false, 'max'],
    [1e9, 'one', false, undefined],
  ]);
  expect(runs.map(({ scenario }) => [scenario.name, scenario.cpus])).toEqual([
    ['kvm', 4],
    ['kvm-apicv', 6],
  ]);
});

test('settings of the demo are those of every run of its scenario', () => {
  const { runs } = demo(`${HEAD}settings: [cpus=8]\nruns: [{name: a, title: x, settings: [apicv=true]}]\n`);
  expect(runs[0]!.scenario).toMatchObject({ cpus: 8, apicv: true });
});

test.each([
  ['demo: d\ntitle: t\nscenario: kvm\n', '1: end: missing, expected a simulated time as 2s, 250ms or 10us'],
  [`${HEAD}step: []\n`, '5: step: unknown key, expected steps'],
  [HEAD.replace('2s', 'soon'), '4: end: expected a simulated time as 2s, 250ms or 10us'],
  [HEAD.replace('kvm', 'kwm'), '3: scenario: there is no scenario kwm, expected kvm'],
  [
    `${HEAD}steps:\n  - {at: 1s}\n  - at: 1s\n    do:\n      - {do: fire}\n`,
    '9: steps[1].do[0].device: missing, expected a name of 1 to 40 letters, digits and . _ : [ ] -',
  ],
  [`${HEAD}steps:\n  - {at: 3s}\n`, '6: steps[0].at: the demo ends at 2s, expected an earlier time'],
  [`${HEAD}expect:\n  - time > 1\n  - tim > 1\n`, /^7: expect\[1\]: 'tim' is not in a snapshot/],
  [`${HEAD}expect:\n  - time since 1s > 1\n`, '6: expect[0]: there is no step at 1s to count from'],
  [`${HEAD}expect:\n  - time of b > 1\n`, '6: expect[0]: one run alone, expected no `of`'],
  [`${HEAD}runs: [{name: a, title: x}]\nexpect:\n  - time of b > 1\n`, '7: expect[0]: there is no run b'],
  [
    `${HEAD}runs: [{name: a, title: x},\n {name: a, title: x}]\n`,
    /^6: runs\[1\]\.name: a second run of that name/,
  ],
  [`${HEAD}settings:\n  - cpus\n`, /^6: settings\[0\]: expected a setting/],
  [`${HEAD}settings:\n  - cpus=no\n`, /^6: settings: "cpus=no": kvm: cpus: expected a whole number/],
  [
    'demo: d\ntitle: t\nend: 2s\nscenario:\n  name: s\n  title: t\n  kvm: "6.1"\n  vms:\n    - {vcpus: 0}\n',
    '9: scenario.vms[0].vcpus: expected a whole number from 1 to 256, got 0',
  ],
  [
    `${HEAD}steps: [{at: 0, caption: "a\\e[2J"}]\n`,
    /^5: steps\[0\]\.caption: expected text of at most 400 printable/,
  ],
])('%s', (text, message) => {
  let said = '';
  try {
    demo(text);
  } catch (error) {
    said = (error as Error).message;
  }
  expect(said.replace(/^d\.yaml:/, '')).toEqual(
    message instanceof RegExp ? expect.stringMatching(message) : message,
  );
});
