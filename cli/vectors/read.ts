/** Vector files: JSON lines, plain or gzipped, an optional line of metadata first. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { printable, UsageError } from '../usage.ts';
import { type Fields, isFields, type Vector } from './suite.ts';

/** the largest set of vectors is a few megabytes */
const LARGEST = 256 * 1024 * 1024;

export interface VectorLine {
  /** file and line, to name in a message; printable */
  readonly at: string;
  readonly suite: string;
  readonly meta: Fields | undefined;
  readonly vector: Vector;
}

/** The vector files of a folder by name; a file stands for itself. @throws UsageError */
export function vectorFiles(path: string): string[] {
  let names: string[];
  try {
    if (!statSync(path).isDirectory()) return [path];
    names = readdirSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const files = names.filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  if (files.length === 0)
    throw new UsageError(`${printable(path)}: no vector files here (*.jsonl, *.jsonl.gz)`);
  return files.map((name) => join(path, name));
}

/** The cases of a file in turn. @throws UsageError naming file and line */
export function* vectorLines(file: string): Generator<VectorLine> {
  const lines = readText(file).split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`${printable(file)}: is empty, must hold a case per line`);
  let meta: Fields | undefined;
  for (const [i, line] of lines.entries()) {
    const at = `${printable(file)}:${i + 1}`;
    const fields = parseLine(line, at);
    if (i === 0 && fields.meta !== undefined) {
      meta = fields;
      continue;
    }
    const { id, init, ops, s0 } = fields;
    if (typeof id !== 'string' || !isFields(init) || !Array.isArray(ops)) {
      throw new UsageError(`${at}: a case must have a string "id", an object "init" and a list "ops"`);
    }
    yield { at, suite: suiteOf(id, meta, at), meta, vector: { id, init, ops, s0 } };
  }
}

function parseLine(line: string, at: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (!isFields(value)) throw new UsageError(`${at}: must be a JSON object on one line`);
  return value;
}

/** `evtchn-2l/00007` and `i8259-pub-0007` tell their suite, if the file's metadata does not. */
function suiteOf(id: string, meta: Fields | undefined, at: string): string {
  const name = meta?.suite ?? /^(.+?)(?:\/\d+|-[a-z]+-\d+)$/.exec(id)?.[1];
  if (typeof name === 'string' && /^[a-z0-9-]{1,40}$/.test(name)) return name;
  throw new UsageError(`${at}: no suite to be told from the case's id, must be like "evtchn-2l/00007"`);
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    if (statSync(file).size > LARGEST) throw new UsageError(`${printable(file)}: larger than 256 MiB`);
    bytes = readFileSync(file);
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(file, error);
  }
  if (file.endsWith('.gz')) bytes = unpack(file, bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${printable(file)}: must be UTF-8 text`);
  }
}

function unpack(file: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST });
  } catch (error) {
    const large = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new UsageError(`${printable(file)}: ${large ? 'unpacks to more than 256 MiB' : 'must be gzipped'}`);
  }
}

function unreadable(path: string, error: unknown): UsageError {
  const { code } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'no such file or folder' : `cannot be read (${code ?? String(error)})`;
  return new UsageError(`${printable(path)}: ${why}`);
}
