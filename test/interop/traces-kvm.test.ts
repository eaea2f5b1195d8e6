/** Traces of a KVM host, read by the tools that read such; what they count is what the machine has counted. */
import { afterAll, describe, expect, test } from 'vitest';
import { counted, exitsOf, isThere, linesOf, printed, tally, traced } from '../support/traced.ts';

const run = traced('kvm', 1e9, 1e9, ['ftrace', 'trace-dat', 'jsonl']);
afterAll(() => run.remove());

const exits = exitsOf(run);
/** the host's first disk queue, by the row of its /proc/interrupts */
const DISK = run.after.domains[0]!.interrupts.rows.find((r) => r.actions[0] === 'nvme0q1')!.irq;

test('the run is worth looking at', () => {
  expect(Object.keys(exits).length).toBeGreaterThan(5);
  expect(counted(run, 'host', DISK)).toBeGreaterThan(10);
});

test('JSON lines: each record once, with the exits that were counted', () => {
  const [head, ...records] = linesOf(run.file.jsonl!).map((l) => JSON.parse(l));
  expect(head).toMatchObject({ kind: 'kvm', scenario: 'kvm', seed: 42, cpus: 4 });
  expect(records.length).toBe(run.records);
  const reasons = records.filter((r) => r.event === 'kvm_exit').map((r) => head.exits[r.reason]);
  expect(tally(reasons)).toEqual(exits);
  const times = records.map((r) => r.time);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("ftrace: exits by reason in the kernel's words, and who has the CPU", () => {
  const lines = linesOf(run.file.ftrace!).filter((l) => !l.startsWith('#'));
  expect(lines.length).toBe(run.records);
  const form = /^ *(.+)-(\d+) +\[(\d{3})\] d\.{4} +\d+\.\d{6}: (\w+): (.*)$/;
  const events = lines.map((l) => form.exec(l)!);
  expect(events.every((e) => e !== null)).toBe(true);
  const reasons = events.filter((e) => e[4] === 'kvm_exit').map((e) => /reason (\w+)/.exec(e[5]!)![1]!);
  expect(tally(reasons)).toEqual(exits);
  // between two switches a CPU is its thread's, and the next switch is from that one
  const on = new Map<string, string>();
  for (const [, , pid, cpu, name, text] of events) {
    if (name !== 'sched_switch') continue;
    const [, prev, next] = /prev_pid=(\d+) .*next_pid=(\d+)/.exec(text!)!;
    expect([pid, prev]).toEqual([on.get(cpu!) ?? prev, on.get(cpu!) ?? prev]);
    on.set(cpu!, next!);
  }
  expect(on.size).toBe(4);
});

describe.skipIf(!isThere('trace-cmd'))('trace-cmd', () => {
  const lines = isThere('trace-cmd')
    ? printed('trace-cmd', 'report', '-t', run.file['trace-dat']!).trimEnd().split('\n')
    : [];
  const form = /^ *(.+)-(\d+) +\[(\d{3})\] +(\d+\.\d{9}): (\w+): +(.*)$/;

  test('prints every event, with the times that they have', () => {
    expect(lines[0]).toBe('cpus=5');
    const times = lines.slice(1).map((l) => form.exec(l)![4]!.replace('.', ''));
    const ours = linesOf(run.file.jsonl!)
      .slice(1)
      .map((l) => JSON.parse(l).time as number);
    expect(times.map(Number)).toEqual(ours);
  });

  test('decodes exits by its plugin for KVM, as many as were counted', () => {
    // it has not learnt the newer name
    const { INTERRUPT_WINDOW: PENDING_INTERRUPT, ...others } = exits;
    const reasons = lines.flatMap((l) => /kvm_exit: +reason (\w+)/.exec(l)?.[1] ?? []);
    expect(tally(reasons)).toEqual({ ...others, ...(PENDING_INTERRUPT && { PENDING_INTERRUPT }) });
  });

  test("finds the host's interrupts, with their drivers", () => {
    const name = `irq=${DISK} name=nvme0q1`;
    expect(lines.filter((l) => l.includes(`irq_handler_entry:    ${name}`)).length).toBe(
      counted(run, 'host', DISK),
    );
  });

  test('prints our own events by their print fmt', () => {
    const own = lines.filter((l) => l.includes('kvm_vcpu_kick: '));
    expect(own.length).toBeGreaterThan(10);
    expect(own[0]).toMatch(/kvm_vcpu_kick: +vcpu=\d+ cpu=\d+ journey=\d+$/);
  });
});
