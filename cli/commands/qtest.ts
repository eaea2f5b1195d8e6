/** `virqtop qtest --machine pc|virt`: interrupt chips at the other end of a qtest client's pipe. */
import { createInterface } from 'node:readline';
import { QtestPc, QtestVirt } from '../../engine/index.ts';
import type { Output } from '../output.ts';
import { Qtest } from '../qtest/protocol.ts';
import { quoted, UsageError } from '../usage.ts';

/** longest line that is looked at */
const LONGEST = 4096;

/** Answers until the input ends. @throws UsageError */
export async function qtest(
  machine: string | undefined,
  out: Output,
  input: NodeJS.ReadableStream = process.stdin,
): Promise<number> {
  if (machine !== 'pc' && machine !== 'virt') {
    throw new UsageError(
      `--machine${machine === undefined ? ' is missing' : ` ${quoted(machine)}`}: must be pc or virt`,
    );
  }
  let answers = '';
  const session = new Qtest(machine === 'pc' ? new QtestPc() : new QtestVirt(), (line) => {
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
