/** One bad file for each message. */
import { describe, expect, test } from 'vitest';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { parseSoftirqs } from '../../engine/proc/softirqs.ts';
import { parseStat } from '../../engine/proc/stat.ts';
import { capture } from '../support/captures.ts';

const GOOD = capture('xen-x86/dom0-q35-load.interrupts.1.txt');

/** The good file with one line changed. */
function edit(line: number, change: (s: string) => string): string {
  const lines = GOOD.split('\n');
  const changed = change(lines[line - 1]!);
  expect(changed).not.toBe(lines[line - 1]);
  lines[line - 1] = changed;
  return lines.join('\n');
}

function message(parse: () => unknown): string {
  try {
    parse();
  } catch (e) {
    return (e as Error).message;
  }
  return 'was read';
}

const ZERO = '          0 ';

describe('/proc/interrupts that is none', () => {
  test.each([
    ['nothing', '', 'A:1: the file is empty; a header with CPU0 CPU1 ... would be right'],
    ['another file', 'hello\n', 'A:1: "hello" in the header; CPU0 CPU1 ... would be right'],
    ['no rows', `${GOOD.split('\n')[0]}\n`, 'A:1: no rows below the header'],
    ['a cut file', GOOD.slice(0, 500), 'A:7: the last line is cut off; a line end would be right'],
    [
      'DOS line ends',
      GOOD.replaceAll('\n', '\r\n'),
      'A:1: character \\x0d in column 56; lines end in \\n alone',
    ],
    [
      'an escape sequence',
      edit(4, (s) => `${s}\x1b[31m`),
      'A:4: character \\x1b in column 81; plain text would be right',
    ],
    ['CPUs out of order', edit(1, (s) => s.replace('CPU2', 'CPU1')), 'A:1: CPU1 after CPU1; CPUs ascend'],
    [
      'a header moved',
      edit(1, (s) => s.slice(1)),
      'A:1: "CPU0       C" in column 11; Linux would print " CPU0       " there',
    ],
    [
      'a column too few',
      edit(4, (s) => s.replace(ZERO, '')),
      'A:4: irq 8 has 3 counts; 4 as in the header would be right',
    ],
    [
      'a column too many',
      edit(4, (s) => s.replace(ZERO, ZERO + ZERO)),
      'A:4: irq 8 has more counts than the header CPUs; 4 would be right',
    ],
    [
      'a column too few below',
      edit(55, (s) => s.replace(ZERO, '')),
      'A:55: NMI has 3 counts; 4 as in the header would be right',
    ],
    [
      'a count beyond 32 bits',
      edit(6, (s) => s.replace(ZERO, ' 9999999999 ')),
      'A:6: count 9999999999 of irq 12; at most 4294967295 would be right',
    ],
    [
      'a number beyond everything',
      edit(6, (s) => s.replace(ZERO, `${'9'.repeat(30)} `)),
      `A:6: number ${'9'.repeat(24)}... is too large; at most 4294967295 would be right`,
    ],
    ['no colon', edit(6, () => ' oops'), 'A:6: no number or name with a colon in " oops"'],
    [
      'a row without counts',
      edit(6, () => ' 12:'),
      'A:6: irq 12 has 0 counts; 4 as in the header would be right',
    ],
    ['numbers out of order', edit(6, (s) => s.replace('12:', ' 3:')), 'A:6: irq 3 below 9; numbers ascend'],
    ['a number below the names', `${GOOD}  1: 0\n`, 'A:74: irq 1 below PIW; numbers come first'],
    ['a name twice', `${GOOD}NMI: 0\n`, 'A:74: a second row NMI'],
    [
      'a row without a chip',
      edit(6, (s) => s.slice(0, 48)),
      'A:6: irq 12 has no chip; its name would follow the counts',
    ],
    [
      'a blank missing',
      edit(7, (s) => s.replace(ZERO, ZERO.slice(1))),
      'A:7: "0          0" in column 14; Linux 4.13 to 6.13 would print " 0          " there',
    ],
  ])('%s', (_what, text, wanted) => {
    expect(message(() => parseInterrupts(text, 'A'))).toBe(wanted);
  });

  test('the name of the file is made fit for a terminal too', () => {
    expect(message(() => parseInterrupts('', 'a\x1b[2Jb'))).toMatch(/^a\\x1b\[2Jb:1: /);
  });
});

describe('/proc/softirqs and /proc/stat that are none', () => {
  const softirqs = capture('xen-x86/dom0-q35-load.softirqs.1.txt');
  const stat = capture('xen-x86/dom0-q35-load.stat.1.txt');
  test.each([
    ['nothing', '', 'S:1: the file is empty; a header with CPU0 CPU1 ... would be right'],
    ['/proc/interrupts', GOOD, 'S:1: "CPU0       C" in column 12; Linux would print "         CPU" there'],
    [
      'a column too few',
      softirqs.replace('          0          2', '          2'),
      'S:2: HI has 3 counts; 4 as in the header would be right',
    ],
    ['a row twice', `${softirqs}${softirqs.split('\n')[1]}\n`, 'S:12: a second row HI'],
    ['no number', softirqs.replace('HI:', 'HI '), expect.stringMatching(/^S:2: .*would be right$/)],
  ])('softirqs: %s', (_what, text, wanted) => {
    expect(message(() => parseSoftirqs(text, 'S'))).toEqual(wanted);
  });

  test.each([
    ['nothing', '', 'T:1: the file is empty; a line "cpu  ..." would be right'],
    ['garbage', 'x\n', 'T:1: "x"; a name and numbers would be right'],
    ['a line missing', stat.replace(/ctxt.*\n/, ''), 'T:7: line btime; ctxt would be right'],
    ['two numbers', stat.replace(/ctxt/, 'ctxt 1'), 'T:7: ctxt with 2 numbers; 1 would be right'],
    ['CPUs out of order', stat.replace('cpu2', 'cpu1'), 'T:4: cpu1 out of order; CPUs ascend'],
    [
      'a blank too many',
      stat.replace('cpu1 ', 'cpu1  '),
      'T:3: "cpu1  30 0 982 25967 442 0 52 ..." is not as Linux spaces or counts it',
    ],
    [
      'an end too early',
      stat.slice(0, stat.indexOf('procs_blocked')),
      'T:10: the file ends here; a line procs_blocked would be right',
    ],
  ])('stat: %s', (_what, text, wanted) => {
    expect(message(() => parseStat(text, 'T'))).toBe(wanted);
  });
});
