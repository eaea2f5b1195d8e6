/** What people do to the interrupts of a KVM host and of its machines. */
import { MSR_SINT0, sint } from '../../abi/hyperv.ts';
import { LVT_MASKED, Lvt, Mode, Reg } from '../../hw/x86/apic-regs.ts';
import type { LocalApic } from '../../hw/x86/lapic.ts';
import type { Outcome } from '../commands.ts';
import { type Controls, noDomain, noRow, ownRow, raised, refuse, rowOf, wrongCpus } from '../controls.ts';
import { GuestControls } from '../guest-controls.ts';
import type { KvmHost } from './host.ts';
import type { VmParts } from './vm.ts';

const HOST = 'host';
const RESCHEDULE_VECTOR = 0xfd;
const NMI_VECTOR = 2;
/** IOAPIC pin of the host's 8254 */
const TIMER_PIN = 2;

export class KvmControls implements Controls {
  /** the host's, then the machines' */
  private readonly guests: readonly GuestControls[];

  constructor(private readonly host: KvmHost) {
    const { kernel, vms } = host;
    this.guests = [
      new GuestControls(kernel, HOST, (cpu) => this.wakeHost(cpu)),
      ...vms.map((vm) => new GuestControls(vm.kernel, vm.name, (cpu) => this.wake(vm, cpu))),
    ];
  }

  private guest(name: string): GuestControls | undefined {
    return name === HOST
      ? this.guests[0]
      : this.guests[1 + this.host.vms.findIndex((vm) => vm.name === name)];
  }

  private vm(name: string): VmParts | undefined {
    return this.host.vms.find((vm) => vm.name === name);
  }

  // raise

  raise(domain: string, irq: number | string, cpu: number): Outcome {
    if (irq === 'NMI') return this.nmi(domain, cpu);
    const vm = this.vm(domain);
    if (!vm && domain !== HOST) return noDomain(domain);
    if (typeof irq === 'string') return ownRow(irq);
    const { kernel } = vm ?? this.host;
    if (!rowOf(kernel, irq)) return noRow(domain, irq);
    const journey = vm ? vm.raise(irq) : this.raiseHost(irq);
    return journey === undefined
      ? refuse(`nothing is behind irq ${irq} of ${domain} that could raise it`)
      : raised(journey);
  }

  private raiseHost(irq: number): number | undefined {
    const raise = this.host.devices.raises.get(irq);
    if (raise || irq !== 0) return raise?.();
    const { books } = this.host.shop;
    const journey = books.begin(books.sourceOf('8254'));
    const { ioapic } = this.host.board;
    ioapic.setIrq(TIMER_PIN, false);
    const reached = ioapic.setIrq(TIMER_PIN, true);
    const destination = books.destinationOf('host gsi 0');
    if (reached === 0) books.coalesce(destination);
    else if (reached < 0) books.ignore(destination, 'masked');
    return journey;
  }

  // from inside

  mask(domain: string, irq: number, masked: boolean): Outcome {
    return this.guest(domain)?.mask(irq, masked) ?? noDomain(domain);
  }

  affinity(domain: string, irq: number, cpus: readonly number[]): Outcome {
    return this.guest(domain)?.affinity(irq, cpus) ?? noDomain(domain);
  }

  ipi(domain: string, from: number, to: number): Outcome {
    return this.guest(domain)?.ipi(from, to) ?? noDomain(domain);
  }

  autoEoi(domain: string, vcpu: number, on: boolean): Outcome {
    const vm = this.vm(domain);
    if (!vm) return refuse(`${domain} is no machine of KVM: it has no SynIC`);
    if (!vm.vm.vcpus[0]!.canApicv) return refuse(`${domain} has no APICv that could be inhibited`);
    return this.guest(domain)!.writeMsr(vcpu, MSR_SINT0, sint(on));
  }

  reclaim(domain: string, vcpu: number): Outcome {
    const vm = this.vm(domain);
    if (!vm) return refuse(`${domain} is no machine of KVM: its memory is its own`);
    const wrong = wrongCpus(domain, [vcpu], vm.vm.vcpus.length);
    if (wrong) return refuse(wrong);
    if (!this.host.swap) return refuse('the host has no disk to swap to');
    if (!this.host.kvm.options.ept)
      return refuse('pages are reclaimed under EPT alone: this host has ept: false');
    vm.vm.vcpus[vcpu]!.pages.reclaim();
    return {};
  }

  private begin(): void {
    const { books } = this.host.shop;
    books.begin(books.sourceOf('user'));
  }

  /** A CPU that idles is interrupted, as if another one had woken a process on it. */
  private wakeHost(cpu: number): void {
    this.begin();
    this.host.board.lapics[cpu]!.accept(Mode.FIXED, RESCHEDULE_VECTOR, true, false);
  }

  private wake({ vm }: VmParts, cpu: number): void {
    this.begin();
    vm.vcpus[cpu]!.apic.accept(Mode.FIXED, RESCHEDULE_VECTOR, true, false);
  }

  // NMI

  /** KVM_NMI by QEMU's `nmi`, which goes by LINT1; of the host at the processor itself. */
  nmi(domain: string, vcpu: number): Outcome {
    const vm = this.vm(domain);
    if (!vm && domain !== HOST) return noDomain(domain);
    const lapics = vm ? vm.vm.vcpus.map((v) => v.apic) : this.host.board.lapics;
    const wrong = wrongCpus(domain, [vcpu], lapics.length);
    if (wrong) return refuse(wrong);
    const lapic = lapics[vcpu]!;
    if (vm && !takesNmi(lapic)) {
      return refuse(`LINT1 of ${domain}.${vcpu} is masked: QEMU's nmi does nothing there`);
    }
    lapic.accept(Mode.NMI, NMI_VECTOR, true, false);
    return {};
  }
}

/** kvm_apic_external_nmi of QEMU */
function takesNmi(lapic: LocalApic): boolean {
  const lint1 = lapic.reg(Reg.LVT_LINT1);
  return !(lint1 & LVT_MASKED) && Lvt.mode.get(lint1) === Mode.NMI;
}
