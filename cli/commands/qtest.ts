/** `virqtop qtest --machine pc|virt`: interrupt chips at the other end of a qtest client's pipe. */
import { createInterface } from 'node:readline';
import { type QtestMachine, QtestPc, QtestVirt } from '../../engine/index.ts';
import type { Output } from '../output.ts';
import { Qtest } from '../qtest/protocol.ts';
import { quoted, UsageError } from '../usage.ts';

/** longest line that is looked at */
const LONGEST = 4096;

/** Boards as QEMU's -machine has them. */
const MACHINES = new Map<string, () => QtestMachine>([
  ['pc', () => new QtestPc()],
  ['virt', () => new QtestVirt(2)],
  ['virt,gic-version=2', () => new QtestVirt(2)],
  ['virt,gic-version=3', () => new QtestVirt(3)],
]);

/** Answers until the input ends. @throws UsageError */
export async function qtest(
  machine: string | undefined,
  out: Output,
  input: NodeJS.ReadableStream = process.stdin,
): Promise<number> {
  const board = MACHINES.get(machine ?? '');
  if (!board) {
    const what = machine === undefined ? ' is missing' : ` ${quoted(machine)}`;
    throw new UsageError(`--machine${what}: must be pc, virt or virt,gic-version=3`);
  }
  let answers = '';
  const session = new Qtest(board(), (line) => {
    answers += `${line}\n`;
  });
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    session.line(line.length > LONGEST ? 'overlong' : line);
    const text = answers;
    answers = '';
    await out.write(text);
  }
  return 0;
}
