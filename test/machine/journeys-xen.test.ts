/**
 * Ways of interrupts on Xen beyond the plain ones of journeys.test.ts, as golden text: brakes and forced EOIs, lines shared
 * by domains, guests on VMX, devices passed through to them, events queued again.
 *
 * The order of functions is that of xen/arch/x86/irq.c, hvm/{irq,vioapic,vlapic,vpic,vmsi}.c, hvm/vmx/{vmx,intr,entry} and
 * drivers/passthrough/x86/hvm.c of 4.17 (drivers/passthrough/io.c of 3.4).
 */
import { describe, expect, test } from 'vitest';
import { Exit } from '../../engine/hw/x86/vmcs-fields.ts';
import type { Machine } from '../../engine/index.ts';
import { fired, golden, names, passes, through } from '../support/journeys.ts';
import { HOSTS, passedMachine } from '../support/passed.ts';
import { busy, machineOf, XEN_3_4, XEN_4_17 } from '../support/quiet.ts';

const [PVHVM, NATIVE, OLD] = HOSTS as readonly [(typeof HOSTS)[0], (typeof HOSTS)[0], (typeof HOSTS)[0]];

const hvm = (xen: string, kernel: string) => `
name: quiet
title: dom0 on one CPU, a guest on VMX on another
xen: '${xen}'
cpus: 2
dom0:
  kernel: ${xen === '3.4' ? 'linux-2.6.3x-xen' : 'linux-6.1'}
  vcpus: 1
  cpus: [0]
  devices:
    - {driver: ata, name: ata_piix, gsi: 14, as: disk}
    - {driver: e1000, name: eth0, gsi: 16, as: nic}
guests:
  - {type: hvm, kernel: ${kernel}, vcpus: 1, cpus: [1], rings: 0, queues: 0, devices: [{driver: i8042}, {driver: e1000}]}
keys: [{device: dom1.kbd}]
`;

/** Fires it again and again, each time until it is handled. */
function fire(machine: Machine, device: string, times: number): Machine {
  for (let i = 0; i < times; i++) {
    machine.fire(device);
    machine.runUntil(machine.clock.now + 200_000);
  }
  return machine;
}

describe('too many: irq_ratelimit of 4.17', () => {
  const limited = XEN_4_17.replace('cpus: 2\n', 'cpus: 2\ncommand-line: {irq_ratelimit: 3}\n');
  // three are let through, the fourth begins a new count, three more are let through, and that was it
  const allButOne = (device: string) => fire(machineOf(limited), device, 7);

  test('an edge is lost', async () => {
    const journey = fired(allButOne('kbd'), 'kbd');
    passes(journey, 'do_IRQ', 'irq_ratelimit');
    expect(names(journey)).not.toContain('do_IRQ_guest');
    await golden('xen-4.17-ratelimit-edge', journey);
  });

  test('a level line is ended at once, and comes again when the brake is off', async () => {
    const journey = fired(allButOne('usb'), 'usb');
    passes(journey, 'do_IRQ', 'irq_ratelimit');
    expect(names(journey)).not.toContain('do_IRQ_guest');
    await golden('xen-4.17-ratelimit-level', journey);
    const machine = fire(allButOne('usb'), 'usb', 1);
    const start = machine.clock.now;
    passes(
      through(machine, 'do_IRQ'),
      'raise',
      'do_IRQ',
      'do_IRQ_guest',
      'handle_irq_event',
      'pirq_guest_eoi',
    );
    expect(machine.clock.now - start).toBeGreaterThan(9e6);
  });

  test('a message waits in its device until the brake is off', async () => {
    const journey = fired(fire(allButOne('disk'), 'disk', 1), 'disk');
    passes(journey, 'raise', 'apic accept', 'do_IRQ', 'do_IRQ_guest', 'handle_irq_event');
    const [raised, accepted] = journey.hops;
    expect(accepted!.at - raised!.at).toBeGreaterThan(5e6);
    await golden('xen-4.17-ratelimit-msi', journey);
  });
});

describe('a guest that does not keep up, or never answers', () => {
  test('3.4: what is pending in every guest is disabled', async () => {
    const machine = machineOf(XEN_3_4);
    machine.fire('kbd');
    machine.runUntil(machine.clock.now + 1_000);
    const journey = fired(machine, 'kbd');
    passes(
      journey,
      'do_IRQ',
      '__do_IRQ_guest',
      'send_guest_pirq',
      'evtchn_set_pending',
      'IRQ_GUEST_EOI_PENDING',
    );
    expect(names(journey)).not.toContain('handle_irq_event');
    await golden('xen-3.4-storm', journey);
  });

  test('4.17: the EOI that one of two never gives is forced', async () => {
    const machine = passedMachine(NATIVE, { stuck: true });
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 2e6);
    const journey = through(machine, 'irq_guest_eoi_timer');
    passes(
      journey,
      'do_IRQ',
      'handle_irq_event',
      'pirq_guest_eoi',
      'irq_guest_eoi_timer_fn',
      'flush_ready_eoi',
    );
    await golden('xen-4.17-eoi-timer', journey);
  });

  test('3.4: of a passed-through device it is the time-out of its own', async () => {
    const machine = passedMachine(OLD, { stuck: true });
    const journey = fired(machine, 'dom1.hba');
    expect(names(journey)).not.toContain('vioapic_update_EOI');
    machine.runUntil(machine.clock.now + 1e7);
    const whole = through(machine, 'pt_irq_time_out');
    passes(
      whole,
      'hvm_dirq_assist',
      'pt_irq_time_out',
      'hvm_pci_intx_deassert',
      'pirq_guest_eoi',
      'flush_ready_eoi',
    );
    await golden('xen-3.4-pt-time-out', whole);
  });
});

test.each([
  ['4.17', XEN_4_17],
  ['3.4', XEN_3_4],
])("Xen %s's own platform timer interrupts a hundred times a second, and that is all", async (xen, text) => {
  const machine = machineOf(text.replace('cpus: 2\n', 'cpus: 2\ncommand-line: {clocksource: pit}\n'));
  const journey = through(machine, 'timer_interrupt');
  expect(names(journey)).toEqual(['raise', 'apic accept', 'do_IRQ', 'timer_interrupt']);
  expect(journey.hops.at(-1)!.end).toBe(true);
  await golden(`xen-${xen}-own-timer`, journey);
});

describe("Xen's own, and dom0's, on 3.4", () => {
  test('the serial line', async () => {
    const journey = fired(machineOf(XEN_3_4.replace('keys: [', 'keys: [{device: uart}, ')), 'uart');
    passes(journey, 'do_IRQ', 'send_guest_global_virq', 'evtchn_set_pending', 'handle_irq_event');
    await golden('xen-3.4-own-irq', journey);
  });

  test('an edge line', async () => {
    const journey = fired(machineOf(XEN_3_4), 'kbd');
    passes(journey, 'do_IRQ', '__do_IRQ_guest', 'send_guest_pirq', 'evtchn_set_pending', 'handle_irq_event');
    expect(names(journey)).not.toContain('pirq_guest_eoi');
    await golden('xen-3.4-pirq-edge', journey);
  });
});

describe('devices passed through', () => {
  test('4.17: a message: HVM_DPCI_SOFTIRQ, the virtual local APIC, and back by its EOI', async () => {
    const journey = fired(passedMachine(NATIVE), 'dom1.vf');
    passes(journey, 'do_IRQ', 'hvm_do_IRQ_dpci', 'hvm_dirq_assist', 'vmsi_deliver_pirq', 'vlapic_set_irq');
    passes(
      journey,
      'vcpu_wake',
      'vlapic_ack_pending_irq',
      'vmx_inject_extint',
      'vmx_asm_do_vmentry',
      'do_IRQ',
    );
    passes(journey, 'vlapic_EOI_set', 'hvm_dpci_msi_eoi', 'handle_irq_event');
    await golden('xen-4.17-passed-msi', journey);
  });

  test('3.4: a message: the assist is on the way into virtual CPU 0', async () => {
    const journey = fired(passedMachine(OLD), 'dom1.vf');
    passes(journey, 'hvm_do_IRQ_dpci', 'vcpu_wake', 'context_switch', 'hvm_dirq_assist', 'vmsi_deliver');
    passes(journey, 'vmsi_deliver', 'vlapic_ack_pending_irq', 'vmx_inject_extint', 'hvm_dpci_msi_eoi');
    await golden('xen-3.4-passed-msi', journey);
  });

  test('4.17: a line of its own: virtual IOAPIC, and the EOI comes back through it', async () => {
    const journey = fired(passedMachine(NATIVE, { shared: false }), 'dom1.hba');
    passes(journey, 'do_IRQ', 'hvm_do_IRQ_dpci', 'hvm_dirq_assist', 'hvm_pci_intx_assert', 'vioapic_deliver');
    passes(journey, 'handle_irq_event', 'vlapic_EOI_set', 'vioapic_update_EOI', 'hvm_dpci_eoi');
    passes(journey, 'hvm_dpci_eoi', 'hvm_pci_intx_deassert', 'pirq_guest_eoi', 'flush_ready_eoi');
    await golden('xen-4.17-passed-intx', journey);
  });

  test('4.17: a line shared by dom0 and two guests is ended when the last of the three is done', async () => {
    const journey = fired(passedMachine(NATIVE, { second: true }), 'usb');
    const seen = names(journey);
    expect(seen.filter((n) => n === 'pirq_guest_eoi')).toHaveLength(3);
    expect(seen.filter((n) => n === 'handle_irq_event')).toHaveLength(3);
    expect(seen.filter((n) => n === 'flush_ready_eoi')).toHaveLength(1);
    expect(seen.lastIndexOf('pirq_guest_eoi')).toBeLessThan(seen.indexOf('flush_ready_eoi'));
    await golden('xen-4.17-shared-line', journey);
  });

  test('4.17: a guest that knows Xen takes the line as an event channel, and ends it by PHYSDEVOP_eoi', async () => {
    const journey = fired(passedMachine(PVHVM, { shared: false }), 'dom1.hba');
    passes(journey, 'hvm_do_IRQ_dpci', 'hvm_dirq_assist', 'send_guest_pirq', 'evtchn_fifo_set_pending');
    passes(
      journey,
      'hvm_assert_evtchn_irq',
      'vmx_inject_extint',
      'evtchn_fifo_handle_events',
      'pirq_guest_eoi',
    );
    expect(names(journey)).not.toContain('hvm_dpci_eoi');
    await golden('xen-4.17-passed-intx-pirq', journey);
  });

  test('3.4: a line shared with dom0', async () => {
    const journey = fired(passedMachine(OLD), 'dom1.hba');
    passes(journey, '__do_IRQ_guest', 'send_guest_pirq', 'hvm_do_IRQ_dpci', 'hvm_dirq_assist');
    passes(
      journey,
      'hvm_pci_intx_assert',
      'vioapic_deliver',
      'hvm_dpci_eoi',
      'pirq_guest_eoi',
      'flush_ready_eoi',
    );
    await golden('xen-3.4-shared-line', journey);
  });
});

describe('emulated devices', () => {
  test.each([
    ['4.17', 'linux-2.6.36', 'xen-4.17-hvm-line'],
    ['4.17', 'linux-6.1', 'xen-4.17-pvhvm-line'],
    ['3.4', 'linux-2.6.36', 'xen-3.4-hvm-line'],
  ])(
    'Xen %s, guest %s: the device model in dom0 is told, and asserts the line',
    async (xen, kernel, name) => {
      const journey = fired(machineOf(hvm(xen, kernel)), 'dom1.kbd');
      passes(
        journey,
        'do_IRQ',
        'handle_irq_event',
        'irq_handler_exit',
        'hvm_isa_irq_assert',
        'vlapic_set_irq',
      );
      passes(journey, 'vlapic_set_irq', 'vmx_inject_extint', 'handle_irq_event', 'hvm_isa_irq_deassert');
      await golden(name, journey);
    },
  );
});

describe('exits', () => {
  test.each(['4.17', '3.4'])('%s: an event whose delivery was cut short is queued again', async (xen) => {
    const journey = through(machineOf(hvm(xen, 'linux-2.6.36'), 0), 'vmx_idtv_reinject');
    passes(journey, 'vmx_inject_extint', 'vmx_asm_do_vmentry', 'vmx_vmexit_handler', 'vmx_idtv_reinject');
    passes(journey, 'vmx_idtv_reinject', 'vmx_asm_do_vmentry', 'local_apic_timer_interrupt');
    expect(names(journey).filter((n) => n === 'vmx_inject_extint')).toHaveLength(1);
    await golden(`xen-${xen}-reinjected`, journey);
  });

  test('4.17: an exception leaves the guest, and is given to it', async () => {
    const machine = machineOf(
      busy(hvm('4.17', 'linux-2.6.36'), '{what: faults, domain: 1, kind: debug, rate: 50}'),
    );
    const journey = through(machine, 'vmx_propagate_intr');
    expect(names(journey)).toEqual([
      'vmx_vmexit_handler',
      'vmx_propagate_intr',
      'vmx_asm_do_vmentry',
      'do_debug',
    ]);
    await golden('xen-4.17-exception', journey);
  });

  test('a breakpoint of a guest with a debugger: the domain is paused, and 3.4 tells dom0', async () => {
    for (const xen of ['4.17', '3.4']) {
      const debugged = hvm(xen, 'linux-2.6.36').replace('type: hvm', 'type: hvm, debugger: true');
      const machine = machineOf(busy(debugged, '{what: faults, domain: 1, kind: int3, rate: 20}'));
      const journey = through(machine, 'domain_pause_for_debugger');
      passes(journey, 'vmx_vmexit_handler', 'domain_pause_for_debugger');
      if (xen === '3.4') passes(journey, 'evtchn_set_pending', 'test_all_events', 'handle_irq_event');
      else expect(names(journey)).not.toContain('evtchn_fifo_set_pending');
      await golden(`xen-${xen}-breakpoint`, journey);
    }
  });

  test('3.4: #NM, when the guest uses the FPU first', async () => {
    const machine = machineOf(
      busy(hvm('3.4', 'linux-2.6.36'), '{what: faults, domain: 1, kind: fpu, rate: 50}'),
      0,
    );
    const journey = through(machine, 'vmexit', (r) => r.args[1] === Exit.EXCEPTION_NMI);
    expect(names(journey)).toEqual(['vmx_vmexit_handler', 'vmx_asm_do_vmentry']);
    await golden('xen-3.4-exception-fpu', journey);
  });
});

describe('non-maskable interrupts', () => {
  const COMPUTE = '{what: compute, domain: 1, share: 1}';

  test('of the processor: the guest leaves for it, Xen takes it', async () => {
    const machine = machineOf(
      busy(hvm('4.17', 'linux-2.6.36'), `${COMPUTE}\n  - {what: nmi, domain: 0, rate: 100}`),
    );
    const journey = through(machine, 'do_nmi', (r) => r.cpu === 1);
    expect(names(journey)).toEqual(['vmx_vmexit_handler', 'do_nmi', 'vmx_asm_do_vmentry']);
    await golden('xen-4.17-nmi', journey);
  });

  test('while a paravirtual guest or Xen runs', async () => {
    const machine = machineOf(busy(XEN_4_17, '{what: nmi, domain: 0, rate: 100}'));
    expect(names(through(machine, 'do_nmi'))).toEqual(['do_nmi']);
  });

  test.each([
    ['4.17', 'linux-6.1', 'exc_nmi'],
    ['3.4', 'linux-2.6.36', 'do_nmi'],
  ])('Xen %s: sent to a guest that runs %s', async (xen, kernel, handler) => {
    const machine = machineOf(busy(hvm(xen, kernel), `${COMPUTE}\n  - {what: nmi, domain: 1, rate: 100}`));
    const journey = through(machine, 'nmi_pending');
    passes(journey, 'nmi_pending', 'vcpu_kick', 'vmx_inject_nmi', 'vmx_asm_do_vmentry', handler);
    expect(journey.hops.find((h) => h.end)?.name).toBe(handler);
    await golden(`xen-${xen}-guest-nmi`, journey);
  });
});
