/** The golden vectors: every case of every suite, compared whole after every operation. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vectors } from '../../cli/commands/vectors.ts';

test('every case of every suite passes', async () => {
  let text = '';
  const code = await vectors(join(import.meta.dirname, '../vectors'), { write: (s) => (text += s) });
  expect(text).toBe('evtchn-2l: 300/300 cases\nevtchn-fifo: 300/300 cases\n');
  expect(code).toBe(0);
});
