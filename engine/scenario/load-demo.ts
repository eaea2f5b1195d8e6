/** Demos from YAML text: mistakes are told as those of scenarios are, by file, line and what would be right. */
import { FormatError, UserError } from '../core/errors.ts';
import { complain } from './complaint.ts';
import type { Demo, DemoCommand, DemoStep } from './demo.ts';
import { type DemoFile, demoSchema } from './demo-schema.ts';
import { type Content, readDocument } from './document.ts';
import type { Scenario } from './kinds.ts';
import { first, sentence } from './load.ts';
import { schemaFor } from './schema.ts';
import { changeScenario, settingOf } from './settings.ts';
import { near, oneOf } from './words.ts';

export { parseScenario } from './load.ts';

/** The scenarios that a demo may name. */
export interface ScenarioShelf {
  readonly names: readonly string[];
  take(name: string): Scenario;
}

/** @throws UserError naming the file, the line and what was expected */
export function parseDemo(text: string, file: string, shelf: ScenarioShelf): Demo {
  const { mistakes, content } = readDocument(text, file);
  if (!content || mistakes.length > 0) throw mistakes[0]!;
  const parsed = demoSchema.safeParse(content.data, { reportInput: true });
  if (!parsed.success) {
    const complaint = complain(demoSchema, first(parsed.error.issues), content.data)[0]!;
    throw new FormatError(file, content.lineOf(complaint.path, complaint.ofKey), sentence(complaint));
  }
  return new Loader(parsed.data, content, file, shelf).demo();
}

class Loader {
  constructor(
    private readonly doc: DemoFile,
    private readonly content: Content,
    private readonly file: string,
    private readonly shelf: ScenarioShelf,
  ) {}

  demo(): Demo {
    const { doc } = this;
    const { demo: name, title, about, seed, end, expect } = doc;
    if (doc.runs.length === 0) {
      const scenario = this.scenario(undefined, [], []);
      const only = {
        name: '',
        title: '',
        scenario,
        settings: doc.settings,
        steps: sorted(doc.steps),
        expect,
      };
      return { name, title, about: oneParagraph(about), seed, end, runs: [only], expect: [] };
    }
    const runs = doc.runs.map((run, i) => ({
      name: run.name,
      title: run.title,
      scenario: this.scenario(run.scenario, run.settings, ['runs', i]),
      settings: run.settings,
      steps: sorted([...doc.steps, ...run.steps]),
      expect: run.expect,
    }));
    return { name, title, about: oneParagraph(about), seed, end, runs, expect };
  }

  /** The scenario of a run with all its settings. */
  private scenario(
    named: string | undefined,
    settings: readonly string[],
    path: readonly (string | number)[],
  ): Scenario {
    const wanted = named ?? this.doc.scenario;
    const base =
      typeof wanted === 'string'
        ? this.taken(wanted, named === undefined ? ['scenario'] : [...path, 'scenario'])
        : this.inline(wanted);
    const ofDemo = named === undefined ? this.doc.settings : [];
    return this.changed(this.changed(base, ofDemo, ['settings']), settings, [...path, 'settings']);
  }

  private taken(name: string, path: readonly (string | number)[]): Scenario {
    const { names } = this.shelf;
    if (names.includes(name)) return this.shelf.take(name);
    throw this.wrong(path, `there is no scenario ${name}, expected ${near(name, names) ?? oneOf(names)}`);
  }

  private inline(data: unknown): Scenario {
    const schema = schemaFor(data);
    const parsed = schema.safeParse(data, { reportInput: true });
    if (parsed.success) return parsed.data;
    const { path, ofKey, text } = complain(schema, first(parsed.error.issues), data)[0]!;
    throw this.wrong(['scenario', ...path], text, ofKey);
  }

  private changed(
    scenario: Scenario,
    texts: readonly string[],
    path: readonly (string | number)[],
  ): Scenario {
    const settings = texts.map((text, i) => {
      const setting = settingOf(text);
      if (!setting) throw this.wrong([...path, i], 'must be PATH=VALUE, as apicv=true or vms[0].vcpus=2');
      return setting;
    });
    try {
      return changeScenario(scenario, settings);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw this.wrong(path, error.message);
    }
  }

  private wrong(path: readonly (string | number)[], text: string, ofKey?: true): FormatError {
    return new FormatError(this.file, this.content.lineOf(path, ofKey), sentence({ path, text }));
  }
}

/** By time; those of one time as they are written. */
function sorted(steps: DemoFile['steps']): DemoStep[] {
  return [...steps]
    .sort((a, b) => a.at - b.at)
    .map((step) => ({ ...step, do: step.do as readonly DemoCommand[] }));
}

function oneParagraph(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
