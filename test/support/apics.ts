/** Local APICs on one bus, and what they tell their processors. */
import { Clock } from '../../engine/core/clock.ts';
import { ApicBus } from '../../engine/hw/x86/apic-bus.ts';
import { type BusOptions, INTEL_BUS, KVM_BUS, XEN_BUS } from '../../engine/hw/x86/apic-bus-options.ts';
import { Icr, MSR_APIC_BASE, Reg, SVR_ENABLE } from '../../engine/hw/x86/apic-regs.ts';
import { LocalApic } from '../../engine/hw/x86/lapic.ts';
import { INTEL_LAPIC, KVM_LAPIC, type LapicOptions, XEN_LAPIC } from '../../engine/hw/x86/lapic-options.ts';

export const SYSTEMS = {
  manual: { options: INTEL_LAPIC, busOptions: INTEL_BUS },
  kvm: { options: KVM_LAPIC, busOptions: KVM_BUS },
  xen: { options: XEN_LAPIC, busOptions: XEN_BUS },
} as const;

export interface RigOptions {
  readonly cpus?: number;
  readonly options?: LapicOptions;
  readonly busOptions?: BusOptions;
  readonly ids?: readonly number[];
  readonly tscKhz?: number;
  readonly cmci?: boolean;
  readonly tscDeadline?: boolean;
  /** software-enabled, as a kernel leaves them; yes unless said otherwise */
  readonly enabled?: boolean;
}

export class ApicRig {
  readonly clock = new Clock();
  readonly bus: ApicBus;
  readonly apics: readonly LocalApic[];
  /** what was told, as `cpu0 nmi` */
  readonly told: string[] = [];
  /** EOIs that went out, as `0x31 level` */
  readonly eois: string[] = [];

  constructor(rig: RigOptions = {}) {
    const { cpus = 1, busOptions = INTEL_BUS, ids, tscKhz = 1_000_000 } = rig;
    this.bus = new ApicBus(busOptions);
    this.bus.onEoi = (_, vector, level) =>
      this.eois.push(`0x${vector.toString(16)} ${level ? 'level' : 'edge'}`);
    this.apics = Array.from({ length: ids?.length ?? cpus }, (_, i) =>
      this.make(i, ids?.[i] ?? i, rig, tscKhz),
    );
    if (rig.enabled !== false) for (const apic of this.apics) apic.write(Reg.SVR, SVR_ENABLE | 0xff);
    this.told.length = 0;
  }

  private make(index: number, apicId: number, rig: RigOptions, tscKhz: number): LocalApic {
    const tell = (what: string) => this.told.push(`cpu${index} ${what}`);
    return new LocalApic({
      id: `lapic${index}`,
      apicId,
      bsp: index === 0,
      options: rig.options ?? INTEL_LAPIC,
      bus: this.bus,
      clock: this.clock,
      tscKhz,
      ...(rig.cmci === undefined ? {} : { cmci: rig.cmci }),
      ...(rig.tscDeadline === undefined ? {} : { tscDeadline: rig.tscDeadline }),
      output: {
        request: (vector) => tell(vector < 0 ? 'look' : `request 0x${vector.toString(16)}`),
        nmi: () => tell('nmi'),
        smi: () => tell('smi'),
        init: () => tell('init'),
        startup: (vector) => tell(`startup 0x${vector.toString(16)}`),
        remoteRead: () => tell('remote read'),
        softwareEnabled: () => tell('enabled'),
        lvt: (offset) => tell(`lvt 0x${offset.toString(16)}`),
      },
    });
  }

  /** The vectors requested of each. */
  get requested(): number[][] {
    return this.apics.map((apic) => apic.irr.members());
  }

  /** Those that have the vector requested. */
  holding(vector: number): number[] {
    return this.apics.flatMap((apic, i) => (apic.irr.has(vector) ? [i] : []));
  }

  /** A device's message, fixed and edge unless said otherwise. */
  message(destination: number, vector: number, { logical = false, mode = 0, hint = false } = {}): number {
    return this.bus.send(null, destination, logical, mode, vector, true, false, 0, hint);
  }

  toX2apic(cpu: number): void {
    const apic = this.apics[cpu]!;
    apic.wrmsr(MSR_APIC_BASE, apic.base | (1 << 10), 0);
  }
}

/** An ICR's low half. */
export function icr(vector: number, fields: { [field in keyof typeof Icr]?: number } = {}): number {
  let low = Icr.assert.set(vector, 1);
  for (const [name, value] of Object.entries(fields)) low = Icr[name as keyof typeof Icr].set(low, value);
  return low;
}
