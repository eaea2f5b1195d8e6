/** One interrupt of a domain of Xen x86 in full: an event channel, or an interrupt of a guest's own emulated chips. */
import { NativeKernel } from '../../guest/linux/native.ts';
import type { IrqDetails } from '../details.ts';
import { apicText, nativeDetails } from '../details-x86.ts';
import { hex } from '../hops-linux.ts';
import { channelDetails, isXenGuest } from './details.ts';
import { pirqDetails } from './details-pirq.ts';
import type { DomainParts, XenHost } from './host.ts';
import { placeOf } from './hvm-inspect.ts';

export function xenDetails(host: XenHost, domain: number, irq: number): IrqDetails | undefined {
  const parts = host.domains[domain];
  const desc = parts?.kernel.irqs.descs[irq];
  if (!desc) return undefined;
  const { kernel } = parts;
  const { xen, shop } = host;
  if (desc.ports.length === 0 || !isXenGuest(kernel)) {
    return kernel instanceof NativeKernel && parts.hvm ? emulated(host, parts, kernel, irq) : undefined;
  }
  const { shared, vcpus } = parts.domain;
  return channelDetails(
    {
      kernel,
      domain,
      channels: xen.channels,
      shared,
      vcpus,
      jiffies: kernel.time.jiffies(shop.clock.now),
      upcall: upcallOf(parts),
      pirq: (pirq) => pirqDetails(xen, domain, pirq),
    },
    desc,
  );
}

/** How the kernel hears of events. */
function upcallOf({ hvm }: DomainParts): string {
  if (!hvm) return 'on the way out of Xen: bounce frame to its callback';
  const vector = hvm.hvm.chips.vcpus[0]!.upcallVector;
  return vector > 0 ? `vector ${hex(vector)} of its local APIC` : 'by its callback';
}

/** A line or message of the chips that Xen emulates for it. */
function emulated(
  { xen }: XenHost,
  { hvm, kernel: { irqs } }: DomainParts,
  kernel: NativeKernel,
  irq: number,
): IrqDetails {
  const { chips, vcpus } = hvm!.hvm;
  const lapics = chips.vcpus.map((v) => v.apic);
  return nativeDetails(kernel, irqs.descs[irq]!, {
    ioapic: chips.ioapic,
    lapics,
    delivery: (cpu, vector) => [
      [`local APIC of vCPU ${cpu}`, apicText(lapics[cpu]!, vector)],
      [vcpus[cpu]!.name, placeOf(vcpus[cpu]!, xen.control.endOf(vcpus[cpu]!.domain))],
      ['delivery', 'vmx_intr_assist on the way in: injected, or an interrupt window'],
    ],
  });
}
