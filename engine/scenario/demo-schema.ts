/** What the file of a demo may say. */
import * as z from 'zod';
import { command } from './command-schema.ts';
import { needsOf, parseExpectation } from './expectation.ts';
import { momentOf, momentText } from './moment.ts';
import { name, printed, rules, scenarioName, title } from './shapes.ts';
import type { Wrong } from './xen-rules.ts';

const VIEWS = ['interrupts', 'pending', 'exits', 'path', 'latency', 'events', 'devices', 'host'] as const;

/** Lines of its own; control characters beside their ends are not text. */
const TEXT = /^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]*$/u;
const paragraph = (most: number) =>
  z
    .string()
    .max(most)
    .regex(TEXT)
    .meta({ expected: `text of at most ${most} printable characters` });

const moment = z
  .union([z.string(), z.number()])
  .refine((text) => momentOf(text) !== undefined, { error: 'expected a simulated time as 2s, 250ms or 10us' })
  .transform((text) => momentOf(text)!)
  .meta({ expected: 'a simulated time as 2s, 250ms or 10us' });

const expectation = z
  .string()
  .max(300)
  .superRefine((text, ctx) => {
    try {
      parseExpectation(text);
    } catch (error) {
      ctx.addIssue({ code: 'custom', message: (error as Error).message });
    }
  })
  .meta({ expected: 'a sentence as domains[vm1].interrupts[LOC].total since 2s == 0' });
const expectations = z.array(expectation).max(100).default([]);

const step = z.strictObject({
  at: moment.describe('when, in simulated time'),
  caption: paragraph(400).optional().describe('what the monitor says from here on, in one to three lines'),
  expect: expectations.describe('what must hold at that time, before anything is done'),
  do: z.array(command).max(100).default([]).describe('what is done to the machine'),
  domain: name.optional().describe('whom the monitor shows: a domain, or Xen'),
  view: z.enum(VIEWS).optional().describe('which of its views'),
  row: printed(60).optional().describe('the row that is chosen, by its name in the first column'),
  speed: z
    .union([z.literal('max'), z.number().min(1e-6).max(1e6)])
    .optional()
    .meta({ expected: 'simulated seconds per second, 1e-6 to 1e6, or max' }),
  pause: z.boolean().default(false).describe('the monitor pauses until space is pressed'),
});

const steps = z.array(step).max(200).default([]);
const setting = z
  .string()
  .max(500)
  .regex(/^[^=]+=/)
  .meta({ expected: 'a setting as apicv=true or vms[0].vcpus=2' });

const run = z.strictObject({
  name: name.describe('which `of` and --run name it by'),
  title: title.describe('what is different in it, in one line'),
  scenario: name.optional().describe('without it that of the demo'),
  settings: z.array(setting).max(50).default([]).describe('on top of those of the demo'),
  steps: steps.describe('among those of the demo, by time'),
  expect: expectations.describe('what must hold at its end'),
});

export const demoSchema = z
  .strictObject({
    demo: scenarioName.describe('what the demo is called'),
    title,
    about: paragraph(2_000).default('').describe('what to look at, in a paragraph'),
    scenario: z
      .union([name, z.record(z.string(), z.unknown())])
      .describe('the name of a built-in scenario, or all of one')
      .meta({ expected: 'the name of a scenario, or a scenario' }),
    settings: z
      .array(setting)
      .max(50)
      .default([])
      .describe('values changed in it, as compare --a takes them'),
    seed: z.int().min(0).default(42).describe('same seed, same run'),
    end: moment.describe('when each run is over, in simulated time'),
    steps,
    runs: z
      .array(run)
      .max(8)
      .default([])
      .describe('machines that go through the steps one after the other; without it one'),
    expect: expectations.describe(
      'what must hold at the end; between several runs each path says `of` which',
    ),
  })
  .check(rules(checkDemo));

export type DemoFile = z.output<typeof demoSchema>;

/** Undefined where it is no expectation, which is complained of elsewhere. */
function needsIn(text: string): ReturnType<typeof needsOf> | undefined {
  try {
    return needsOf(parseExpectation(text));
  } catch {
    return undefined;
  }
}

/** What the parts must have in common: steps before the end, times and runs that expectations name. */
function checkDemo(demo: DemoFile, wrong: Wrong): void {
  const names = demo.runs.map((r) => r.name);
  names.forEach((n, i) => {
    if (names.indexOf(n) < i) wrong(['runs', i, 'name'], 'a second run of that name, expected another one');
  });
  const all = [demo.steps, ...demo.runs.map((r) => r.steps)];
  const moments = new Set(all.flat().map((s) => s.at));
  const check = (texts: readonly string[], path: (string | number)[], ofRuns: boolean) =>
    texts.forEach((text, i) => {
      const needs = needsIn(text);
      if (!needs) return;
      const { since, runs } = needs;
      const stray = since.find((at) => !moments.has(at));
      if (stray !== undefined) wrong([...path, i], `there is no step at ${momentText(stray)} to count from`);
      const stranger = runs.find((r) => !names.includes(r));
      if (runs.length > 0 && !ofRuns) wrong([...path, i], 'one run alone, expected no `of`');
      else if (stranger !== undefined) wrong([...path, i], `there is no run ${stranger}`);
      if (ofRuns && since.length > 0) wrong([...path, i], 'ends of runs alone, expected no `since`');
    });
  const checkSteps = (list: DemoFile['steps'], path: (string | number)[]) =>
    list.forEach((s, i) => {
      if (s.at > demo.end) {
        wrong([...path, i, 'at'], `the demo ends at ${momentText(demo.end)}, expected an earlier time`);
      }
      check(s.expect, [...path, i, 'expect'], false);
    });
  checkSteps(demo.steps, ['steps']);
  demo.runs.forEach((r, i) => {
    checkSteps(r.steps, ['runs', i, 'steps']);
    check(r.expect, ['runs', i, 'expect'], false);
  });
  check(demo.expect, ['expect'], demo.runs.length > 0);
}
