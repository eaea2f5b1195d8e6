/** Files that are not as they should be: one line says where and what would be right, and nothing falls over. */
import { describe, expect, test } from 'vitest';
import { UserError } from '../../engine/core/errors.ts';
import { readTrace } from '../../engine/import/import-trace.ts';
import { importHost } from '../../engine/machine/build-import.ts';
import { replayMachine } from '../../engine/machine/replay/build.ts';
import { capture } from '../support/captures.ts';
import { captureBytes, inflate } from '../support/imports.ts';

const FILE = 'some\u001b[31m.file';

/** The same numbers each time: the least significant bits of Knuth's MMIX generator are bad, so those above. */
function numbers(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number((state >> 33n) % BigInt(below));
  };
}

/** @returns what was said; undefined: it was taken */
function said(bytes: Uint8Array, drive = false): string | undefined {
  try {
    const trace = readTrace({ file: FILE, bytes, inflate });
    if (trace && drive) replayMachine(trace, 1).runUntil(3_000_000);
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message } = error;
    expect(message).toMatch(/^some\\x1b\[31m\.file:( offset \d+:|\d+:)? [^\n\u0000-\u001f]{10,400}$/);
    return message;
  }
}

/** Of all variants what was said, or that they were taken. */
function all(variants: Iterable<Uint8Array>, drive?: boolean): { refused: string[]; taken: number } {
  const refused: string[] = [];
  let taken = 0;
  for (const bytes of variants) {
    const message = said(bytes, drive);
    if (message === undefined) taken++;
    else refused.push(message);
  }
  return { refused, taken };
}

function* truncated(bytes: Uint8Array, seed: number, times: number): Generator<Uint8Array> {
  const random = numbers(seed);
  for (let n = 0; n < 64; n++) yield bytes.subarray(0, n);
  for (let n = 0; n < times; n++) yield bytes.subarray(0, random(bytes.length));
}

function* flipped(
  bytes: Uint8Array,
  seed: number,
  times: number,
  within = bytes.length,
): Generator<Uint8Array> {
  const random = numbers(seed);
  for (let n = 0; n < times; n++) {
    const copy = bytes.slice();
    for (let bit = 0; bit <= random(3); bit++) copy[random(within)]! ^= 1 << random(8);
    yield copy;
  }
}

/** All bits set, or the largest that is positive, in place of each word of the beginning. */
function* enormous(bytes: Uint8Array, within: number, step: number): Generator<Uint8Array> {
  for (let at = 0; at + 4 <= within; at += step) {
    for (const [a, b] of [
      [0xff, 0xff],
      [0xff, 0x7f],
    ] as const) {
      const copy = bytes.slice();
      copy.fill(a, at, at + 3);
      copy[at + 3] = b;
      yield copy;
    }
  }
}

const xentrace = captureBytes('xen-x86/hvm-pc.all.xentrace.gz').subarray(0, 40_000);

describe('xentrace', () => {
  test('cut off anywhere but between two windows, it says where', () => {
    const { refused, taken } = all(truncated(xentrace, 1, 150));
    expect(refused.length).toBeGreaterThan(200);
    expect(taken).toBeLessThan(10);
    expect(refused.filter((m) => /offset \d+: .* is cut off after \d+/.test(m)).length).toBeGreaterThan(140);
  });

  test('cut off behind each of its records', () => {
    const view = new DataView(xentrace.buffer, xentrace.byteOffset);
    const borders: number[] = [];
    for (let at = 0; at < 4000; ) {
      borders.push(at);
      const head = view.getUint32(at, true);
      at += 4 + (head >>> 31) * 8 + ((head >>> 28) & 7) * 4;
    }
    expect(borders.length).toBeGreaterThan(150);
    const { refused } = all(borders.map((at) => xentrace.subarray(0, at)));
    expect(refused.length).toBe(borders.length);
  });

  test('with bits turned it is read, or says where it is wrong', () => {
    const whole = captureBytes('xen-x86/hvm-pc.all.xentrace.gz');
    const end = windowsEnd(whole, 40_000);
    const { refused, taken } = all(flipped(whole.slice(0, end), 2, 120), true);
    expect(refused.length).toBeGreaterThan(5);
    expect(taken).toBeGreaterThan(5);
  });

  test('enormous words', () => {
    const end = windowsEnd(xentrace, 8_000);
    expect(all(enormous(xentrace.slice(0, end), 400, 4)).refused.length).toBeGreaterThan(10);
  });
});

/** Where the first windows of about so many bytes end. */
function windowsEnd(bytes: Uint8Array, about: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let end = 0;
  while (end + 12 < bytes.length && end < about) end += 12 + view.getUint32(end + 8, true);
  return end;
}

describe.each(['v6.trace.dat.gz', 'v7.trace.dat.gz', 'v7-zstd.trace.dat'])('trace.dat, %s', (name) => {
  const file = captureBytes(`traces/${name}`);

  test('cut off anywhere, it says where', () => {
    const { refused, taken } = all(truncated(file, 3, 120));
    // behind the last page of a CPU nothing is needed
    expect(taken).toBeLessThan(20);
    expect(refused.length).toBeGreaterThan(150);
  });

  test('with bits turned in what describes it', () => {
    const { refused } = all(flipped(file, 4, 200, Math.min(file.length, 6000)), false);
    expect(refused.length).toBeGreaterThan(20);
  });

  test('with bits turned in its pages', () => {
    const pages = new Uint8Array(file);
    const random = numbers(5);
    const variants = Array.from({ length: 60 }, () => {
      const copy = pages.slice();
      for (let n = 0; n < 4; n++) copy[4096 + random(copy.length - 4096)]! ^= 1 << random(8);
      return copy;
    });
    expect(all(variants, true).refused.length + all(variants.slice(0, 1)).taken).toBeGreaterThan(0);
  });

  test('enormous sizes and counts', () => {
    expect(all(enormous(file, 800, 4)).refused.length).toBeGreaterThan(40);
  });
});

describe('the text of ftrace', () => {
  const text = captureBytes('xen-x86/kvm-text-trace.txt.gz').subarray(0, 60_000);

  test('cut off within a line, it names the line, or the rest of the line was not needed', () => {
    const { refused } = all(truncated(text, 6, 80));
    expect(refused.length).toBeGreaterThan(20);
    for (const message of refused) expect(message).toMatch(/file:(\d+:)? /);
  });

  test('with bits turned', () => {
    const { refused } = all(flipped(text, 7, 60), true);
    expect(refused.length).toBeGreaterThan(5);
  });

  test.each([
    [
      'a line that is none',
      'kvm-1 [000] d... 1.000000: kvm_entry: vcpu 0\nwhat is this\n',
      ':2: no event of a trace',
    ],
    ['time that goes back', `${at(2)}${at(1)}`, ':2: time goes back'],
    [
      'an event whose text is another',
      'q-1 [000] 1.000000: kvm_entry: cpu 0\n',
      ':1: kvm_entry cannot be read',
    ],
    [
      'a number that no computer has',
      `q-1 [000] 1.000000: kvm_entry: vcpu ${'9'.repeat(30)}\n`,
      ':1: kvm_entry cannot',
    ],
    [
      'a CPU that no guest has',
      'q-1 [000] 1.000000: kvm_entry: vcpu 70000\n',
      'virtual CPU 70000: below 256',
    ],
    ['no guest', 'q-1 [000] 1.000000: sched_switch: x\n', 'no virtual CPU enters its guest'],
    ['a line as long as a book', `${at(1)}${'x'.repeat(70_000)}\n`, ':2: longer than 65536 bytes'],
    ['a year', `${at(1)}${at(31_536_000)}`, 'a day at most would be right'],
  ])('%s', (_, lines, what) => {
    expect(said(new TextEncoder().encode(lines))).toContain(what);
  });

  test('control characters in the name of a task stay out of what is shown', () => {
    const line = 'q\u001b[2Jx-1 [000] 1.000000: kvm_entry: vcpu 0\n';
    const trace = readTrace({ file: FILE, bytes: new TextEncoder().encode(line), inflate })!;
    const machine = replayMachine(trace, 1);
    expect(JSON.stringify([machine.scenario.title, machine.devices()])).not.toContain('\\u001b');
  });
});

function at(second: number): string {
  return `q-1 [000] ${second}.000000: kvm_entry: vcpu 0\n`;
}

describe('other files', () => {
  test('garbage of any length', () => {
    const random = numbers(8);
    const garbage = Array.from({ length: 100 }, () =>
      Uint8Array.from({ length: random(3000) }, () => random(256)),
    );
    const { refused } = all(garbage.filter((g) => g.includes(0)));
    expect(refused.length).toBeGreaterThan(80);
    // magic numbers of both, and then garbage
    const heads = [
      [0x03, 0xf0, 0x01, 0x20],
      [0x17, 0x08, 0x44],
      [0x17, 0x08, 0x44, ...new TextEncoder().encode('tracing6\0')],
    ];
    const behind = heads.flatMap((head) => garbage.map((g) => Uint8Array.from([...head, ...g])));
    expect(all(behind).refused.length).toBeGreaterThan(280);
  });

  test.each([
    ['PERFILE2\0\0\0', 'it is perf.data'],
    ['\u007fELF\0\0', 'it is a program'],
    ['PK\u0003\u0004', 'it is a zip archive'],
    ['\0\0\0\0\0\0\0\0', 'it is of no kind that is known'],
    ['', 'it is empty'],
  ])('%j', (bytes, what) => {
    const message = said(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
    expect(message).toContain(what);
    expect(message).toContain('would be right');
  });

  test('tables of /proc/interrupts with bits turned, or cut off', () => {
    const table = new TextEncoder().encode(capture('xen-x86/domU-hvm-pc.interrupts.1.txt'));
    let refused = 0;
    for (const bytes of [...flipped(table, 9, 150), ...truncated(table, 10, 60)]) {
      const text = new TextDecoder().decode(bytes);
      try {
        importHost({ files: [{ name: FILE, text }], uptimeSeconds: 10, seed: 1 }).runUntil(1_000_000);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.message).toMatch(/^[^\n\u0000-\u001f]{10,400}$/);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(50);
  });
});
