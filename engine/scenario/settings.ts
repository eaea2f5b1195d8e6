/**
 * Settings: a scenario with some of its values changed, as the command line asks for it. The outcome is checked by the same
 * schema as a file is; what is wrong with it is told of the setting that did it.
 */
import { printable, quoted, UserError } from '../core/errors.ts';
import { type Complaint, complain, placeOf } from './complaint.ts';
import { readDocument } from './document.ts';
import type { Scenario } from './kinds.ts';
import { first, parseScenario, sentence } from './load.ts';
import { schemaFor } from './schema.ts';

/** Keys and indices from the top of a document. */
export type Place = readonly (string | number)[];

/** A place in the document, and what shall stand there. */
export interface Setting {
  /** how messages name it, fit for the terminal: `--b 'apicv=true'` */
  readonly label: string;
  /** as it was asked for: `apicv=true` */
  readonly asked: string;
  readonly place: Place;
  /** YAML; empty: the key is taken away, so that its default holds */
  readonly text: string;
}

/** `apicv=true`, `vms[0].vcpus=2`: keys with dots between them, indices in brackets, then YAML; undefined: it is none. */
export function settingOf(asked: string): Setting | undefined {
  const [, path, text] = /^([^.[\]=]+(?:\.[^.[\]=]+|\[\d{1,9}\])*)=(.*)$/s.exec(asked) ?? [];
  if (path === undefined) return undefined;
  const steps = path.match(/[^.[\]]+|\[\d+\]/g)!;
  const place = steps.map((s) => (s[0] === '[' ? Number(s.slice(1, -1)) : s));
  return { label: quoted(asked), asked, place, text: text! };
}

/** A mapping or a list. */
type Container = Record<string | number, unknown>;

/** A scenario file with settings. @throws UserError naming the file, or the setting, and what was expected */
export function parseScenarioWith(text: string, file: string, settings: readonly Setting[]): Scenario {
  const scenario = parseScenario(text, file);
  if (settings.length === 0) return scenario;
  const { data, lineOf } = readDocument(text, file).content!; // it has just been read
  return changed(data, printable(file, Infinity), settings, (c) => `:${lineOf(c.path, c.ofKey)}`);
}

/** A finished scenario, one of the built-in ones, with settings. @throws UserError naming the setting */
export function changeScenario(scenario: Scenario, settings: readonly Setting[]): Scenario {
  return settings.length === 0 ? scenario : changed(scenario, scenario.name, settings, () => '');
}

/**
 * @param name of the document, in complaints
 * @param line of what was not set, `:12`; empty where the user has no file to look into
 */
function changed(
  data: unknown,
  name: string,
  settings: readonly Setting[],
  line: (complaint: Complaint) => string,
): Scenario {
  const document = JSON.parse(JSON.stringify(data)) as Container; // what aliases share is apart in the copy
  for (const setting of settings) put(document, name, setting, given(setting));
  for (;;) {
    const outcome = check(document);
    if (!('wrong' in outcome)) return outcome.scenario;
    const { wrong } = outcome;
    const guilty = settings.findLast((s) => touches(s.place, wrong.path));
    if (guilty && meantAsText(document, name, guilty, wrong.path)) continue;
    const by = guilty ? guilty.label : settings.map((s) => s.label).join(' ');
    throw new UserError(`${by}: ${name}${guilty ? '' : line(wrong)}: ${sentence(wrong)}`);
  }
}

function check(document: unknown): { readonly scenario: Scenario } | { readonly wrong: Complaint } {
  const schema = schemaFor(document);
  const parsed = schema.safeParse(document, { reportInput: true });
  if (parsed.success) return { scenario: parsed.data };
  return { wrong: complain(schema, first(parsed.error.issues), document)[0]! };
}

/** Is one of them the other or within it? The whole document is nobody's place. */
function touches(set: Place, wrong: Place): boolean {
  const most = Math.min(set.length, wrong.length);
  return most > 0 && wrong.slice(0, most).every((key, n) => key === set[n]);
}

/**
 * Text that looks like a number or a truth: a file would quote it, but the shell takes quotes away. Puts it in as text, and
 * leaves it so if that is what was wanted.
 */
function meantAsText(document: Container, name: string, setting: Setting, wrong: Place): boolean {
  const value = valueAt(document, setting.place);
  if (wrong.length !== setting.place.length || !['number', 'boolean'].includes(typeof value)) return false;
  put(document, name, setting, setting.text.trim());
  const again = check(document);
  if ('scenario' in again || !touches(setting.place, again.wrong.path)) return true;
  put(document, name, setting, value);
  return false;
}

/** @throws UserError where it is no YAML */
function given({ label, text }: Setting): unknown {
  if (/^\s*(~|null)?\s*$/.test(text)) return undefined;
  const { mistakes, content } = readDocument(text, label);
  if (!content || mistakes.length > 0) throw new UserError(`${label}: ${mistakes[0]!.problem}`);
  return content.data;
}

/** Sets the place; undefined takes it away. Mappings on the way to it are made. */
function put(document: Container, name: string, { label, place }: Setting, value: unknown): void {
  let at = document;
  place.forEach((key, n) => {
    checkStep(at, `${label}: ${name}`, place.slice(0, n), key);
    if (n === place.length - 1) {
      if (value !== undefined) define(at, key, value);
      else if (Array.isArray(at)) at.splice(key as number, 1);
      else delete at[key];
      return;
    }
    if (!Object.hasOwn(at, key)) define(at, key, typeof place[n + 1] === 'number' ? [] : {});
    at = at[key] as Container;
  });
}

/** @throws UserError if there is no such thing as `key` in the value at `place` */
function checkStep(at: unknown, document: string, place: Place, key: string | number): void {
  const complaint = (what: string) => new UserError(`${document}: ${placeOf(place)}: ${what}`);
  if (typeof at !== 'object' || at === null) throw complaint('expected keys and values there, got one value');
  if (Array.isArray(at) !== (typeof key === 'number')) {
    throw complaint(Array.isArray(at) ? 'a list, expected an index as [0]' : 'no list, expected a key');
  }
  if (Array.isArray(at) && (key as number) > at.length) {
    const last = at.length === 0 ? 'empty' : `a list of ${at.length}`;
    throw complaint(`${last}, expected an index up to [${at.length}], which adds one`);
  }
}

/** A key of its own, whatever it is called. */
function define(at: Container, key: string | number, value: unknown): void {
  Object.defineProperty(at, key, { value, writable: true, enumerable: true, configurable: true });
}

function valueAt(document: Container, place: Place): unknown {
  let at: unknown = document;
  for (const key of place) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Container)[key];
  }
  return at;
}
