/**
 * Recordings of runs, a line of JSON for each thing: what ran, each command with its place, where somebody went back
 * in time and did something else, and where it ended. What was written before a crash can be read.
 */
import * as z from 'zod';
import { FormatError } from '../core/errors.ts';
import { command } from './command-schema.ts';
import { complain, type Issue } from './complaint.ts';
import { first, sentence } from './load.ts';
import { FORMAT, type RecordedPlace, type RecordingHead } from './recording-lines.ts';

const whole = z.int().min(0);
const events = whole.describe('events that had run');
const at = whole.describe('simulated ns');

const HEAD = z.strictObject({
  recording: z.literal(FORMAT).describe('version of the format'),
  virqtop: z.string().describe('version of the program'),
  scenario: z.union([
    z.string(),
    z.strictObject({ file: z.string(), text: z.string().describe('the file as it is written') }),
  ]),
  seed: whole,
});

const KINDS = {
  command: z.strictObject({ events, at, command }),
  back: z.strictObject({
    back: z.strictObject({ events, at, done: whole.describe('commands that stand') }),
  }),
  end: z.strictObject({ end: z.strictObject({ events, at }) }),
};

/** A command, and where it was given. */
export type Recorded = z.infer<typeof KINDS.command>;

export interface Recording {
  readonly head: RecordingHead;
  readonly commands: readonly Recorded[];
  readonly end: RecordedPlace;
}

/** @throws FormatError naming the file, the line and what would be right */
export function parseRecording(text: string, file: string): Recording {
  const lines = text.split('\n');
  // a line that was cut short was never written
  const cut = lines.pop();
  if (cut !== '' && cut !== undefined && isJson(cut)) lines.push(cut);
  if (lines.length === 0) throw new FormatError(file, 1, 'is empty: must begin with {"recording":1,...}');
  const reader = new Reader(file, check(HEAD, read(lines[0]!, file, 1), file, 1));
  lines.slice(1).forEach((line, i) => void reader.line(read(line, file, i + 2), i + 2));
  return reader.recording;
}

class Reader {
  private commands: Recorded[] = [];
  private end: RecordedPlace = { events: 0, at: 0 };
  private ended = false;

  constructor(
    private readonly file: string,
    private readonly head: RecordingHead,
  ) {}

  get recording(): Recording {
    return { head: this.head, commands: this.commands, end: this.end };
  }

  line(data: unknown, number: number): void {
    const { file } = this;
    if (this.ended) throw new FormatError(file, number, 'comes after the end: that must be the last line');
    const keys = typeof data === 'object' && data !== null ? Object.keys(data) : [];
    if (keys.includes('back')) this.goBack(check(KINDS.back, data, file, number).back, number);
    else if (keys.includes('end')) {
      this.goOn(check(KINDS.end, data, file, number).end, number);
      this.ended = true;
    } else {
      const done = check(KINDS.command, data, file, number);
      this.goOn(done, number);
      this.commands.push(done);
    }
  }

  private goOn({ events, at }: RecordedPlace, number: number): void {
    const { end } = this;
    if (events < end.events || at < end.at) {
      const before = `event ${end.events}, ${end.at} ns`;
      throw new FormatError(
        this.file,
        number,
        `is at event ${events}, ${at} ns: must not be before ${before}`,
      );
    }
    this.end = { events, at };
  }

  private goBack({ events, at, done }: RecordedPlace & { done: number }, number: number): void {
    const last = this.commands[done - 1] ?? { events: 0, at: 0 };
    if (done > this.commands.length) {
      const are = `there are ${this.commands.length} before it`;
      throw new FormatError(this.file, number, `back.done: ${done} commands cannot stand, ${are}`);
    }
    this.commands = this.commands.slice(0, done);
    this.end = last;
    this.goOn({ events, at }, number);
  }
}

function check<T extends z.ZodType>(schema: T, data: unknown, file: string, line: number): z.output<T> {
  const parsed = schema.safeParse(data, { reportInput: true });
  if (parsed.success) return parsed.data;
  const complaint = complain(schema, first(parsed.error.issues as Issue[]), data)[0]!;
  throw new FormatError(file, line, sentence(complaint));
}

function read(line: string, file: string, number: number): unknown {
  if (!isJson(line)) throw new FormatError(file, number, 'is no JSON: must be one object a line');
  return JSON.parse(line);
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
