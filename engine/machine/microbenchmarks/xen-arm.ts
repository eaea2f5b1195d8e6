/** Microbenchmarks in a guest of Xen on ARM. */
import type { XenArm64Kernel } from '../../guest/linux/arm64.ts';
import type { Arm64Cpu } from '../../guest/linux/arm64-entry.ts';
import type { ArmGuestCpu } from '../../hv/xen/arm/arm-cpu.ts';
import { GICD } from '../../hw/arm/gic-regs.ts';
import type { XenArmHost } from '../xen-arm/host.ts';
import { startInGuest } from './guest.ts';
import { Marks, type MicrobenchmarkSpec, program } from './program.ts';
import { startIoIn, startIoOut } from './xen.ts';

export function startXenArm(
  { shop, dom0, domains }: XenArmHost,
  domain: number,
  spec: MicrobenchmarkSpec,
): void {
  const kernel = domains[domain]!.kernel as XenArm64Kernel;
  const { run, vcpu } = spec;
  const ends = { shop, dom0: dom0.kernel, guest: kernel, domain };
  startInGuest<Arm64Cpu>(shop, kernel, spec, {
    hypercall: ({ hardware }) => (hardware as ArmGuestCpu).hypercall(),
    trap({ hardware }) {
      hardware.load(kernel.init.gic.dist + GICD.CTLR);
    },
    completion() {
      const marks = new Marks(shop, run);
      program(shop, kernel, vcpu, spec, (on) => complete(kernel, on as Arm64Cpu, marks));
    },
    'io-out': () => startIoOut(ends, spec),
    'io-in': () => startIoIn(ends, spec),
  });
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
