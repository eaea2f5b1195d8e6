/** The replay command itself: that it finds what is wrong, and says what it cannot read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { vectors } from '../../cli/commands/vectors.ts';
import { vectorFiles, vectorLines } from '../../cli/vectors/read.ts';
import type { Vector } from '../../cli/vectors/suite.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'virqtop-vectors-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function run(path = dir): Promise<{ code: number; text: string }> {
  let text = '';
  const code = await vectors(path, { write: (s) => (text += s) });
  return { code, text };
}

/** What the command complains of; it must. */
async function complaint(path = dir): Promise<string> {
  const error = await run(path).then(
    (done) => new Error(`no complaint, but ${done.text}`),
    (e: Error) => e,
  );
  expect(error.name).toBe('UsageError');
  expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  return error.message.replaceAll(dir, 'DIR');
}

function put(name: string, ...lines: unknown[]): void {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  writeFileSync(join(dir, name), name.endsWith('.gz') ? gzipSync(`${text}\n`) : `${text}\n`);
}

const DOMS = [0, 1].map((d) => ({ d, vcpus: 1, bits: 64, maxPort: 99, pirqPerm: 0, pirqBusy: 0 }));

/** A case with one IPI, sent once. */
function ipiCase(change: (ops: Record<string, unknown>[]) => void = () => {}): Vector {
  const bound = [
    ['C', 1, 64, 1, 0],
    ['p', 1, 1, 6, 0, 0, 0],
  ];
  const sent = [
    ['P', 1, 1, 1],
    ['S', 1, 0, 0, 1],
    ['U', 1, 0, 1],
  ];
  const ops: Record<string, unknown>[] = [
    { o: 'bipi', d: 1, v: 0, vcpu: 0, r: 0, port: 1, s: bound },
    { o: 'send', d: 1, v: 0, port: 1, r: 0, k: [[1, 0]], s: sent },
  ];
  change(ops);
  return { id: 'evtchn-2l/00042', init: { doms: DOMS }, ops };
}

test('a case that passes', async () => {
  put('a.jsonl', ipiCase());
  expect(await run()).toEqual({ code: 0, text: 'evtchn-2l: 1/1 cases\n' });
});

test('gzipped files are read, other files are not; a suite of several files counts as one', async () => {
  put('a.jsonl.gz', ipiCase());
  put('b.jsonl', ipiCase(), ipiCase());
  put('notes.txt', 'hello');
  expect(await run()).toEqual({ code: 0, text: 'evtchn-2l: 3/3 cases\n' });
  expect(await run(join(dir, 'a.jsonl.gz'))).toEqual({ code: 0, text: 'evtchn-2l: 1/1 cases\n' });
});

test('the first mismatch of a suite is shown, and the other cases are replayed all the same', async () => {
  const wrong = (r: number) => ipiCase((ops) => Object.assign(ops[1]!, { r }));
  put('a.jsonl', ipiCase(), wrong(-22), wrong(-1), ipiCase());
  expect(await run()).toEqual({
    code: 1,
    text:
      'evtchn-2l: 2/4 cases\n' +
      '  first mismatch: case evtchn-2l/00042, op 1 (send), key r: expected -22, got 0\n',
  });
});

test('a suite without a model is named and fails; its name comes from the case ids or the metadata', async () => {
  put('a.jsonl', { ...ipiCase(), id: 'toaster-2l/00001' });
  put('b.jsonl', { ...ipiCase(), id: 'kettle-pub-0001' });
  put('c.jsonl', { meta: 1, suite: 'evtchn-2l' }, { ...ipiCase(), id: 'whatever' });
  put('d.jsonl', { meta: 1, suite: 'mixer' }, ipiCase());
  expect(await run()).toEqual({
    code: 1,
    text: 'toaster-2l: no model\nkettle: no model\nevtchn-2l: 1/1 cases\nmixer: no model\n',
  });
});

describe('what differs is found', () => {
  const RESULTS: [string, (send: Record<string, unknown>) => void, string][] = [
    [
      'a kick that did not come',
      (op) =>
        (op.k = [
          [1, 0],
          [1, 0],
        ]),
      'key k: expected [[1,0],[1,0]], got [[1,0]]',
    ],
    ['a kick too many', (op) => delete op.k, 'key k: expected null, got [[1,0]]'],
    ['a wake that did not come', (op) => (op.w = [[1, 0]]), 'key w: expected [[1,0]], got []'],
    ['a result the model does not have', (op) => (op.bits = [3]), 'key bits: expected [3], got null'],
    [
      'a change that is not told',
      (op) => (op.s = (op.s as unknown[]).slice(1)),
      'key ["P",1,1]: expected 0, got 1',
    ],
    [
      'a change of a page that the model never touched',
      (op) => (op.s as unknown[]).push(['m', 1, 5, 3, 7]),
      'key ["m",1,5,3]: expected 7, got 0',
    ],
    [
      'a change that did not come',
      (op) => (op.s as unknown[]).push(['M', 1, 7, 1]),
      'key ["M",1,7]: expected 1, got 0',
    ],
  ];
  test.each(RESULTS)('%s', async (_name, change, shown) => {
    put(
      'a.jsonl',
      ipiCase((ops) => change(ops[1]!)),
    );
    const { code, text } = await run();
    expect(code).toBe(1);
    expect(text).toContain(`op 1 (send), ${shown}\n`);
  });

  /** Every kind of state element, in the suite where it occurs. */
  const KINDS = [
    ...['P', 'M', 'S', 'U', 'N', 'p', 'V', 'C', 'B'].map((key) => ['evtchn-2l', key] as const),
    ...['m', 'A', 'f', 'F', 'q', 'G', 'H'].map((key) => ['evtchn-fifo', key] as const),
  ];
  test.each(KINDS)('%s: one wrong number in an element %s', async (suite, key) => {
    const file = vectorFiles(join(import.meta.dirname, '../vectors')).find((f) => f.includes(`${suite}.`))!;
    const { vector, op, entry } = firstWith(file, key);
    entry[entry.length - 1]! += 1;
    if ('PMSUN'.includes(key)) entry[entry.length - 1]! %= 2;
    put('a.jsonl', vector);
    const { code, text } = await run();
    expect(code).toBe(1);
    const element = key === 'F' ? 'f' : key;
    expect(text).toContain(`case ${vector.id}, op ${op} (`);
    expect(text).toContain(`key ["${element}",${entry[1]}`);
  });
});

/** The first case of a file that has a state change of a kind. */
function firstWith(file: string, key: string): { vector: Vector; op: number; entry: number[] } {
  for (const { vector } of vectorLines(file)) {
    for (const [op, { s }] of (vector.ops as { s: number[][] }[]).entries()) {
      const entry = s.find(([k]) => (k as unknown) === key);
      if (entry) return { vector, op, entry };
    }
  }
  throw new Error(`no ${key} in ${file}`);
}

describe('what cannot be read is named in one line', () => {
  test('a folder that is not there, or has no vectors', async () => {
    expect(await complaint(join(dir, 'none'))).toBe('DIR/none: no such file or folder');
    expect(await complaint()).toMatch(/^DIR: no vector files here/);
  });

  test('a line that is not JSON, by its number', async () => {
    put('a.jsonl', ipiCase(), '{"id":');
    expect(await complaint()).toBe('DIR/a.jsonl:2: must be a JSON object on one line');
  });

  test.each([['[]'], ['7'], [''], ['null']])('a line %j', async (line) => {
    put('a.jsonl', line, ipiCase());
    expect(await complaint()).toBe('DIR/a.jsonl:1: must be a JSON object on one line');
  });

  test('an empty file; one that is not gzipped; one that is not text', async () => {
    writeFileSync(join(dir, 'a.jsonl'), '');
    expect(await complaint()).toBe('DIR/a.jsonl: is empty, must hold a case per line');
    writeFileSync(join(dir, 'a.jsonl'), Buffer.from([0xff, 0xfe, 0x0a]));
    expect(await complaint()).toBe('DIR/a.jsonl: must be UTF-8 text');
    rmSync(join(dir, 'a.jsonl'));
    writeFileSync(join(dir, 'b.jsonl.gz'), '{}');
    expect(await complaint()).toBe('DIR/b.jsonl.gz: must be gzipped');
  });

  const MALFORMED: [string, Record<string, unknown>, RegExp][] = [
    ['a case without ops', { id: 'evtchn-2l/1', init: {} }, /a case must have/],
    ['an id that tells no suite', { ...ipiCase(), id: '\u001b[31mx' }, /no suite to be told/],
    ['no domains', { ...ipiCase(), init: {} }, /"init\.doms" must be a list/],
    [
      'a domain without vCPUs',
      { ...ipiCase(), init: { doms: [{ d: 0, vcpus: 0 }] } },
      /"vcpus" must be an integer from 1/,
    ],
    ['an operation that is no object', { ...ipiCase(), ops: [7] }, /an operation must be an object/],
    ['an unknown operation', { ...ipiCase(), ops: [{ o: '\u001bfrob' }] }, /unknown operation "\\u001bfrob"/],
    [
      'an argument that is missing',
      ipiCase((ops) => delete ops[1]!.port) as never,
      /"port" must be an integer/,
    ],
    ['a domain that is not there', ipiCase((ops) => (ops[1]!.d = 5)) as never, /"d": there is no domain 5/],
    [
      'a vCPU that is not there',
      ipiCase((ops) => (ops[1]!.v = 5)) as never,
      /"v" must be an integer from 0 to 0/,
    ],
    ['no state changes', ipiCase((ops) => delete ops[1]!.s) as never, /"s" must be a list/],
    [
      'an unknown state element',
      ipiCase((ops) => (ops[1]!.s = [['Q', 1, 1, 1]])) as never,
      /unknown state element "Q"/,
    ],
    [
      'a state element beyond the last',
      ipiCase((ops) => (ops[1]!.s = [['P', 1, 4096, 1]])) as never,
      /no element/,
    ],
    [
      'a state element of another vCPU',
      ipiCase((ops) => (ops[1]!.s = [['V', 1, 3, 1, 1]])) as never,
      /no vCPU or page 3/,
    ],
    ['too many values', ipiCase((ops) => (ops[1]!.s = [['U', 1, 0, 1, 1]])) as never, /has 1 values/],
    [
      'a state change without numbers',
      ipiCase((ops) => (ops[1]!.s = [['P', 1, 'x', 1]])) as never,
      /each of "s" must be/,
    ],
    [
      'a VIRQ of the wrong kind',
      ipiCase((ops) => (ops[1] = { o: 'gvirq', virq: 0, s: [] })) as never,
      /"virq" must be a global one/,
    ],
  ];
  test.each(MALFORMED)('%s', async (_name, line, what) => {
    put('a.jsonl', ipiCase(), line);
    const message = await complaint();
    expect(message).toMatch(/^DIR\/a\.jsonl:2: /);
    expect(message).toMatch(what);
  });
});
