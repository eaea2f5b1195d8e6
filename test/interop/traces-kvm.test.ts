/** Traces of a KVM host, read by the tools that read such; what they count is what the machine has counted. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { timing } from '../../engine/timing.ts';
import { counted, exitsOf, isThere, linesOf, printed, tally, traced } from '../support/traced.ts';
import { lastOf, parseVcd, setOf } from '../support/vcd.ts';

const run = traced('kvm', 1e9, 1e9, ['ftrace', 'trace-dat', 'perf', 'ctf', 'vcd', 'chrome', 'jsonl']);
afterAll(() => run.remove());

const exits = exitsOf(run);
/** the host's first disk queue, by the row of its /proc/interrupts */
const DISK = run.after.domains[0]!.interrupts.rows.find((r) => r.actions[0] === 'nvme0q1')!.irq;

/** What a counter of KVM's has counted in the run, over all machines. */
function statOf(name: string): number {
  const total = (s: typeof run.after) =>
    s.domains.reduce((n, d) => n + (d.exits?.stats.find(([stat]) => stat === name)?.[1] ?? 0), 0);
  return total(run.after) - total(run.before);
}

test('the run is worth looking at', () => {
  expect(Object.keys(exits).length).toBeGreaterThan(5);
  expect(counted(run, 'host', DISK)).toBeGreaterThan(10);
});

test('JSON lines: each record once, with the exits that were counted', () => {
  const [head, ...records] = linesOf(run.file.jsonl!).map((l) => JSON.parse(l));
  expect(head).toMatchObject({ kind: 'kvm', scenario: 'kvm', seed: 42, cpus: 4 });
  expect(records.length).toBe(run.records);
  const reasons = records.filter((r) => r.event === 'kvm_exit').map((r) => head.exits[r.args.reason]);
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

  test('tells how halts ended and by what: what was polled, and the time of it, as counted', () => {
    const polled = lines.flatMap(
      (l) => /kvm_vcpu_wakeup: +poll time (\d+) ns, polling valid$/.exec(l)?.[1] ?? [],
    );
    expect(polled.length).toBeGreaterThan(0);
    expect(polled.length).toBe(statOf('halt_successful_poll'));
    expect(polled.reduce((n, ns) => n + Number(ns), 0)).toBe(statOf('halt_poll_success_ns'));
    const slept = lines.filter((l) => /kvm_vcpu_wakeup: +wait time \d+ ns, polling valid$/.test(l));
    expect(Math.abs(slept.length - statOf('halt_wakeup'))).toBeLessThan(8);
    expect(lines.some((l) => /kvm_halt_poll_ns: +vcpu \d: halt_poll_ns 10000 \(grow 0\)$/.test(l))).toBe(
      true,
    );
  });

  test('has a PV EOI for each bit that a guest has cleared', () => {
    const of = (name: string) => lines.filter((l) => l.includes(`${name}: `)).length;
    expect(of('kvm_pv_eoi')).toBeGreaterThan(1_000);
    expect(Math.abs(of('kvm_pv_eoi') - of('kvm_guest_apic_eoi_write'))).toBeLessThan(8);
  });

  test('tells of each way to user space and back, as often as exits are counted that QEMU handles', () => {
    const of = (what: RegExp) => lines.filter((l) => what.test(l)).length;
    const left = of(/kvm_userspace_exit: +reason KVM_EXIT_(IO \(2\)|MMIO \(6\))$/);
    expect(left).toBeGreaterThan(1_000);
    expect([of(/kvm_fpu: +unload$/), of(/kvm_fpu: +load$/)]).toEqual([left, left]);
    expect(left).toBe(statOf('fpu_reload'));
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

describe.skipIf(!isThere('perf'))('perf', () => {
  const form = /^ +(\S+) +(\d+) +([\d.]+)% +([\d.]+)% +([\d.]+)us +([\d.]+)us +([\d.]+)us/;
  const table = (...options: string[]) =>
    printed('perf', 'kvm', '-i', run.file.perf!, 'stat', 'report', ...options)
      .split('\n')
      .flatMap((l) => {
        const [, name, samples, , , , , mean] = form.exec(l) ?? [];
        return name === undefined ? [] : [{ name, samples: Number(samples), us: Number(mean) }];
      });

  test('kvm stat report: our table of exits, with their times', () => {
    const rows = table();
    expect(rows.map((r) => r.name).sort()).toEqual(Object.keys(exits).sort());
    const vcpus = run.after.domains.slice(1).reduce((n, d) => n + d.vcpus.length, 0);
    const totals = (time: 'before' | 'after', name: string) =>
      run[time].domains.flatMap((d) => d.exits?.rows ?? []).filter((r) => r.name === name);
    for (const { name, samples, us } of rows) {
      // those that the end of the trace finds outside have no entry
      expect(exits[name]! - samples, name).toBeGreaterThanOrEqual(0);
      expect(exits[name]! - samples, name).toBeLessThanOrEqual(vcpus);
      if (samples < 100 || name === 'HLT') continue;
      const ns = (time: 'before' | 'after') => totals(time, name).reduce((n, r) => n + r.totalNs, 0);
      // our table begins behind the exit itself
      const mean = (ns('after') - ns('before')) / exits[name]! + timing.vmExit;
      expect(Math.abs(us * 1000 - mean), name).toBeLessThan(Math.max(6, mean * 0.02));
    }
  });

  test('kvm stat report: accesses to ports, one for each exit of theirs', () => {
    const rows = table('--event=ioport');
    expect(rows.map((r) => r.name)).toContain('0x1f7:PIN');
    const samples = rows.reduce((n, r) => n + r.samples, 0);
    expect(Math.abs(exits.IO_INSTRUCTION! - samples)).toBeLessThan(8);
  });

  test('kvm stat report: accesses to memory, those that are no EOI and signal no event', () => {
    const rows = table('--event=mmio');
    const apic = rows.filter((r) => r.name.startsWith('0xfee00'));
    expect(apic.map((r) => r.name)).toEqual(['0xfee00380:W', '0xfee00300:W', '0xfee00310:W']);
    const eois = linesOf(run.file.ftrace!).filter((l) => l.includes('kvm_apic: apic_write APIC_EOI = 0x0'));
    const samples = apic.reduce((n, r) => n + r.samples, 0);
    expect(Math.abs(exits.APIC_ACCESS! - eois.length - samples)).toBeLessThan(8);
  });

  test('script: every event, own ones by their print fmt', () => {
    const lines = printed('perf', 'script', '-i', run.file.perf!, '-F', 'comm,tid,cpu,time,event,trace');
    expect(lines.trimEnd().split('\n').length).toBe(run.records);
    expect(lines).toMatch(/CPU \d\/KVM +\d+ \[\d{3}\] .*kvm:kvm_exit: vcpu \d reason HLT rip 0x0 /);
    expect(lines).toMatch(/virqtop:kvm_vcpu_kick: vcpu=\d+ cpu=\d+ journey=\d+/);
  });
});

describe.skipIf(!isThere('babeltrace2'))('babeltrace2', () => {
  test('reads every event, with exits by reason and the times that they have', () => {
    const lines = printed('babeltrace2', run.file.ctf!).trimEnd().split('\n');
    expect(lines.length).toBe(run.records);
    const [head, ...records] = linesOf(run.file.jsonl!).map((l) => JSON.parse(l));
    const reasons = lines.flatMap((l) => /kvm:kvm_exit:.*exit_reason = (\d+),/.exec(l)?.[1] ?? []);
    expect(tally(reasons.map((r) => head.exits[r]))).toEqual(exits);
    const times = lines.map((l) => {
      const [, h, m, s, ns] = /^\[(\d\d):(\d\d):(\d\d)\.(\d{9})\]/.exec(l)!.map(Number);
      return ((h! * 60 + m!) * 60 + s!) * 1e9 + ns!;
    });
    expect(times).toEqual(records.map((r) => r.time));
    expect(lines.find((l) => l.includes('sched:sched_switch'))).toMatch(
      /prev_comm = "[^"]+", prev_pid = \d+, .*next_comm = "[^"]+"/,
    );
  });
});

describe.skipIf(!isThere('vcd2fst'))('GTKWave', () => {
  const [vcd, fst] = [run.file.vcd!, `${run.file.vcd}.fst`];
  const signals = () => {
    printed('vcd2fst', vcd, fst);
    return parseVcd(printed('fst2vcd', fst));
  };

  test('has the chips in the end as they are, and all exits in its rates', () => {
    const waves = signals();
    let changes = 0;
    for (const domain of run.after.domains) {
      const part = domain.name === 'host' ? 'cpu' : 'vcpu';
      for (const { cpu, irr, isr } of domain.x86!.lapics) {
        const scope = `machine.${domain.name}.${part}${cpu}`;
        expect([lastOf(waves.get(`${scope}.irr`)!), lastOf(waves.get(`${scope}.isr`)!)]).toEqual([
          setOf(irr),
          setOf(isr),
        ]);
        const highest = ['irrv', 'isrv'].map((name) => Number(lastOf(waves.get(`${scope}.${name}`)!)));
        expect(highest).toEqual([Math.max(0, ...irr), Math.max(0, ...isr)]);
        changes += waves.get(`${scope}.isrv`)!.length;
      }
      const left = Object.values(exitsOf(run, domain.name)).reduce((a, b) => a + b, 0);
      if (left === 0) continue;
      const rates = waves.get(`machine.${domain.name}.exits`)!;
      const sum = rates.reduce((n, [t, r], i) => n + (i ? (Number(r) * (t - rates[i - 1]![0])) / 1e9 : 0), 0);
      expect(Math.abs(sum - left)).toBeLessThan(rates.length);
    }
    expect(changes).toBeGreaterThan(1000);
  });

  test('its layout names signals that there are, each once', () => {
    const named = linesOf(`${vcd}.gtkw`).filter((l) => l.startsWith('machine.'));
    const paths = named.map((l) => l.replace(/\[.*/, ''));
    expect(paths).toEqual([...new Set(paths)]);
    expect([...paths].sort()).toEqual([...signals().keys()].sort());
  });
});

interface ChromeEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly name?: string;
  readonly cat?: string;
  readonly id?: number;
  readonly args?: Record<string, unknown>;
}

test("Chrome's JSON: slices nest and follow each other, exits are those that were counted, arrows arrive", () => {
  const { traceEvents, displayTimeUnit } = JSON.parse(readFileSync(run.file.chrome!, 'utf8')) as {
    traceEvents: ChromeEvent[];
    displayTimeUnit: string;
  };
  expect(displayTimeUnit).toBe('ns');
  const needed: Record<string, readonly string[]> = {
    M: ['name', 'pid', 'tid', 'args'],
    B: ['name', 'cat', 'pid', 'tid', 'ts'],
    E: ['pid', 'tid', 'ts'],
    C: ['name', 'pid', 'ts', 'args'],
    s: ['name', 'cat', 'id', 'pid', 'tid', 'ts'],
    f: ['name', 'cat', 'id', 'bp', 'pid', 'tid', 'ts'],
  };
  const tracks = new Map<string, { depth: number; ts: number }>();
  const named = new Set<string>();
  const arrows = new Set<number>();
  let arrived = 0;
  for (const event of traceEvents) {
    expect(Object.keys(event)).toEqual(expect.arrayContaining(needed[event.ph]! as string[]));
    const key = `${event.pid}.${event.tid}`;
    if (event.name === 'thread_name') named.add(key);
    if (event.ph === 's') arrows.add(event.id!);
    if (event.ph === 'f') {
      arrived++;
      expect(arrows.delete(event.id!)).toBe(true);
    }
    if (event.ph !== 'B' && event.ph !== 'E') continue;
    const track = tracks.get(key) ?? { depth: 0, ts: 0 };
    track.depth += event.ph === 'B' ? 1 : -1;
    expect(track.depth).toBeGreaterThanOrEqual(0);
    expect(event.ts).toBeGreaterThanOrEqual(track.ts);
    track.ts = event.ts!;
    tracks.set(key, track);
  }
  expect([...tracks].filter(([, t]) => t.depth !== 0)).toEqual([]);
  expect([...tracks.keys()].filter((t) => !named.has(t))).toEqual([]);
  expect(arrived).toBeGreaterThan(100);
  expect(tally(traceEvents.filter((e) => e.ph === 'B' && e.cat === 'exit').map((e) => e.name!))).toEqual(
    exits,
  );
});
