/** Recorded traces drive machines of the same kind: what was raised is raised, and follows the ways of the simulator. */
import { describe, expect, test } from 'vitest';
import type { RecordedSource, TraceCapture } from '../../engine/import/capture.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { replayMachine } from '../../engine/machine/replay/build.ts';
import { type Snapshot, takeSnapshot } from '../../engine/snapshot.ts';
import { traceOf } from '../support/imports.ts';

const END = 10_000_000;

function played(capture: TraceCapture, seed = 42): { machine: Machine; snapshot: Snapshot } {
  const machine = replayMachine(capture, seed);
  machine.runUntil(capture.length + END);
  return { machine, snapshot: takeSnapshot(machine) };
}

/** Interrupts of a domain's row, over all CPUs. */
function counted({ domains }: Snapshot, domain: string, name: string): number {
  const { interrupts } = domains.find((d) => d.name === domain)!;
  const row = interrupts.rows.find((r) => r.actions.includes(name));
  const counts = row?.counts ?? interrupts.arch.find((r) => r.label === name)!.counts;
  return counts.reduce((a, b) => a + b, 0);
}

/** Every raise has come to something. */
function expectBalanced({ books }: Snapshot): void {
  expect(books.length).toBeGreaterThan(0);
  for (const b of books) {
    const ignored = Object.values(b.ignored).reduce((x, y) => x + y, 0);
    expect(b.delivered + b.coalesced + b.pending + ignored, b.source).toBe(b.raised);
  }
}

describe('the text of KVM', () => {
  const capture = traceOf('xen-x86/kvm-text-trace.txt.gz');
  const { machine, snapshot } = played(capture);
  const { sources } = capture.guests[0]!;
  const recorded = (name: string) => sources.find((s) => s.name === name)!;

  test('a KVM host with its machine, whose devices can be fired', () => {
    expect(snapshot.system).toBe('KVM on Linux 6.1 x86_64');
    expect(snapshot.domains.map((d) => [d.name, d.vcpus.length])).toEqual([
      ['host', 4],
      ['vm1', 2],
    ]);
    expect(machine.platform.fireables.map((f) => f.name)).toContain('vm1.gsi-10');
  });

  test.each(['gsi-4', 'msi-0x45.0', 'msi-0x45.1'])('%s comes as often as it was raised', (name) => {
    expect(counted(snapshot, 'vm1', name)).toBe(recorded(name).raises);
  });

  test('an edge that is held comes again with the EOI of a level of its vector, as in KVM', () => {
    const { vectors } = snapshot.domains[1]!.x86!;
    const vectorOf = (name: string) =>
      vectors.flatMap((of) => Object.keys(of).filter((v) => of[Number(v)]!.includes(name)));
    expect(vectorOf('gsi-0')).toEqual(vectorOf('gsi-10'));
    expect(counted(snapshot, 'vm1', 'gsi-0')).toBeGreaterThan(recorded('gsi-0').raises);
    const { raised } = snapshot.books.find((b) => b.source === 'vm1.gsi-0' && b.raised > 100)!;
    expect(raised).toBeGreaterThanOrEqual(recorded('gsi-0').raises - 1);
  });

  test('a level is raised once and comes again after every EOI while it is held', () => {
    const level = recorded('gsi-10');
    // and each time in its name
    const delivered = (source: string) =>
      snapshot.books.filter((b) => b.source === source).reduce((n, b) => n + b.delivered, 0);
    expect(delivered('vm1.gsi-10')).toBe(counted(snapshot, 'vm1', 'gsi-10'));
    expect(counted(snapshot, 'vm1', 'gsi-10')).toBeGreaterThan(3 * level.raises);
  });

  test('its timer and its IPIs', () => {
    expect(counted(snapshot, 'vm1', 'LOC')).toBeGreaterThan(recorded('timer.0').raises * 0.95);
    expect(counted(snapshot, 'vm1', 'LOC')).toBeLessThan(recorded('timer.0').raises * 1.05);
    expect(counted(snapshot, 'vm1', 'CAL')).toBe(recorded('ipi.0-1').raises);
  });

  test('a user raises what the recording raises, by key or by row, masked or not', () => {
    const other = replayMachine(capture, 42);
    other.runUntil(capture.length + END);
    const irqOf = (name: string) =>
      takeSnapshot(other).domains[1]!.interrupts.rows.find((r) => r.actions.includes(name))!.irq;
    const came = (name: string) => counted(takeSnapshot(other), 'vm1', name);
    for (const name of ['gsi-4', 'msi-0x45.1']) {
      const before = came(name);
      expect(other.do({ do: 'fire', device: `vm1.${name}` }).journey).toBeGreaterThan(0);
      other.runUntil(other.clock.now + END);
      expect(other.do({ do: 'raise', domain: 'vm1', irq: irqOf(name) }).journey).toBeGreaterThan(0);
      other.runUntil(other.clock.now + END);
      expect(came(name) - before, name).toBe(2);
    }
    // disable_irq is lazy: the first that comes is kept and replayed, the second finds the message masked
    other.do({ do: 'mask', domain: 'vm1', irq: irqOf('msi-0x45.1'), masked: true });
    other.runUntil(other.clock.now + END);
    const before = came('msi-0x45.1');
    for (let n = 0; n < 2; n++) {
      other.do({ do: 'fire', device: 'vm1.msi-0x45.1' });
      other.runUntil(other.clock.now + END);
    }
    expect(came('msi-0x45.1') - before).toBeLessThanOrEqual(1);
    expectBalanced(takeSnapshot(other));
    other.do({ do: 'mask', domain: 'vm1', irq: irqOf('msi-0x45.1'), masked: false });
    other.runUntil(other.clock.now + END);
    expect(came('msi-0x45.1') - before).toBeGreaterThanOrEqual(1);
    expectBalanced(takeSnapshot(other));
  });

  test('the virtual CPUs leave by HLT about as often as the real ones', () => {
    const { rows } = snapshot.domains[1]!.exits!;
    const hlt = rows.find((r) => r.name === 'HLT')!.counts.reduce((a, b) => a + b, 0);
    const real = capture.guests[0]!.exits.total('HLT');
    expect(hlt / real).toBeGreaterThan(0.8);
    expect(hlt / real).toBeLessThan(1.2);
  });

  test('nothing is lost, and nothing is left behind', () => {
    expectBalanced(snapshot);
    expect(machine.platform.pendingMismatch()).toEqual([]);
    // the end of the recording is the end of its raises
    const before = counted(snapshot, 'vm1', 'gsi-10');
    machine.runUntil(capture.length + 10 * END);
    expect(counted(takeSnapshot(machine), 'vm1', 'gsi-10')).toBe(before);
  });

  test('saved in the middle it goes on byte for byte', () => {
    const half = replayMachine(capture, 42);
    half.runUntil(capture.length / 2);
    const saved = half.save();
    const again = replayMachine(capture, 42);
    again.restore(JSON.parse(JSON.stringify(saved)));
    again.runUntil(capture.length + END);
    expect(JSON.stringify(takeSnapshot(again))).toBe(JSON.stringify(snapshot));
  });
});

describe('xentrace of an HVM guest', () => {
  const capture = traceOf('xen-x86/hvm-pc.all.xentrace.gz');
  const { machine, snapshot } = played(capture);
  const [guest] = capture.guests;
  const raises = (kind: RecordedSource['kind']) =>
    guest!.sources.filter((s) => s.kind === kind).reduce((n, s) => n + s.raises, 0);

  test('a Xen host with its guest', () => {
    expect(snapshot.system).toBe('Xen 4.17 x86_64');
    expect(snapshot.domains.map((d) => [d.name, d.vcpus.length])).toEqual([
      ['dom0', 4],
      ['dom1', 2],
    ]);
  });

  test('every event from dom0 reaches the virtual CPU that it was for', () => {
    for (const name of ['event.0', 'event.1']) {
      const source = guest!.sources.find((s) => s.name === name)!;
      // a channel fires once as it is bound
      const came = counted(snapshot, 'dom1', name) - source.raises;
      expect(came, name).toBeGreaterThanOrEqual(0);
      expect(came, name).toBeLessThanOrEqual(1);
    }
  });

  test('its devices tell what they have raised', () => {
    const events = machine.devices().filter((d) => d.name.startsWith('dom1.event'));
    expect(events.length).toBe(2);
    for (const { name, sources } of events) {
      const raised = snapshot.books
        .filter((b) => sources.includes(b.source))
        .reduce((n, b) => n + b.raised, 0);
      expect(raised, name).toBe(counted(snapshot, 'dom1', name.slice('dom1.'.length)));
    }
  });

  test('the guest calls its other CPU, and its timers expire, as they did', () => {
    expect(counted(snapshot, 'dom1', 'CAL')).toBeGreaterThan(raises('ipi') * 0.95);
    expect(counted(snapshot, 'dom1', 'CAL')).toBeLessThanOrEqual(raises('ipi'));
    const timers = counted(snapshot, 'dom1', 'timer0') + counted(snapshot, 'dom1', 'timer1');
    expect(timers).toBeGreaterThan(raises('timer') * 0.95);
    expect(timers).toBeLessThan(raises('timer') * 1.05);
  });

  test('the interrupt of the host comes to dom0', () => {
    expect(capture.irqs.map((s) => [s.name, s.raises])).toEqual([['irq-11', 1]]);
    expect(counted(snapshot, 'dom0', 'irq-11')).toBe(1);
  });

  test('nothing is lost, and the same file makes the same run', () => {
    expectBalanced(snapshot);
    expect(machine.platform.pendingMismatch()).toEqual([]);
    expect(JSON.stringify(played(capture).snapshot)).toBe(JSON.stringify(snapshot));
  });
});
