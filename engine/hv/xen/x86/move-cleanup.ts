/**
 * Freeing the vector that an interrupt had before it moved to another CPU (send_cleanup_vector and
 * irq_move_cleanup_interrupt, xen/arch/x86/irq.c of 4.17). The first interrupt by the new vector tells the CPU of the old
 * one, by IPI, that it may go; as long as it is requested there by that vector the CPU tells itself again.
 *
 * Only CPU 0 has such vectors here, those of the 8259s' lines from boot.
 */
import type { Clock, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import { timing } from '../../../timing.ts';
import type { PcpuWiring } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import { IRQ_MOVE_CLEANUP_VECTOR } from './apic-vectors.ts';
import type { IrqDescs } from './irq-desc.ts';

export class MoveCleanup {
  private readonly flight: Task;

  constructor(
    private readonly clock: Clock,
    private readonly wiring: PcpuWiring,
    private readonly lapics: readonly LocalApic[],
    private readonly table: IrqDescs,
  ) {
    this.flight = clock.task('cpu0.move_cleanup', Priority.hardware, () => {
      lapics[0]!.request(IRQ_MOVE_CLEANUP_VECTOR);
    });
  }

  send(): void {
    const { here } = this.wiring;
    if (!this.flight.queued) this.flight.at((here ? here.time : this.clock.now) + timing.ipiFlight);
  }

  /** irq_move_cleanup_interrupt */
  interrupt(cpu: Pcpu): void {
    for (const desc of this.table.descs) {
      if (!desc?.moveCleanup) continue;
      if (this.lapics[cpu.cpu]!.irr.has(desc.oldVector)) this.send();
      else this.table.releaseOld(desc);
    }
  }
}
