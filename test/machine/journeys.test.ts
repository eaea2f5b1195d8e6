/**
 * One interrupt of each kind, hop by hop, as golden text: which functions it passes, in which order, on which CPU, what
 * it costs and what waits. The machines do as little as possible besides.
 *
 * The order of Xen's functions is that of xen/arch/x86/irq.c, x86_64/entry.S and domain.c, xen/common/event_channel.c and
 * event_2l.c of 4.17 and 3.4; that of KVM's of arch/x86/kvm/{irq_comm,ioapic,lapic,x86}.c and vmx/vmx.c.
 */
import { describe, expect, test } from 'vitest';
import { pastJourney } from '../../engine/index.ts';
import { fired, golden, last, names, passes } from '../support/journeys.ts';
import { busy, KVM, machineOf, POSTED, XEN_3_4, XEN_4_17 } from '../support/quiet.ts';

const COMPUTE_1 = '{what: compute, domain: 1, share: 0.95}';

describe('Xen 4.17', () => {
  test('a level line bound to dom0: EOI at the local APIC waits for the guest', async () => {
    const journey = fired(machineOf(XEN_4_17), 'usb');
    passes(journey, 'do_IRQ', 'send_guest_pirq', 'evtchn_fifo_set_pending', 'vcpu_kick', 'vcpu_wake');
    passes(journey, 'vcpu_wake', 'context_switch', 'test_all_events', 'xen_pv_evtchn_do_upcall');
    passes(journey, 'evtchn_fifo_handle_events', 'handle_irq_event', 'irq_handler_exit');
    await golden('xen-4.17-pirq-level', journey);
  });

  test('an edge line bound to dom0', async () => {
    await golden('xen-4.17-pirq-edge', fired(machineOf(XEN_4_17), 'kbd'));
  });

  test('a message bound to dom0', async () => {
    await golden('xen-4.17-pirq-msi', fired(machineOf(XEN_4_17), 'disk'));
  });

  test("the serial line is Xen's own: its handler tells dom0 by VIRQ_CONSOLE", async () => {
    const journey = fired(machineOf(XEN_4_17), 'uart');
    passes(journey, 'do_IRQ', 'send_global_virq', 'evtchn_fifo_set_pending', 'handle_irq_event');
    expect(names(journey)).not.toContain('send_guest_pirq');
    await golden('xen-4.17-own-irq', journey);
  });

  test('VIRQ_TIMER of a virtual CPU that sleeps', async () => {
    const journey = last(machineOf(XEN_4_17), 0, 'timer0');
    passes(journey, 'send_timer_event', 'evtchn_fifo_set_pending', 'vcpu_wake', 'test_all_events');
    await golden('xen-4.17-virq-timer', journey);
  });

  const STORE = '{what: xenstore, domain: 1, rate: 50}';

  test('an event from dom0 to a guest that sleeps: it is woken on its CPU', async () => {
    const journey = last(machineOf(busy(XEN_4_17, STORE)), 1, 'xenbus');
    passes(journey, 'evtchn_send', 'evtchn_fifo_set_pending', 'vcpu_kick', 'vcpu_wake', 'cpu_raise_softirq');
    await golden('xen-4.17-interdomain-asleep', journey);
  });

  test('an event to a guest that runs on another CPU: vcpu_kick sends an event-check IPI', async () => {
    const journey = last(machineOf(busy(XEN_4_17, `${STORE}\n  - ${COMPUTE_1}`)), 1, 'xenbus');
    passes(journey, 'evtchn_send', 'evtchn_fifo_set_pending', 'vcpu_kick', 'cpu_raise_softirq');
    passes(journey, 'cpu_raise_softirq', 'event_check_interrupt', 'test_all_events', 'handle_irq_event');
    expect(names(journey)).not.toContain('vcpu_wake');
    await golden('xen-4.17-interdomain-kick', journey);
  });
});

describe('machine checks', () => {
  const PAGE = '{type: hvm, vcpus: 1, cpus: [1], disk: disk, devices: [{driver: i8042}]}';
  const key = (text: string, name: string) => text.replace('keys: [', `keys: [{device: ${name}}, `);

  test('in a page of a guest on VMX: every CPU takes #MC, one deals with it, the guest and dom0 are told', async () => {
    const scenario = XEN_4_17.replace('{vcpus: 1, cpus: [1], disk: disk}', PAGE);
    const machine = machineOf(key(busy(scenario, COMPUTE_1), 'dom1.machine-check'));
    const journey = fired(machine, 'dom1.machine-check');
    passes(journey, 'MCi_STATUS', 'vmx_vmexit_handler', 'mcheck_cmn_handler', 'mce_softirq', 'inject_vmce');
    passes(journey, 'inject_vmce', 'hvm_inject_hw_exception', 'vmx_asm_do_vmentry', 'exc_machine_check');
    passes(journey, 'mce_softirq', 'evtchn_fifo_set_pending', 'test_all_events', 'handle_irq_event');
    await golden('xen-4.17-machine-check', journey);
  });

  test('3.4 tells dom0, whose first virtual CPU comes to the CPU that deals with it', async () => {
    const journey = fired(machineOf(key(XEN_3_4, 'machine-check')), 'machine-check');
    passes(journey, 'MCi_STATUS', 'intel_machine_check', 'mce_softirq', 'vcpu_set_affinity');
    passes(journey, 'vcpu_set_affinity', 'context_switch', 'do_machine_check');
    await golden('xen-3.4-machine-check', journey);
  });

  test.each([
    ['4.17', XEN_4_17, 'cmci_interrupt'],
    ['3.4', XEN_3_4, 'smp_cmci_interrupt'],
  ])(
    'the second of two corrected errors interrupts one CPU, which tells dom0 (%s)',
    async (xen, text, name) => {
      const machine = machineOf(key(text, 'corrected-error'));
      machine.fire('corrected-error');
      const { journey } = machine.shop.books;
      machine.fire('corrected-error');
      machine.runUntil(machine.clock.now + 1e6);
      const way = pastJourney(machine, journey, 'corrected error')!;
      passes(way, 'MCi_STATUS', name, 'test_all_events', 'handle_irq_event');
      await golden(`xen-${xen}-cmci`, way);
    },
  );
});

describe('Xen 3.4', () => {
  test('a level line bound to dom0, in the names of its time', async () => {
    const journey = fired(machineOf(XEN_3_4), 'usb');
    passes(journey, 'do_IRQ', 'send_guest_pirq', 'evtchn_set_pending', 'vcpu_kick', 'vcpu_wake');
    passes(journey, 'test_all_events', 'evtchn_do_upcall', 'handle_irq', 'handle_irq_event');
    await golden('xen-3.4-pirq-level', journey);
  });

  test('an event to a 2.6.18 guest goes through do_IRQ and handle_IRQ_event', async () => {
    const journey = last(machineOf(busy(XEN_3_4, '{what: xenstore, domain: 1, rate: 50}')), 1, 'xenbus');
    passes(journey, 'evtchn_send', 'evtchn_set_pending', 'evtchn_do_upcall', 'do_IRQ', 'handle_IRQ_event');
    await golden('xen-3.4-interdomain', journey);
  });
});

describe('KVM', () => {
  test('a line: both routes of its GSI, then the local APIC; the virtual CPU sleeps in HLT', async () => {
    const journey = fired(machineOf(KVM), 'vm1.kbd');
    passes(journey, 'kvm_set_irq', 'ioapic_set_irq', '__apic_accept_irq', 'kvm_vcpu_wake_up');
    passes(journey, 'kvm_arch_vcpu_load', 'vmx_inject_irq', 'vmx_vcpu_enter_exit', 'common_interrupt');
    passes(journey, 'common_interrupt', 'kvm_guest_apic_eoi_write', 'handle_irq_event', 'vmexit');
    passes(journey, 'handle_irq_event', 'vmexit', 'apic_set_eoi', 'apic_sync_pv_eoi_from_guest');
    await golden('kvm-line-asleep', journey);
  });

  test('a line, in a machine without PV EOI: the EOI is an exit before the handler', async () => {
    const journey = fired(machineOf(KVM.replace('vcpus: 1', 'pv-eoi: false\n    vcpus: 1')), 'vm1.kbd');
    passes(journey, 'common_interrupt', 'vmexit', 'apic_set_eoi', 'vmx_vcpu_enter_exit', 'handle_irq_event');
    await golden('kvm-line-eoi-exit', journey);
  });

  test('a line: the virtual CPU is in guest mode, so that a kick makes it leave', async () => {
    const journey = fired(machineOf(busy(KVM, '{what: compute, vm: 1, share: 0.95}')), 'vm1.kbd');
    passes(journey, '__apic_accept_irq', 'kvm_vcpu_kick', 'vmexit', 'handle_external_interrupt_irqoff');
    passes(journey, 'handle_external_interrupt_irqoff', 'vmx_inject_irq', 'vmx_vcpu_enter_exit');
    await golden('kvm-line-kick', journey);
  });

  test('a level line: the EOI goes on to the IOAPIC', async () => {
    const journey = fired(machineOf(KVM), 'vm1.nic');
    passes(journey, 'kvm_set_irq', 'handle_irq_event', 'apic_set_eoi', 'kvm_ioapic_update_eoi_one');
    await golden('kvm-line-level', journey);
  });

  test('a message', async () => {
    const journey = fired(machineOf(KVM), 'vm1.disk');
    passes(journey, 'kvm_set_msi', '__apic_accept_irq', 'vmx_inject_irq', 'handle_irq_event');
    expect(names(journey)).not.toContain('ioapic_set_irq');
    await golden('kvm-msi', journey);
  });

  test('an exit in the delivery, of a page that is absent: what IDT vectoring had is injected once more', async () => {
    const journey = fired(machineOf(KVM, 0), 'vm1.disk');
    const exit = names(journey).indexOf('vmexit');
    expect(names(journey).slice(exit - 2, exit + 3)).toEqual([
      'vmx_inject_irq',
      'vmx_vcpu_enter_exit',
      'vmexit',
      'vmx_inject_irq',
      'vmx_vcpu_enter_exit',
    ]);
    await golden('kvm-reinjected', journey);
  });

  test('without acknowledge on exit the vector waits in the IRR for the IDT', async () => {
    const scenario = busy(KVM, '{what: compute, vm: 1, share: 0.95}').replace(
      "'6.1'",
      "'6.1'\nack-on-exit: false",
    );
    const journey = fired(machineOf(scenario), 'vm1.kbd');
    passes(journey, 'vmexit', 'local_irq_enable', 'vmx_inject_irq');
    expect(names(journey)).not.toContain('handle_external_interrupt_irqoff');
    await golden('kvm-line-no-ack', journey);
  });

  test('an interrupt of the host ends in its own handler; a guest that runs there leaves for it', async () => {
    const machine = machineOf(
      busy(KVM.replace('queues: 2', 'queues: 1').replace('[1]', '[0]'), '{what: compute, vm: 1, share: 1}'),
    );
    const journey = fired(machine, 'disk');
    passes(journey, 'raise', 'apic accept', 'vmexit', 'handle_external_interrupt_irqoff', 'common_interrupt');
    await golden('kvm-host-irq', journey);
  });
});

describe('KVM with posted interrupts', () => {
  const COMPUTE = '{what: compute, vm: 1, share: 0.95}';

  test('a card given to a machine that runs: notification, virtual delivery, no exit', async () => {
    const journey = fired(machineOf(busy(POSTED, COMPUTE)), 'vm1.ixgbevf');
    passes(
      journey,
      'VT-d posting',
      'apic accept',
      'posted-interrupt processing',
      'virtual-interrupt delivery',
    );
    expect(names(journey)).not.toContain('vmexit');
    await golden('kvm-posted-running', journey);
  });

  test('to a machine that sleeps: the wakeup vector wakes its thread', async () => {
    const journey = fired(machineOf(POSTED), 'vm1.ixgbevf');
    passes(journey, 'VT-d posting', 'sysvec_kvm_posted_intr_wakeup_ipi', 'kvm_vcpu_wake_up');
    passes(journey, 'kvm_arch_vcpu_load', 'vmx_vcpu_enter_exit', 'virtual-interrupt delivery');
    await golden('kvm-posted-asleep', journey);
  });

  test("a message of QEMU's is posted too", async () => {
    const journey = fired(machineOf(busy(POSTED, COMPUTE)), 'vm1.disk');
    passes(journey, 'kvm_set_msi', '__apic_accept_irq', 'vmx_deliver_posted_interrupt');
    passes(journey, 'vmx_deliver_posted_interrupt', 'posted-interrupt processing', 'handle_irq_event');
    await golden('kvm-posted-msi', journey);
  });
});
