/** What an interrupt passes on its way to an HVM guest: functions of Xen, with what is told of each. */
export const HVM_HOPS = {
  hvm_isa_irq_assert: ['irq'],
  hvm_isa_irq_deassert: ['irq'],
  hvm_pci_intx_assert: ['device', 'intx'],
  hvm_pci_intx_deassert: ['device', 'intx'],
  hvm_ioapic_assert: ['gsi', 'level'],
  hvm_inject_msi: ['address', 'data'],
  hvm_set_callback_irq_level: ['asserted'],
  hvm_assert_evtchn_irq: ['vcpu'],
  send_guest_pirq: ['gsi'],
  vioapic_irq_positive_edge: ['gsi'],
  vpic_irq_positive_edge: ['irq'],
  vpic_irq_negative_edge: ['irq'],
  vpic_ack_pending_irq: ['vcpu', 'vector'],
  vioapic_deliver: ['gsi', 'vector'],
  vioapic_update_EOI: ['vector'],
  vlapic_set_irq: ['vcpu', 'vector'],
  vlapic_ack_pending_irq: ['vcpu', 'vector'],
  vlapic_EOI_set: ['vcpu', 'vector'],
  vlapic_ipi: ['vcpu', 'icr'],
  vlapic_init_sipi_action: ['vcpu', 'icr'],
  pt_timer_fn: ['vcpu', 'irq'],
  pt_update_irq: ['vcpu', 'irq'],
  pt_intr_post: ['vcpu', 'vector'],
} as const satisfies Record<string, readonly string[]>;

export type HvmHop = keyof typeof HVM_HOPS;
