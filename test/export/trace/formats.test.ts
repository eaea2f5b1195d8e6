/** Events of KVM are described as a real kernel's tracefs does: Linux 6.1.192. */
import { expect, test } from 'vitest';
import { traceHost } from '../../../engine/exchange.ts';
import { kvmEvents } from '../../../engine/export/trace/linux-events.ts';
import { declare, formatText } from '../../../engine/export/trace/schema.ts';
import { buildMachine, builtinScenario } from '../../../engine/index.ts';
import { capture, captureNames } from '../../support/captures.ts';

const FORMATS = captureNames(/\bformat-/);
const EVENTS = kvmEvents(traceHost(buildMachine(builtinScenario('kvm')!, 1))).flatMap((p) => p.events);

/** Real names of exits on SVM, and of those that no guest here has: left out, the rest is the same. */
function withoutExitNames(format: string): string {
  return format
    .replace('reason %s%s%s rip', 'reason %s rip')
    .replace(/\(REC->isa == 1\).*(?=, REC->guest_rip)/, 'names')
    .replace(/__print_symbolic\(REC->exit_reason & 0xffff, .*(?=, REC->guest_rip)/, 'names');
}

test.each(FORMATS)('%s', (file) => {
  const real = capture(file);
  const [, name, id] = /^name: (\S+)\nID: (\d+)$/m.exec(real)!;
  const ours = EVENTS.find((event) => event.name === name)!;
  expect(withoutExitNames(formatText(declare(Number(id), ours)))).toBe(withoutExitNames(real));
});

test('there are such of both interrupt chips, of messages, and of exits', () => {
  expect(FORMATS).toHaveLength(13);
});
