/** Reading the user's files: text of a bearable size, or bytes, or a line saying why not. */
import { closeSync, existsSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { printable, UsageError } from './usage.ts';

/** A scenario is a page, a capture of a thousand CPUs a few megabytes. */
const LARGEST = 32 * 1024 * 1024;
/** traces of some minutes */
const LARGEST_CAPTURE = 256 * 1024 * 1024;
const GZIP = [0x1f, 0x8b];

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'is a directory, not a file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** The text of a file; pipes and files of /proc, which tell no size, are fine too. */
export function readText(file: string): string {
  return textOf(file, readBytes(file, LARGEST));
}

/** What is in a file, which may be packed by gzip. */
export function readCapture(file: string): Uint8Array {
  const bytes = readBytes(file, LARGEST_CAPTURE);
  if (!GZIP.every((byte, i) => bytes[i] === byte)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_CAPTURE });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(file, LARGEST_CAPTURE, ' once it is unpacked');
    throw new UsageError(
      `${printable(file)}: cannot be unpacked (${message}); a whole gzip file would be right`,
    );
  }
}

/** The text that a file's bytes are. */
export function textOf(file: string, bytes: Uint8Array): string {
  if (bytes.length > LARGEST) throw tooLarge(file, LARGEST);
  return decode(file, bytes);
}

function tooLarge(file: string, most: number, when = ''): UsageError {
  return new UsageError(`${printable(file)}: too large${when}, at most ${most / 1024 / 1024} MiB`);
}

/** The text of standard input, by the name that messages have for it. */
export async function readStandardInput(name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    total += chunk.length;
    if (total > LARGEST) throw tooLarge(name, LARGEST);
  }
  return decode(name, Buffer.concat(chunks));
}

function readBytes(file: string, most: number): Buffer {
  if (file === '') throw new UsageError('the name of a file is empty');
  if (file.includes('\0')) throw new UsageError(`${printable(file)}: no such file`);
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    const fd = openSync(file, 'r');
    try {
      for (;;) {
        const chunk = Buffer.allocUnsafe(65_536);
        const n = readSync(fd, chunk);
        if (n === 0) break;
        chunks.push(chunk.subarray(0, n));
        total += n;
        if (total > most) break;
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`${printable(file)}: ${REASONS[code] ?? `cannot be read (${code})`}`);
  }
  if (total > most) throw tooLarge(file, most);
  return Buffer.concat(chunks);
}

function decode(file: string, bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new UsageError(`${printable(file)}: not a text file (a zero byte at offset ${nul})`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new UsageError(`${printable(file)}: not a text file (not UTF-8)`);
  }
}

const WRITE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such directory',
  ENOTDIR: 'no such directory',
  EISDIR: 'is a directory, not a file',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left',
};

/** Why a file of the user's could not be written. */
export function whyNotWritten(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return WRITE_REASONS[code] ?? `cannot be written (${code})`;
}

/**
 * Makes the folder, and those that it is in. Node's own way to do so goes round for ever where there can be none, as
 * below /proc. @throws Error of the system
 */
export function makeFolder(folder: string, mode = 0o777): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder), mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
