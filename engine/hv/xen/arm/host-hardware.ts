/**
 * What interrupts the CPUs of an ARM host, and what Xen gives guests of it: the GIC, each CPU's virtual interface with the face
 * that this GIC has, generic timers, and what comes past the GIC.
 */
import { Ppi } from '../../../hw/arm/board-virt.ts';
import { From, Kind, vectorOffset } from '../../../hw/arm/exceptions.ts';
import { GenericTimer, SystemCounter } from '../../../hw/arm/generic-timer.ts';
import { Gic, Signal } from '../../../hw/arm/gic.ts';
import { Gich } from '../../../hw/arm/gich.ts';
import { Ich } from '../../../hw/arm/ich.ts';
import { ProcessorSignals } from '../../../hw/arm/signals.ts';
import { VirtualInterface } from '../../../hw/arm/virtual-interface.ts';
import { GICV2_VIRTUAL, GICV3_VIRTUAL } from '../../../hw/arm/virtual-options.ts';
import type { InterruptLine } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { HypervisorShop } from '../../shop.ts';
import type { ArmVcpu } from './arm-vcpu.ts';

export interface HostHardwareOptions {
  /** version of the GIC */
  readonly gic: 2 | 3;
  readonly cpus: number;
  /** list registers of each CPU */
  readonly lrs: number;
  /** INTIDs of the machine */
  readonly intids: number;
}

export class HostHardware {
  readonly counter = new SystemCounter();
  readonly gic: Gic;
  readonly signals: ProcessorSignals;
  /** by CPU */
  readonly timers: readonly GenericTimer[];
  readonly interfaces: readonly VirtualInterface[];
  /** the face of GICv2 */
  readonly gich: readonly Gich[];
  /** that of GICv3 */
  readonly ich: readonly Ich[];

  /** @param deactivated a list register with the HW bit has ended a physical interrupt */
  constructor(
    { clock, parts }: HypervisorShop,
    { gic, cpus: count, lrs, intids }: HostHardwareOptions,
    cpus: readonly Pcpu[],
    deactivated: (cpu: number, pirq: number) => void,
  ) {
    const changed = (cpu: number) => {
      if (this.gic.signal(cpu) !== Signal.NONE) cpus[cpu]!.interruptRequest();
    };
    const signalled = {
      serror: (cpu: number) => cpus[cpu]!.nmi(),
      fiq: (cpu: number) => {
        if (this.takesFiq(cpus[cpu]!)) cpus[cpu]!.interruptRequest();
      },
    };
    this.signals = parts.add(new ProcessorSignals(clock, count, signalled));
    this.gic = parts.add(new Gic({ id: 'gic', version: gic, cpus: count, intids, output: { changed } }));
    for (const cpu of cpus) cpu.line = this.lineOf(cpu);
    this.timers = cpus.map((cpu) =>
      parts.add(
        new GenericTimer({
          id: `cpu${cpu.cpu}.timer`,
          clock,
          counter: this.counter,
          now: () => cpu.time,
          output: (ppi, high) => this.gic.setPrivateLine(cpu.cpu, ppi, high),
        }),
      ),
    );
    const faces = gic === 2 ? GICV2_VIRTUAL : GICV3_VIRTUAL;
    this.interfaces = cpus.map(({ cpu }) =>
      parts.add(
        new VirtualInterface(
          `cpu${cpu}`,
          { ...faces, lrs },
          {
            changed: () => {},
            deactivate: (pirq) => deactivated(cpu, pirq),
            maintenance: (level) => this.gic.setPrivateLine(cpu, Ppi.MAINTENANCE, level),
          },
        ),
      ),
    );
    this.gich = gic === 2 ? this.interfaces.map((core) => new Gich(core)) : [];
    this.ich = gic === 3 ? this.interfaces.map((core) => new Ich(core)) : [];
  }

  /** What the processor takes at the entry of IRQs to EL2. */
  private lineOf(cpu: Pcpu): InterruptLine {
    const hyp = vectorOffset(From.EL2H, Kind.IRQ);
    const deliverable = () => (this.gic.signal(cpu.cpu) !== Signal.NONE || this.takesFiq(cpu) ? hyp : -1);
    return { deliverable, ack: () => hyp };
  }

  /** PSTATE.F is set in all of Xen, which therefore never takes an FIQ itself; in a guest nothing masks it. */
  private takesFiq(cpu: Pcpu): boolean {
    const v = cpu.current as ArmVcpu | null;
    return this.signals.fiq[cpu.cpu] === 1 && v !== null && !v.exited;
  }
}
