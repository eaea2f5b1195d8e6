/**
 * Scenario files that somebody got wrong, at random: either they say so in one line, or they are machines
 * that run. FUZZ_RUNS=N makes N runs, from FUZZ_SEED or a seed of the moment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findControl, UserError } from '../../engine/core/errors.ts';
import { buildMachine } from '../../engine/machine/build.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { checkScenario, parseScenario } from '../../engine/scenario/load.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';
import { mutated } from '../support/mutate.ts';
import { scenarioText } from '../support/random-scenario.ts';
import { limit, runs } from '../support/runs.ts';

const DIR = join(import.meta.dirname, '../../engine/scenario/builtin');
const BUILTIN = readdirSync(DIR).map((name) => readFileSync(join(DIR, name), 'utf8'));

/** The machine of a text, or what its user is told. */
function tryToBuild(text: string): Machine | string {
  try {
    return buildMachine(parseScenario(text, 'some.yaml'), 1);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** One line, fit for a terminal, that names file and line; of a machine that cannot boot, the scenario. */
function checkMessage(message: string): void {
  expect(findControl(message), JSON.stringify(message)).toBe(-1);
  expect(message).toMatch(/^some\.yaml:\d+: \S|^[\w.:[\]-]+: .*-ENOSPC/);
  expect(message.length).toBeLessThan(400);
}

function checkMachine(machine: Machine): void {
  machine.runUntil(2_000_000);
  for (const { name } of machine.platform.fireables) machine.fire(name);
  machine.runUntil(3_000_000);
  const snapshot = takeSnapshot(machine);
  expect(machine.platform.pendingMismatch()).toEqual([]);
  expect(findControl(JSON.stringify(snapshot))).toBe(-1);
  for (const a of snapshot.books) {
    const ignored = Object.values(a.ignored).reduce((x, y) => x + y, 0);
    expect(a.delivered + a.coalesced + a.pending + ignored).toBe(a.raised);
  }
}

/** All mistakes have the one that is told first among them; a text without any is one that loads. */
function checkMistakes(text: string): void {
  const { scenario, mistakes } = checkScenario(text, 'some.yaml');
  for (const { message } of mistakes) checkMessage(message);
  expect(mistakes.map((m) => m.line)).toEqual(mistakes.map((m) => m.line).sort((a, b) => a - b));
  let first: string | undefined;
  try {
    expect(parseScenario(text, 'some.yaml')).toEqual(scenario);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    first = error.message;
  }
  if (first === undefined) expect(mistakes).toEqual([]);
  else expect(mistakes.map((m) => m.message)).toContain(first);
}

function survives(text: string): 'message' | 'machine' {
  checkMistakes(text);
  const built = tryToBuild(text);
  if (typeof built === 'string') {
    checkMessage(built);
    return 'message';
  }
  checkMachine(built);
  return 'machine';
}

test(
  'slips in the built-in scenarios',
  () => {
    const seen = { message: 0, machine: 0 };
    fc.assert(
      fc.property(mutated(BUILTIN), (text) => {
        seen[survives(text)]++;
      }),
      runs(400),
    );
    // both kinds in numbers, or the slips are too small or too large to find anything
    expect(Math.min(seen.message, seen.machine)).toBeGreaterThan((seen.message + seen.machine) / 20);
  },
  limit(),
);

test(
  'slips in scenarios at random',
  () => {
    fc.assert(
      fc.property(
        scenarioText.chain((text) => mutated([text])),
        (text) => {
          survives(text);
        },
      ),
      runs(150),
    );
  },
  limit(),
);

test(
  'noise',
  () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        survives(text);
      }),
      runs(300),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^([a-z]+: |- |[[\]{},&*!|>'"%@`#\n\t 0-9]){0,60}$/), (text) => {
        survives(text);
      }),
      runs(300),
    );
  },
  limit(),
);
