/** Microbenchmarks in a guest of Xen on ARM. */
import type { XenArm64Kernel } from '../../guest/linux/arm64.ts';
import type { Arm64Cpu } from '../../guest/linux/arm64-entry.ts';
import type { ArmGuestCpu } from '../../hv/xen/arm/arm-cpu.ts';
import { GICD } from '../../hw/arm/gic-regs.ts';
import { computeOn } from '../loops.ts';
import type { XenArmHost } from '../xen-arm/host.ts';
import { Marks, type MicrobenchmarkSpec, program } from './program.ts';
import { startIoIn, startIoOut } from './xen.ts';

export function startXenArm(host: XenArmHost, domain: number, spec: MicrobenchmarkSpec): void {
  const kernel = host.domains[domain]!.kernel as XenArm64Kernel;
  const { run, vcpu } = spec;
  const ends = { shop: host.shop, dom0: host.dom0.kernel, guest: kernel, domain };
  const marks = new Marks(host.shop, run);
  const guest = (act: (cpu: Arm64Cpu) => void) =>
    program(host.shop, kernel, vcpu, spec, (on) => {
      marks.begins(on);
      act(on as Arm64Cpu);
      return false;
    });
  switch (run) {
    case 'hypercall':
      guest(({ hardware }) => (hardware as ArmGuestCpu).hypercall());
      return;
    case 'trap':
      guest(({ hardware }) => {
        hardware.load(kernel.init.gic.dist + GICD.CTLR);
      });
      return;
    case 'ipi':
      // both execute code of the guest
      computeOn(host.shop, kernel, `${run}.target`, vcpu + 1, () => 1);
      guest((cpu) => kernel.sendIpi('resched', vcpu + 1, cpu));
      return;
    case 'completion':
      program(host.shop, kernel, vcpu, spec, (on) => complete(kernel, on as Arm64Cpu, marks));
      return;
    case 'switch':
      // behind it the guest waits for an interrupt
      guest(() => {});
      return;
    case 'io-out':
      startIoOut(ends, spec);
      return;
    case 'io-in':
      startIoIn(ends, spec);
  }
}

/** Sends an interrupt to itself, and with interrupts masked acknowledges it and ends it. */
function complete(kernel: XenArm64Kernel, cpu: Arm64Cpu, marks: Marks): boolean {
  const { gic } = kernel;
  const { hardware } = cpu;
  if (!hardware.irqsMasked) {
    hardware.irqsMasked = true;
    kernel.sendIpi('irqwork', cpu.cpu, cpu);
    return true;
  }
  marks.begins(cpu);
  const desc = gic.acknowledge(cpu)!;
  gic.chip.ack(desc, cpu);
  gic.chip.end(desc, cpu);
  marks.ends(cpu);
  hardware.irqsMasked = false;
  return false;
}
