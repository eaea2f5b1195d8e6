/**
 * One interrupt of each kind on Xen on ARM, hop by hop, as golden text. The order of Xen's functions is that of
 * xen/arch/arm/{gic,irq,vgic,gic-vgic,traps}.c and arm64/entry.S of 4.17, that of the guest's of arch/arm64 and
 * drivers/irqchip of Linux 6.1.
 */
import { describe, expect, test } from 'vitest';
import type { JourneySnapshot } from '../../engine/index.ts';
import { pastJourneys } from '../../engine/machine/journey.ts';
import { fired, golden, last, passes } from '../support/journeys.ts';
import { machineOf, onArm } from '../support/quiet.ts';

const detailOf = (journey: JourneySnapshot, name: string) =>
  journey.hops.find((h) => h.name === name)!.detail;

describe.each([2, 3] as const)('GICv%i', (gic) => {
  const quiet = () => machineOf(onArm(gic));

  test('a level SPI to dom0: EOIR at once, and the guest deactivates it', async () => {
    const journey = fired(quiet(), 'disk');
    passes(journey, 'raise', 'do_IRQ', 'vgic_inject_irq', 'vcpu_kick', 'vcpu_wake', 'context_switch');
    passes(journey, 'gic_restore_pending_irqs', 'leave_hypervisor_to_guest', 'eret', 'el1h_64_irq');
    passes(journey, 'gic_handle_irq', 'handle_irq_event', 'irq_handler_exit');
    expect(detailOf(journey, 'do_IRQ')).toBe('IAR 36, EOIR, dom0');
    expect(detailOf(journey, 'gic_restore_pending_irqs')).toBe('LR0 = 36 pending, HW 36');
    expect(detailOf(journey, 'gic_handle_irq')).toMatch(/^INTID 36 is irq \d+, handle_fasteoi_irq$/);
    await golden(`arm-v${gic}-spi-level`, journey);
  });

  test('an edge SPI to dom0', async () => {
    const journey = fired(quiet(), 'disk1');
    expect(journey.hops[0]!.pending).toBe('irq 79 pending');
    await golden(`arm-v${gic}-spi-edge`, journey);
  });

  test('an SPI passed through to a guest that knows nothing of Xen', async () => {
    const journey = fired(quiet(), 'dom2.rtc');
    expect(detailOf(journey, 'vgic_inject_irq')).toBe('dom2.0 irq 34');
    expect(journey.hops.find((h) => h.end)!.detail).toMatch(/^dom2\.0 irq \d+ rtc-pl031$/);
    await golden(`arm-v${gic}-spi-passed`, journey);
  });

  test("the UART is Xen's own: its handler, then VIRQ_CONSOLE by the PPI of event channels", async () => {
    const journey = fired(quiet(), 'uart');
    passes(journey, 'do_IRQ', 'pl011_interrupt', 'send_global_virq', 'evtchn_fifo_set_pending');
    passes(journey, 'vgic_inject_irq', 'gic_handle_irq', 'xen_arm_callback', 'evtchn_fifo_handle_events');
    expect(detailOf(journey, 'gic_handle_irq')).toMatch(/^INTID 16 is irq \d+, handle_percpu_devid_irq$/);
    expect(detailOf(journey, 'gic_restore_pending_irqs')).not.toContain('HW');
    await golden(`arm-v${gic}-own-irq`, journey);
  });

  test('a packet to the guest of the toolstack: the interrupt of the card ends in dom0, its event in the guest', async () => {
    const machine = quiet();
    await golden(`arm-v${gic}-packet-dom0`, fired(machine, 'nic'));
    machine.runUntil(machine.clock.now + 2e6);
    const journey = last(machine, 1, 'vif0-q0-rx');
    passes(journey, 'evtchn_send', 'evtchn_fifo_set_pending', 'vgic_inject_irq', 'vcpu_kick', 'vcpu_wake');
    passes(journey, 'cpu_raise_softirq', 'do_sgi', 'context_switch', 'gic_handle_irq', 'xen_arm_callback');
    expect(detailOf(journey, 'vgic_inject_irq')).toBe('dom1.0 irq 31');
    await golden(`arm-v${gic}-packet-guest`, journey);
  });

  test('the last one that Xen took by an INTID is found', () => {
    const machine = quiet();
    const { journey } = fired(machine, 'disk1');
    machine.runUntil(machine.clock.now + 1e6);
    const found = pastJourneys(machine, { vector: 79 }, 'Xen:79').at(-1)!;
    expect(found.journey).toBe(journey);
    expect(pastJourneys(machine, { vector: 77 }, 'Xen:77')).toEqual([]);
  });
});

test('an event while the PPI of the one before is handled: its list register is pending once more', async () => {
  const machine = machineOf(onArm(3));
  const handled = () => {
    const { arm, channels } = machine.platform.domains()[0]!;
    const [lr] = arm!.vcpus[0]!.lrs;
    return lr!.virq === 16 && lr!.state === 'active' && !channels.some((c) => c.pending);
  };
  machine.fire('uart');
  while (!handled()) machine.step();
  const journey = fired(machine, 'uart');
  passes(journey, 'do_IRQ', 'pl011_interrupt', 'vgic_inject_irq', 'gic_update_one_lr');
  expect(detailOf(journey, 'gic_update_one_lr')).toBe('LR0 = 16 pending once more');
  await golden('arm-v3-pending-active', journey);
});
