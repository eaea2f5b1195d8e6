/** Traces of Xen hosts, read by the tools that read such; what they count is what the machine has counted. */
import { afterAll, describe, expect, test } from 'vitest';
import { TRACE_FORMATS, traceHost } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { exitsOf, isThere, linesOf, printed, type Traced, tally, traced } from '../support/traced.ts';
import { lastOf, parseVcd } from '../support/vcd.ts';

const hvm = traced('xen-mixed', 1e9, 1e9, ['xentrace', 'jsonl']);
const arm = traced('xen-arm-v3', 500e6, 300e6, ['vcd', 'trace-dat', 'jsonl']);
afterAll(() => {
  hvm.remove();
  arm.remove();
});

const HZ = 2.1e9;

/** The part of xenalyze's summary about a domain; about one of its virtual CPUs. */
function partOf(summary: string, domain: number, vcpu?: number): string {
  const part = summary.split(`|-- Domain ${domain} --|`)[1]!.split('|-- Domain')[0]!;
  return vcpu === undefined ? part : part.split(`-- v${vcpu} --`)[1]!.split(/^-- v\d+ --/m)[0]!;
}

/** `running:  482  0.31s 1333593 {...}`: how often, and cycles on average. */
function line(part: string, name: string, colon = ':'): { count: number; cycles: number } {
  const [, count, cycles] =
    new RegExp(`^ *(?:\\* )?${name} *${colon} *(\\d+) +[\\d.]+s +(\\d+)`, 'm').exec(part) ?? [];
  return { count: Number(count ?? 0), cycles: Number(cycles ?? 0) };
}

/** By our own records: from the first injection behind a HLT to the next HLT, of all virtual CPUs of a domain. */
function wakeToHalt(domain: string): number {
  const [head, ...records] = linesOf(hvm.file.jsonl!).map((l) => JSON.parse(l));
  const woken = new Map<number, number>();
  const halted = new Set<number>();
  let sum = 0;
  for (const { event, time, args } of records) {
    const { vcpu, reason } = args;
    if (!head.vcpus[vcpu]?.startsWith(`${domain}.`)) continue;
    if (event === 'vmx_inject_extint' && halted.delete(vcpu)) woken.set(vcpu, time);
    if (event !== 'vmexit' || head.exits[reason] !== 'HLT') continue;
    const since = woken.get(vcpu);
    if (since !== undefined) sum += time - since;
    woken.delete(vcpu);
    halted.add(vcpu);
  }
  return sum;
}

describe.skipIf(!isThere('xenalyze'))('xenalyze', () => {
  const summary = isThere('xenalyze') ? printed('xenalyze', '--cpu-hz=2.1G', '-s', hvm.file.xentrace!) : '';
  const guests = hvm.after.domains.filter((d) => d.exits);

  test('counts exits by reason as the machine did', () => {
    expect(guests.length).toBe(2);
    // its own names for what Xen calls PENDING_VIRT_INTR and PENDING_VIRT_NMI
    const names: Record<string, string> = {
      PENDING_VIRT_INTR: 'PENDING_INTERRUPT',
      PENDING_VIRT_NMI: 'PENDING_NMI',
    };
    for (const { id, name, vcpus } of guests) {
      const counts: Record<string, number> = {};
      for (const [, reason, n] of partOf(summary, id).matchAll(/^ ([A-Z_]+) +(\d+) +[\d.]+s +[\d.]+%/gm)) {
        counts[reason!] = (counts[reason!] ?? 0) + Number(n);
      }
      const ours = exitsOf(hvm, name);
      const known = Object.entries(ours).map(([reason, n]) => [names[reason] ?? reason, n] as const);
      for (const [reason, n] of known) {
        // one that the trace's begin or end cuts in two is left out
        expect(n - (counts[reason] ?? 0), reason).toBeGreaterThanOrEqual(0);
        expect(n - (counts[reason] ?? 0), reason).toBeLessThanOrEqual(vcpus.length);
      }
      expect(Object.keys(counts).filter((r) => !known.some(([reason]) => reason === r))).toEqual([]);
    }
  });

  test('has every virtual CPU running as long as the machine had', () => {
    hvm.after.domains.forEach(({ id, vcpus }, d) => {
      for (const { vcpu, runNs } of vcpus) {
        const ours = runNs - hvm.before.domains[d]!.vcpus[vcpu]!.runNs;
        const { count, cycles } = line(partOf(summary, id, vcpu), 'running');
        expect(Math.abs((count * cycles) / HZ - ours / 1e9), `d${id}v${vcpu}`).toBeLessThan(0.003);
      }
    });
  });

  test('finds each wake-up of a guest that has halted, up to its next HLT', () => {
    // whose one vector is that of its event channels: xenalyze tells of each vector by itself
    const { id, name, vcpus } = guests[0]!;
    const sum = { count: 0, cycles: 0 };
    for (const { vcpu } of vcpus) {
      const { count, cycles } = line(partOf(summary, id, vcpu), 'wake to halt any');
      sum.count += count;
      sum.cycles += count * cycles;
    }
    const halts = exitsOf(hvm, name).HLT!;
    expect(halts).toBeGreaterThan(100);
    expect(halts - sum.count).toBeGreaterThanOrEqual(0);
    expect(halts - sum.count).toBeLessThanOrEqual(2 * vcpus.length);
    const ours = wakeToHalt(name);
    expect(Math.abs(sum.cycles / HZ - ours / 1e9) / (ours / 1e9)).toBeLessThan(0.01);
  });

  test('dumps every record: sends of event channels, interrupts that Xen handled', () => {
    const dump = printed('xenalyze', '-a', hvm.file.xentrace!);
    const events = linesOf(hvm.file.jsonl!)
      .slice(1)
      .map((l) => JSON.parse(l).event as string);
    const count = tally(events);
    const found = (pattern: RegExp) => dump.match(pattern)?.length ?? 0;
    expect(found(/ hypercall +[0-9a-f]+ \(\w+\)| vmcall +[0-9a-f]+ \(\w+\)/g)).toBe(count.hypercall);
    expect(found(/ (hypercall|vmcall) +20 \(evtchn_op\)/g)).toBeGreaterThanOrEqual(count.evtchn_send!);
    expect(found(/ irq_handled irq /g)).toBe(count.irq_handled);
    // each upcall ends with one
    expect(found(/ hypercall +17 \(iret\)/g)).toBeGreaterThan(1_000);
    expect(found(/ vmexit exit_reason /g)).toBe(count.vmexit);
    expect(found(/ inj_virq vec /g)).toBe(count.vmx_inject_extint);
    expect(found(/ io (read|write) port /g) + found(/ mmio_assist [rw] gpa /g)).toBe(
      count.hvmtrace_io_assist,
    );
    expect(found(/ (msr_write|msr_read) addr /g)).toBe(count.hvm_msr_intercept);
    expect(found(/ npf gpa /g)).toBe(count.ept_handle_violation);
  });

  test('finds a handler for every access that is emulated: registers of the local APIC, and which of them are EOIs', () => {
    for (const { id, name, vcpus } of guests) {
      const exits = exitsOf(hvm, name);
      const accesses = exits.APIC_ACCESS ?? 0;
      const parts = vcpus.map((v) => partOf(summary, id, v.vcpu));
      const of = (what: string) => parts.reduce((n, part) => n + line(part, what, '').count, 0);
      const handled = of('vlapic') + of('mmio');
      // those to pages of devices are in the same line
      expect(handled, name).toBeGreaterThanOrEqual(accesses - vcpus.length);
      expect(handled, name).toBeLessThanOrEqual(accesses + (exits.EPT_VIOLATION ?? 0) + vcpus.length);
      // of CPUID none is written
      if (!exits.CPUID) expect(parts.join('')).not.toContain('(no handler)');
    }
    expect(guests.some(({ name }) => (exitsOf(hvm, name).APIC_ACCESS ?? 0) > 100)).toBe(true);
  });
});

test('other hosts have no such records', () => {
  const { refuses } = TRACE_FORMATS.find((f) => f.name === 'xentrace')!;
  const asked = (scenario: string) => refuses!(traceHost(buildMachine(builtinScenario(scenario)!, 1)));
  expect(asked('kvm')).toBe('records of Xen on x86, and this host is KVM on Linux 6.1 x86_64');
  expect(asked('xen-arm-v2')).toBe('records of Xen on x86, and this host is Xen 4.17 arm64, GICv2');
  expect(asked('xen-pv-2.6.18')).toBeUndefined();
});

test.skipIf(!isThere('vcd2fst'))('GTKWave has list registers in the end as they are', () => {
  const fst = `${arm.file.vcd}.fst`;
  printed('vcd2fst', arm.file.vcd!, fst);
  const waves = parseVcd(printed('fst2vcd', fst));
  const { xen } = arm.after;
  if (!xen || !('gic' in xen)) throw new Error('not a host on ARM');
  for (const { cpu, lrs, virq } of xen.gic.cpus) {
    const scope = `machine.xen.cpu${cpu}`;
    expect(waves.has(`${scope}.lr${lrs - 1}_state`)).toBe(true);
    expect(lastOf(waves.get(`${scope}.virq`)!)).toBe(BigInt(virq));
    const used = Array.from({ length: lrs }, (_, n) => lastOf(waves.get(`${scope}.lr${n}_state`)!));
    expect(used.filter((state) => state < 0n || state > 3n)).toEqual([]);
    expect(waves.get(`${scope}.lr0_state`)!.length).toBeGreaterThan(50);
  }
});

test.skipIf(!isThere('trace-cmd'))('trace-cmd prints the records of Xen on ARM, exits by their names', () => {
  const lines = printed('trace-cmd', 'report', arm.file['trace-dat']!);
  const reasons = [...lines.matchAll(/guest_exit: +vcpu=\d+ reason=(\w+) /g)].map((m) => m[1]!);
  const counted = tally(reasons);
  const ours = exitsOf(arm as Traced);
  expect(reasons.length).toBeGreaterThan(100);
  expect(counted).toEqual(ours);
});
