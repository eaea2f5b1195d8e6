/** The golden vectors: every case of every suite, compared whole after every operation. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vectors } from '../../cli/commands/vectors.ts';

test('every case of every suite passes', async () => {
  let text = '';
  const code = await vectors(join(import.meta.dirname, '../vectors'), { write: (s) => (text += s) });
  expect(text.split('\n').filter((line) => line !== '')).toEqual([
    'evtchn-2l: 300/300 cases',
    'evtchn-fifo: 300/300 cases',
    'i8259: 450/450 cases',
    'ioapic: 450/450 cases',
    'lapic: 450/450 cases',
    'routing: 450/450 cases',
    'vgic-core: 400/400 cases',
    'vgic-quirk: 220/220 cases',
    'vgic-v3: 400/400 cases',
    'xen: 400/400 cases',
  ]);
  expect(code).toBe(0);
});
