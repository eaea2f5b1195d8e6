/** The virtual interrupt hardware of an HVM guest by itself, and a list of what it asks of Xen. */
import { Clock, type Ns, Priority } from '../../engine/core/clock.ts';
import { HvmChips } from '../../engine/hv/xen/x86/hvm-chips.ts';
import { HvmIrq } from '../../engine/hv/xen/x86/hvm-irq.ts';
import { type HvmOptions, XEN_HVM } from '../../engine/hv/xen/x86/hvm-options.ts';
import { HvmVcpuApic } from '../../engine/hv/xen/x86/hvm-vcpu-apic.ts';
import { type PtMode, Vpt } from '../../engine/hv/xen/x86/vpt.ts';
import { Reg, SVR_ENABLE } from '../../engine/hw/x86/apic-regs.ts';

export class HvmRig {
  readonly clock = new Clock();
  readonly chips: HvmChips;
  readonly irq: HvmIrq;
  readonly vpt: Vpt;
  readonly vcpus: readonly HvmVcpuApic[];
  /** virtual CPUs kicked, GSIs acknowledged, vectors ended, `name a b` of each hop */
  readonly kicked: number[] = [];
  readonly acked: number[] = [];
  readonly ended: [vcpu: number, vector: number][] = [];
  readonly hops: string[] = [];
  /** virtual CPUs whose tasklet is to run */
  readonly tasklets: number[] = [];
  readonly started: [vcpu: number, vector: number][] = [];
  readonly upcalls: boolean[];
  unmasked = 0;
  timerRuns = false;

  constructor(vcpus = 3, options: HvmOptions = XEN_HVM, mode?: PtMode, align = false) {
    this.chips = new HvmChips(
      'd1',
      {
        kick: (vcpu) => this.kicked.push(vcpu),
        acked: (gsi) => this.acked.push(gsi),
        ended: (vcpu, vector) => this.ended.push([vcpu, vector]),
        hop: (name, a, b) => this.hops.push(`${name} ${a} ${b}`),
      },
      options,
    );
    this.irq = new HvmIrq('d1', this.chips);
    this.vpt = new Vpt({
      name: 'd1',
      irq: this.irq,
      chips: this.chips,
      host: {
        now: () => this.clock.now,
        timer: (name, expired) => this.clock.task(name, Priority.hypervisor, expired),
      },
      align,
      ...(mode && { mode }),
    });
    const resume = this.chips.unmasked;
    this.chips.unmasked = () => {
      this.unmasked++;
      resume();
    };
    this.chips.timerRuns = () => this.timerRuns;
    this.upcalls = Array.from({ length: vcpus }, () => false);
    this.vcpus = this.upcalls.map(
      (_, vcpu) =>
        new HvmVcpuApic({
          name: 'd1',
          vcpu,
          chips: this.chips,
          vpt: this.vpt,
          clock: this.clock,
          tscKhz: 1_000_000,
          output: {
            upcallPending: () => this.upcalls[vcpu]!,
            tasklet: () => this.tasklets.push(vcpu),
            started: (vector) => this.started.push([vcpu, vector]),
          },
        }),
    );
    for (const { apic } of this.vcpus) apic.write(Reg.SVR, SVR_ENABLE | 0xff);
    this.forget();
  }

  forget(): void {
    for (const list of [this.kicked, this.acked, this.ended, this.hops, this.tasklets, this.started]) {
      list.length = 0;
    }
    this.unmasked = 0;
  }

  /** Writes an entry of the IOAPIC as a guest does. */
  entry(pin: number, low: number, destination = 0): void {
    this.chips.ioapic.write(0x00, 0x11 + 2 * pin, 4);
    this.chips.ioapic.write(0x10, destination << 24, 4);
    this.chips.ioapic.write(0x00, 0x10 + 2 * pin, 4);
    this.chips.ioapic.write(0x10, low, 4);
  }

  /** The 8259s as a PC's BIOS sets them up: vectors 8 and 0x70, all inputs open. */
  startPic(): void {
    const { pic } = this.chips;
    for (const [port, base] of [
      [0x20, 0x08],
      [0xa0, 0x70],
    ] as const) {
      pic.write(port, 0x11);
      pic.write(port + 1, base);
      pic.write(port + 1, port === 0x20 ? 4 : 2);
      pic.write(port + 1, 1);
      pic.write(port + 1, 0);
    }
  }

  /** Vectors requested at a virtual CPU's local APIC. */
  requests(vcpu = 0): number[] {
    return this.vcpus[vcpu]!.apic.irr.members();
  }

  /** What the virtual CPU is given next, acknowledged. */
  take(vcpu = 0): string {
    const { source, vector } = this.irq.ackPendingIrq(vcpu, this.irq.hasPendingIrq(vcpu));
    return source === 'none' ? source : `${source} ${vector.toString(16)}`;
  }

  /** The virtual CPU is about to enter: a tick is raised, what comes first injected; `none` if nothing is. */
  enter(vcpu = 0): string {
    this.vpt.updateIrq(vcpu);
    const waits = this.irq.hasPendingIrq(vcpu);
    if (waits.source === 'none' || this.irq.tprBlocks(vcpu, waits)) return 'none';
    const intack = this.irq.ackPendingIrq(vcpu, waits);
    this.vpt.intrPost(vcpu, intack);
    return `${intack.source} ${intack.vector.toString(16)}`;
  }

  run(time: Ns): void {
    this.clock.runUntil(this.clock.now + time);
  }

  eoi(vcpu = 0): void {
    this.vcpus[vcpu]!.apic.write(Reg.EOI, 0);
  }

  runTasklets(): void {
    for (const vcpu of this.tasklets.splice(0)) this.vcpus[vcpu]!.runInitSipi();
  }
}
