/**
 * What root of a domain does from inside: masks, affinities and IPIs, by the processes of its shell. Whatever the
 * platform, these checks are Linux's; how an idle CPU is woken for it is told by the platform.
 */
import { EVTCHN_FIFO_PRIORITY_MIN } from '../abi/xen.ts';
import type { IrqDesc } from '../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import { NativeKernel } from '../guest/linux/native.ts';
import { RootShell } from '../guest/linux/root-shell.ts';
import type { XenGuest } from '../guest/linux/xen-side.ts';
import type { Outcome } from './commands.ts';
import { noRow, raised, refuse, rowOf, wrongCpus } from './controls.ts';

/** GIC interrupts below are each CPU's own */
const PRIVATE = 32;

export class GuestControls {
  private readonly shell: RootShell;

  /** @param wake interrupts a CPU of the kernel that idles, in the name of the journey that is begun by it */
  constructor(
    readonly kernel: LinuxKernel,
    private readonly name: string,
    private readonly wake: (cpu: number) => void,
  ) {
    this.shell = new RootShell(kernel);
  }

  mask(irq: number, masked: boolean): Outcome {
    const { kernel, shell, name } = this;
    const desc = rowOf(kernel, irq);
    if (!desc) return noRow(name, irq);
    if (isPercpuDevid(desc))
      return refuse(`irq ${irq} is every CPU's own: disable_irq does not know it (-EINVAL)`);
    if (masked && shell.isDisabled(irq)) return refuse(`irq ${irq} is disabled already`);
    if (!masked && !shell.isDisabled(irq) && !this.wasDisabled(desc)) {
      return refuse(
        desc.depth > 0
          ? `irq ${irq} is disabled by its driver`
          : `irq ${irq} is not disabled: enable_irq would warn`,
      );
    }
    if (shell.setDisabled(irq, masked)) this.wake(0);
    return {};
  }

  /** By the kernel, as nobody cared. */
  private wasDisabled(desc: IrqDesc): boolean {
    return desc.depth > 0 && this.kernel instanceof NativeKernel;
  }

  affinity(irq: number, cpus: readonly number[]): Outcome {
    const { kernel, shell, name } = this;
    const desc = rowOf(kernel, irq);
    if (!desc) return noRow(name, irq);
    const wrong = wrongCpus(name, cpus, kernel.cpuCount);
    if (wrong) return refuse(wrong);
    const cannot = this.cannotMove(desc);
    if (cannot) return refuse(`${name} irq ${irq}: ${cannot} (${errorOf(kernel)})`);
    if (
      shell.setAffinity(
        irq,
        [...new Set(cpus)].sort((a, b) => a - b),
      )
    )
      this.wake(0);
    return {};
  }

  /** irq_can_set_affinity_usr */
  private cannotMove(desc: IrqDesc): string | undefined {
    const { kernel } = this;
    if (isPercpuDevid(desc)) return 'every CPU has its own, it cannot be moved';
    if (desc.ports.length > 1) return 'it serves every CPU, it cannot be moved';
    if (!desc.chip.writeAffinity) return `${desc.chip.name || 'it'} stays on its CPU`;
    if (kernel instanceof NativeKernel && desc.port === 0 && kernel.controllers.isManaged(desc.irq)) {
      return 'its CPUs are managed by the kernel';
    }
    return undefined;
  }

  /** xen_set_irq_priority, which a module may call. */
  priority(irq: number, priority: number): Outcome {
    const { kernel, shell, name } = this;
    const desc = rowOf(kernel, irq);
    if (!desc) return noRow(name, irq);
    if (desc.port === 0) return refuse(`irq ${irq} is no event channel: it has no priority`);
    if ((kernel as XenGuest).events.abi.name !== 'evtchn-fifo') {
      return refuse(`${name} has event channels of two levels: EVTCHNOP_set_priority is -ENOSYS there`);
    }
    if (!(Number.isInteger(priority) && priority >= 0 && priority <= EVTCHN_FIFO_PRIORITY_MIN)) {
      return refuse(`a priority is 0, the most urgent, to ${EVTCHN_FIFO_PRIORITY_MIN}: not ${priority}`);
    }
    if (shell.setPriority(irq, priority)) this.wake(0);
    return {};
  }

  /** An MSR, by a native kernel. */
  writeMsr(cpu: number, msr: number, low: number): Outcome {
    const wrong = wrongCpus(this.name, [cpu], this.kernel.cpuCount);
    if (wrong) return refuse(wrong);
    if (this.shell.writeMsr(cpu, msr, low)) this.wake(cpu);
    return {};
  }

  /** @param journey that the IPI is to be */
  ipi(from: number, to: number): Outcome {
    const { kernel, shell, name } = this;
    const wrong = wrongCpus(name, [from, to], kernel.cpuCount);
    if (wrong) return refuse(wrong);
    const journey = kernel.books.beside();
    if (shell.sendReschedule(from, to, journey)) this.wake(from);
    return raised(journey);
  }
}

/** write_irq_affinity: -EPERM since 6.12 */
function errorOf({ profile }: LinuxKernel): string {
  return /^linux-(6\.18|2026)/.test(profile.arch) ? '-EPERM' : '-EIO';
}

function isPercpuDevid({ chip, hwirq, port }: IrqDesc): boolean {
  return port === 0 && chip.name.startsWith('GIC') && hwirq !== null && hwirq < PRIVATE;
}
