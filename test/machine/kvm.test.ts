/** KVM hosts as a whole: what their kernels count, which exits the features save, what goes wrong as it should. */
import { describe, expect, test } from 'vitest';
import { seconds } from '../../engine/core/clock.ts';
import { buildMachine, builtinScenario, takeSnapshot } from '../../engine/index.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import { archRow, exits, kvmHost, ONE_VM, watch } from '../support/kvm-rig.ts';

const LOAD = `workloads:
  - {what: compute, vm: 1, share: 0.5}
  - {what: packets, vm: 1, pattern: {kind: poisson, rate: 400}}
  - {what: disk, vm: 1, jobs: 2, think: 3}
`;

function run(more: string, text = ONE_VM + LOAD, time = seconds(1)) {
  const host = kvmHost(text, more);
  host.shop.clock.runUntil(time);
  return host;
}

describe.each(['kvm', 'kvm-noack', 'kvm-apicv', 'kvm-posted', 'kvm-2.6.36'])('%s', (name) => {
  test('the books hold as pending what the chips hold, after each of many events', () => {
    const machine = buildMachine(builtinScenario(name)!, 3);
    for (let i = 0; i < 300; i++) {
      for (let n = 0; n < 40; n++) machine.step();
      expect(machine.platform.pendingMismatch()).toEqual([]);
    }
    for (const a of machine.shop.books.accounts()) {
      const ignored = Object.values(a.ignored).reduce((x, y) => x + y, 0);
      expect(a.raised).toBe(a.delivered + a.coalesced + ignored + a.pending);
    }
  });

  test('every CPU of every kernel ticks, and every device that works interrupts', () => {
    const machine = buildMachine(builtinScenario(name)!, 1);
    machine.runUntil(seconds(2));
    const { domains, cpus, time } = takeSnapshot(machine);
    for (const d of domains) {
      const loc = d.interrupts.arch.find((r) => r.label === 'LOC')!.counts;
      const timer = d.interrupts.rows[0]!.counts[0]!;
      expect(loc.every((n) => n > 0) || timer > 400).toBe(true);
    }
    for (const c of cpus) expect(c.guestNs + c.xenNs + c.idleNs).toBe(time);
  });
});

describe('rows of /proc/interrupts', () => {
  test('a guest has the rows of the real pc: numbers, chips, pins and names', () => {
    const host = kvmHost(`
name: t
title: t
cpus: 4
host: {devices: [{driver: nvme, name: nvme0, queues: 4}, {driver: e1000e, name: eth0}]}
vms:
  - vcpus: 4
    devices:
      - {driver: i8042}
      - {driver: serial}
      - {driver: rtc}
      - {driver: acpi}
      - {driver: ata}
      - {driver: virtio-blk, queues: 4}
      - {driver: virtio-net}
`);
    const text = printInterrupts(host.vms[0]!.kernel.interruptsFile());
    const rows = text
      .split('\n')
      .slice(1, 19)
      .map((line) => line.replace(/^( *\d+:)( +\d+){4}/, '$1'));
    expect(rows).toEqual([
      '  0:   IO-APIC   2-edge      timer',
      '  1:   IO-APIC   1-edge      i8042',
      '  4:   IO-APIC   4-edge      ttyS0',
      '  8:   IO-APIC   8-edge      rtc0',
      '  9:   IO-APIC   9-fasteoi   acpi',
      ' 12:   IO-APIC  12-edge      i8042',
      ' 14:   IO-APIC  14-edge      ata_piix',
      ' 15:   IO-APIC  15-edge      ata_piix',
      ' 24:   PCI-MSI 49152-edge      virtio0-config',
      ' 25:   PCI-MSI 49153-edge      virtio0-req.0',
      ' 26:   PCI-MSI 49154-edge      virtio0-req.1',
      ' 27:   PCI-MSI 49155-edge      virtio0-req.2',
      ' 28:   PCI-MSI 49156-edge      virtio0-req.3',
      ' 29:   PCI-MSI 65536-edge      virtio1-config',
      ' 30:   PCI-MSI 65537-edge      virtio1-input.0',
      ' 31:   PCI-MSI 65538-edge      virtio1-output.0',
      'NMI:          0          0          0          0   Non-maskable interrupts',
      expect.stringMatching(/^LOC:( +\d+){4} {3}Local timer interrupts$/),
    ]);
  });
});

test('the host has the rows of the real bare q35, as far as it has its devices', () => {
  const host = kvmHost(`
name: t
title: t
cpus: 4
host:
  devices:
    - {driver: i8042}
    - {driver: line, name: rtc0, gsi: 8}
    - {driver: line, name: acpi, gsi: 9, level: true}
    - {driver: line, name: i801_smbus, gsi: 16, level: true}
    - {driver: ahci, name: 'ahci[0000:00:02.0]'}
    - {driver: ahci, name: 'ahci[0000:00:1f.2]'}
    - {driver: nvme, name: nvme0, queues: 4}
    - {driver: e1000e, name: eth0}
vms: [{}]
`);
  const text = printInterrupts(host.kernel.interruptsFile());
  const rows = text.split('\n').slice(1, 17);
  expect(rows.map((line) => line.replace(/^( *\d+:)( +\d+){4}/, '$1'))).toEqual([
    '  0:   IO-APIC   2-edge      timer',
    '  1:   IO-APIC   1-edge      i8042',
    '  8:   IO-APIC   8-edge      rtc0',
    '  9:   IO-APIC   9-fasteoi   acpi',
    ' 12:   IO-APIC  12-edge      i8042',
    ' 16:   IO-APIC  16-fasteoi   i801_smbus',
    ' 24:   PCI-MSI 32768-edge      ahci[0000:00:02.0]',
    ' 25:   PCI-MSI 512000-edge      ahci[0000:00:1f.2]',
    ' 26:   PCI-MSI 49152-edge      nvme0q0',
    ' 27:   PCI-MSI 49153-edge      nvme0q1',
    ' 28:   PCI-MSI 49154-edge      nvme0q2',
    ' 29:   PCI-MSI 49155-edge      nvme0q3',
    ' 30:   PCI-MSI 49156-edge      nvme0q4',
    ' 31:   PCI-MSI 65536-edge      eth0-rx-0',
    ' 32:   PCI-MSI 65537-edge      eth0-tx-0',
    ' 33:   PCI-MSI 65538-edge      eth0',
  ]);
});

describe('APIC virtualization', () => {
  const trapped = exits(
    run("kvm: '6.1'\n", ONE_VM.replace('vcpus: 1', 'vcpus: 1\n    pv-eoi: false') + LOAD),
  );
  const apicv = exits(run("kvm: '6.1'\napicv: true\n"));
  const posted = exits(run("kvm: '6.1'\napicv: true\nposted: true\n"));

  test('EOIs and windows exit no more', () => {
    expect(trapped.MSR_WRITE!).toBeGreaterThan(apicv.MSR_WRITE! * 1.5);
    expect(apicv.INTERRUPT_WINDOW ?? 0).toBe(0);
  });

  test('posted interrupts save the kicks as well', () => {
    expect(posted.EXTERNAL_INTERRUPT!).toBeLessThanOrEqual(apicv.EXTERNAL_INTERRUPT!);
  });

  const PASSED = ONE_VM.replace('      - {driver: i8042}', '      - {driver: vfio, name: vf, queues: 1}');
  const STREAM = `workloads:
  - {what: compute, vm: 1, share: 1}
  - {what: device, device: vm1.vf, pattern: {kind: poisson, rate: 2000}}
`;

  test('a device posts past the host: its interrupts cost no exit at all', () => {
    const by = (more: string) => run(`kvm: '6.1'\n${more}`, PASSED + STREAM);
    const [without, withIt] = [by('apicv: true\n'), by('apicv: true\nposted: true\n')];
    const handled = (h: typeof without) => h.vms[0]!.kernel.interrupts;
    expect(handled(withIt)).toBeGreaterThan(1_900);
    expect(exits(without).EXTERNAL_INTERRUPT!).toBeGreaterThan(1_900);
    // what is left is the host's own tick
    expect(exits(withIt).EXTERNAL_INTERRUPT!).toBeLessThan(300);
  });

  test('a blocked virtual CPU is woken by the wake-up vector', () => {
    const idle = PASSED + STREAM.replace('  - {what: compute, vm: 1, share: 1}\n', '');
    const host = run("kvm: '6.1'\napicv: true\nposted: true\n", idle);
    expect(archRow(host, 'PIW')).toBeGreaterThan(1_500);
  });
});

describe('events whose delivery is cut short', () => {
  test('come again from the IDT-vectoring information, once', () => {
    const host = kvmHost(ONE_VM + LOAD);
    const again: number[] = [];
    watch(host, ({ name, args }) => {
      if (name === 'kvm_inj_virq' && args[2] === 1) again.push(args[1]!);
    });
    host.shop.clock.runUntil(seconds(1));
    expect(again).toHaveLength(1);
    expect(exits(host).EPT_VIOLATION).toBe(1);
  });
});

describe('non-maskable interrupts', () => {
  test('those of the host leave the guest as exceptions and are counted by the host', () => {
    const host = run(
      "kvm: '6.1'\n",
      `${ONE_VM}workloads:
  - {what: compute, vm: 1, share: 1}
  - {what: nmi, vm: 0, rate: 100}
`,
    );
    expect(archRow(host, 'NMI')).toBeGreaterThan(60);
    expect(exits(host).EXCEPTION_NMI!).toBeGreaterThan(60);
    expect(host.vms[0]!.kernel.nmis).toBe(0);
  });

  test('those of a guest are injected', () => {
    const host = run(
      "kvm: '6.1'\n",
      `${ONE_VM}workloads:
  - {what: compute, vm: 1, share: 1}
  - {what: nmi, vm: 1, rate: 100}
`,
    );
    const injected = Object.fromEntries(host.kvm.stats.sums([0])).nmi_injections!;
    expect(injected).toBeGreaterThan(60);
    expect(host.vms[0]!.kernel.nmis).toBe(injected);
  });
});

describe('more virtual CPUs than CPUs', () => {
  test('each gets a fair share, and none starves', () => {
    const text = ONE_VM.replace('vcpus: 1', 'vcpus: 3');
    const host = run("kvm: '6.1'\n", `${text}workloads:\n  - {what: compute, vm: 1, share: 1}\n`, seconds(2));
    const ticks = host.vms[0]!.kernel.interruptsFile().arch.find((r) => r.label === 'LOC')!.counts;
    for (const n of ticks) expect(n).toBeGreaterThan(100);
    const switched = Object.fromEntries(host.kvm.stats.sums([0, 1, 2])).host_state_reload!;
    expect(switched).toBeGreaterThan(300);
  });
});

describe('a line that nobody handles', () => {
  test('is disabled after 99,900 of 100,000', () => {
    const host = kvmHost(ONE_VM.replace('i8042', 'acpi'));
    const { kernel, vm } = host.vms[0]!;
    const desc = kernel.irqs.descs[9]!;
    desc.actions[0] = { name: 'acpi', work: { cost: () => 200, run: () => false } };
    vm.setLine(host.shop.books.sourceOf('stuck'), 9, true);
    host.shop.clock.runUntil(seconds(6));
    expect(desc.counts[0]).toBe(100_000);
    expect(desc.depth).toBe(1);
    expect(kernel.log).toContain('Disabling IRQ #9');
    expect(kernel.log[0]).toMatch(/^irq 9: nobody cared/);
  });
});
