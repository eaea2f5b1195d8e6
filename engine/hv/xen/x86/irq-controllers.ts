/**
 * How each kind of interrupt is acknowledged, ended and switched (hw_irq_controller: ioapic_edge_type,
 * ioapic_level_type, pci_msi_maskable, pci_msi_nonmaskable of xen/arch/x86/io_apic.c and msi.c; on 3.4
 * hw_interrupt_type, of which pci_msi_type does for both kinds of messages).
 *
 * A level line is dealt with in one of two ways (option ioapic_ack). `new` leaves it in service at the local APIC
 * until it is ended. `old` masks the pin and gives the EOI at once; ending it unmasks the pin.
 */
import type { Pcpu } from '../../pcpu.ts';
import type { AckType, IrqDesc, IrqDescs } from './irq-desc.ts';
import type { IrqLines } from './irq-lines.ts';
import { IRQ_DISABLED, IRQ_MOVE_PENDING, IRQ_PENDING } from './irq-status.ts';

export class IrqControllers {
  constructor(
    private readonly lines: IrqLines,
    private readonly table: IrqDescs,
    /** ioapic_ack_new */
    private readonly ackNew: boolean,
    /** send_cleanup_vector */
    private readonly sendCleanup: () => void,
  ) {}

  /** irq_acktype (3.4: pirq_acktype) */
  ackType({ type }: IrqDesc): AckType {
    switch (type) {
      case 'IO-APIC-edge':
      case 'PCI-MSI/-X':
        return 'NONE';
      case 'PCI-MSI':
        return 'EOI';
      case 'IO-APIC-level':
        return this.ackNew ? 'EOI' : 'UNMASK';
    }
  }

  ack(cpu: Pcpu, desc: IrqDesc, vector: number): void {
    if (this.table.completeMove(desc, vector)) this.sendCleanup();
    switch (desc.type) {
      case 'IO-APIC-edge':
        this.moveNative(desc);
        // recorded once while disabled; more of it would be a storm of a device that nobody serves
        if ((~desc.status & (IRQ_PENDING | IRQ_DISABLED)) === 0) this.lines.mask(desc);
        this.lines.eoi(cpu);
        return;
      case 'IO-APIC-level':
        if (this.ackNew) return;
        this.lines.mask(desc);
        this.lines.eoi(cpu);
        if (!this.lines.ioapics.entry(desc.irq).remoteIrr) this.moveMasked(desc);
        return;
      case 'PCI-MSI/-X':
        this.moveNative(desc);
        this.lines.eoi(cpu);
        return;
      case 'PCI-MSI':
        this.moveNative(desc);
    }
  }

  /** On the CPU whose local APIC has it in service; with `old` on any. */
  end(cpu: Pcpu, desc: IrqDesc): void {
    if (desc.type === 'PCI-MSI') this.lines.eoi(cpu);
    if (desc.type !== 'IO-APIC-level') return;
    if (this.ackNew) {
      this.lines.eoi(cpu);
      if (!this.lines.ioapics.entry(desc.irq).remoteIrr) this.moveNative(desc);
    } else this.unmaskUnlessDisabled(desc);
  }

  /** The same without a CPU: for what the acknowledgement has left masked. */
  unmaskUnlessDisabled(desc: IrqDesc): void {
    if ((desc.status & IRQ_DISABLED) === 0) this.lines.unmask(desc);
  }

  enable(desc: IrqDesc): void {
    this.lines.unmask(desc);
  }

  /** An edge line is not masked: one that came meanwhile would be lost. */
  disable(desc: IrqDesc): void {
    if (desc.type !== 'IO-APIC-edge') this.lines.mask(desc);
  }

  startup(desc: IrqDesc): void {
    this.lines.unmask(desc);
  }

  /** 3.4 and 4.17 leave an edge line as it is; the acknowledgement of the second one that comes masks it. */
  shutdown(desc: IrqDesc): void {
    this.disable(desc);
  }

  // where it is aimed

  /** irq_set_affinity: from the next interrupt on. */
  setAffinity(desc: IrqDesc, cpu: number): void {
    desc.moveTo = cpu;
    desc.status |= IRQ_MOVE_PENDING;
  }

  /** move_native_irq. Masking around it has no effect here: nothing comes between. */
  private moveNative(desc: IrqDesc): void {
    if ((desc.status & IRQ_DISABLED) === 0) this.moveMasked(desc);
  }

  /** move_masked_irq */
  private moveMasked(desc: IrqDesc): void {
    if ((desc.status & IRQ_MOVE_PENDING) === 0) return;
    desc.status &= ~IRQ_MOVE_PENDING;
    this.table.aim(desc, desc.moveTo);
  }
}
