/** Fabricated snapshots of KVM machines: an x86 guest caught in the middle of its interrupts. */
import type {
  DomainSnapshot,
  ExitRow,
  ExitsSnapshot,
  IoApicPinSnapshot,
  LapicSnapshot,
  PicSnapshot,
  VcpuSnapshot,
  VmcsSnapshot,
  X86Snapshot,
} from '../../engine/machine/inspect.ts';
import type { Interrupts } from '../../engine/proc/types.ts';

/** A set of vectors as eight words. */
export function vectorSet(...vectors: number[]): number[] {
  const words = new Array<number>(8).fill(0);
  for (const v of vectors) words[v >> 5] = (words[v >> 5]! | (1 << (v & 31))) >>> 0;
  return words;
}

const REGISTERS: readonly (readonly [name: string, value: number])[] = [
  ['ID', 0],
  ['LDR', 0x01000000],
  ['DFR', 0xffffffff],
  ['SVR', 0x1ff],
  ['ESR', 0],
  ['ICR', 0xfd],
  ['ICR2', 0x01000000],
  ['LVTT', 0x400ec],
  ['LVTTHMR', 0x10000],
  ['LVTPC', 0x10000],
  ['LVT0', 0x10700],
  ['LVT1', 0x400],
  ['LVTERR', 0xfe],
  ['TMICT', 0],
  ['TMCCT', 0],
  ['TDCR', 0],
];

export interface LapicOptions extends Partial<Omit<LapicSnapshot, 'registers'>> {
  /** what differs from a 6.1 guest's registers */
  readonly registers?: Readonly<Record<string, number>>;
}

export function lapic(options: LapicOptions = {}): LapicSnapshot {
  const { registers = {}, ...rest } = options;
  return {
    cpu: 0,
    apicId: rest.cpu ?? 0,
    x2apic: false,
    irr: vectorSet(),
    isr: vectorSet(),
    tmr: vectorSet(),
    tpr: 0,
    ppr: 0,
    interruptFlag: true,
    posted: null,
    vmcs: vmcs(),
    ...rest,
    registers: REGISTERS.map(([name, value]) => [name, registers[name] ?? value]),
  };
}

export interface VmcsOptions extends Partial<Omit<VmcsSnapshot, 'fields'>> {
  readonly fields?: Readonly<Record<string, number>>;
}

/** The fields that a VMCS tells, in their order there. */
export function vmcs({ fields = {}, ...rest }: VmcsOptions = {}): VmcsSnapshot {
  const all: [string, number][] = [
    ['Pin-based controls', 0x3f],
    ['Primary processor-based controls', 0xb5a06dfa],
    ['Secondary processor-based controls', 0x1010ae],
    ['Exception bitmap', 0x60042],
    ['VM-exit controls', 0x2befff],
    ['VM-entry interruption-information', rest.entryInfo ?? 0],
    ['VM-entry exception error code', 0],
    ['VM-entry instruction length', 0],
    ['TPR threshold', 0],
    ['Posted-interrupt notification vector', 0],
    ['Guest interruptibility state', 0],
    ['Guest activity state', 0],
    ['Guest interrupt status', 0],
    ['Exit reason', 1],
    ['Exit qualification', 0],
    ['VM-exit interruption information', 0],
    ['VM-exit interruption error code', 0],
    ['IDT-vectoring information', 0],
    ['IDT-vectoring error code', 0],
    ['VM-exit instruction length', 0],
  ];
  return {
    place: 'running on CPU1, guest mode',
    entryInfo: 0,
    interruptWindow: false,
    nmiWindow: false,
    ...rest,
    fields: all.map(([name, value]) => [name, fields[name] ?? value]),
  };
}

/** A redirection entry for one processor, physical and fixed; masked without a vector. */
export function pin(n: number, low = 0x10000, destination = 0, line = false): IoApicPinSnapshot {
  return { pin: n, low, high: destination * 0x1000000, line };
}

export function pic(options: Partial<PicSnapshot> = {}): PicSnapshot {
  return {
    irr: 0,
    imr: 0xff,
    isr: 0,
    elcr: 0,
    base: 0x30,
    priorityAdd: 0,
    readIsr: false,
    poll: false,
    initState: 0,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    specialMask: false,
    ...options,
  };
}

const OWNERS = { 49: 'timer', 81: 'virtio0-input.0', 89: 'ata_piix', 236: 'LOC', 253: 'RES' };

/** The chips of a guest with as many virtual CPUs; the first has work waiting, the second an unfinished level interrupt. */
export function x86(vcpus = 2, posted = false): X86Snapshot {
  const descriptor = { pir: vectorSet(0x51, 0xec), on: true, sn: false, nv: 0xf2 };
  const lapics = Array.from({ length: vcpus }, (_, cpu): LapicSnapshot => {
    const more = posted
      ? { posted: cpu === 0 ? descriptor : { ...descriptor, pir: vectorSet(), on: false } }
      : {};
    if (cpu === 0) {
      return lapic({
        irr: vectorSet(0x51, 0xec),
        isr: vectorSet(0x31),
        ppr: 0x30,
        interruptFlag: false,
        ...more,
        vmcs: vmcs({
          entryInfo: 0x80000051,
          interruptWindow: true,
          fields: { 'VM-exit interruption information': 0x800000fd, 'Guest interrupt status': 0x3151 },
          apicv: { active: true, rvi: 0x51, svi: 0x31, stale: [] },
        }),
      });
    }
    if (cpu === 1) {
      return lapic({
        cpu,
        isr: vectorSet(0x59),
        tmr: vectorSet(0x59),
        ppr: 0x50,
        ...more,
        vmcs: vmcs({ place: 'running on CPU0, guest mode', fields: { 'Exit reason': 30 } }),
      });
    }
    return lapic({
      cpu,
      ...more,
      vmcs: vmcs({ place: 'blocked, last on CPU0', fields: { 'Exit reason': 12 } }),
    });
  });
  const pins = Array.from({ length: 24 }, (_, n) => pin(n));
  pins[1] = pin(1, 0x21);
  pins[4] = pin(4, 0x41);
  pins[9] = pin(9, 0x8025, 1);
  pins[11] = pin(11, 0xc059, 1, true);
  pins[14] = pin(14, 0x1003e, 0, true);
  return {
    lapics,
    ioapic: { id: 0, select: 0x22, pins },
    pic: [pic({ imr: 0xfb }), pic({ base: 0x38, elcr: 0x0c })],
    vectors: lapics.map(() => OWNERS),
    rises: [0, 11, 0, 0, 2, 0, 0, 0, 1, 0, 0, 156, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 177119],
  };
}

const REASONS: readonly (readonly [
  reason: number,
  name: string,
  perSecond: number,
  ns: number,
  p99: number,
])[] = [
  [0, 'EXCEPTION_NMI', 0, 1_900, 2_400],
  [1, 'EXTERNAL_INTERRUPT', 412, 1_350, 4_100],
  [7, 'INTERRUPT_WINDOW', 61, 900, 1_150],
  [12, 'HLT', 240, 812_000, 3_950_000],
  [30, 'IO_INSTRUCTION', 18, 14_200, 31_000],
  [32, 'MSR_WRITE', 530, 1_020, 1_700],
  [44, 'APIC_ACCESS', 96, 2_300, 3_800],
  [48, 'EPT_VIOLATION', 3, 2_750, 6_200],
  [49, 'EPT_MISCONFIG', 37, 5_100, 9_900],
];

/** What has accumulated after so long; the first virtual CPU takes half of everything. */
export function exits(seconds: number, vcpus = 2): ExitsSnapshot {
  const rows = REASONS.map(([reason, name, perSecond, ns, p99Ns]): ExitRow => {
    const total = 3 + Math.floor(perSecond * seconds);
    const rest = vcpus === 1 ? 0 : Math.floor(total / (2 * (vcpus - 1)));
    const counts = Array.from({ length: vcpus }, (_, v) => (v === 0 ? total - rest * (vcpus - 1) : rest));
    return { reason, name, counts, totalNs: total * ns, p99Ns };
  });
  const sum = rows.reduce((n, row) => n + row.counts.reduce((a, b) => a + b, 0), 0);
  return {
    rows,
    stats: [
      ['exits', sum],
      ['halt_exits', Math.floor(240 * seconds)],
      ['invlpg', 0],
      ['io_exits', Math.floor(18 * seconds)],
      ['irq_exits', Math.floor(412 * seconds)],
      ['irq_injections', Math.floor(530 * seconds)],
      ['irq_window_exits', Math.floor(61 * seconds)],
      ['nmi_injections', 0],
    ],
  };
}

export interface GuestOptions {
  readonly id?: number;
  readonly name?: string;
  readonly vcpus?: number;
  readonly seconds?: number;
  /** with posted interrupts */
  readonly posted?: boolean;
}

/** A Linux guest under KVM. */
export function kvmGuest(options: GuestOptions = {}): DomainSnapshot {
  const { id = 1, name = 'vm1', vcpus = 2, seconds = 1, posted = false } = options;
  const cpus = Array.from({ length: vcpus }, (_, i) => i);
  const split = (perSecond: number) => cpus.map((cpu) => (cpu === 0 ? Math.floor(perSecond * seconds) : 0));
  const row = (irq: number, chip: string, flow: string, action: string, perSecond: number) => ({
    irq,
    counts: split(perSecond),
    chip,
    hwirq: irq,
    trigger: null,
    name: flow,
    actions: [action],
  });
  const rows = [
    row(1, 'IO-APIC', 'edge', 'i8042', 0),
    row(4, 'IO-APIC', 'edge', 'ttyS0', 2),
    row(11, 'IO-APIC', 'fasteoi', 'ata_piix', 12),
    row(24, 'PCI-MSI-0000:00:03.0', 'edge', 'virtio0-input.0', 180),
  ];
  const interrupts: Interrupts = {
    dialect: '4.13',
    cpus,
    rows,
    arch: [{ label: 'LOC', text: 'Local timer interrupts', single: false, counts: split(250) }],
    precision: 3,
  };
  return {
    id,
    name,
    kind: 'KVM guest, Linux 6.1',
    vcpus: cpus.map(
      (vcpu): VcpuSnapshot => ({
        vcpu,
        state: vcpu < 2 ? 'running' : 'blocked',
        cpu: vcpu,
        runNs: 0,
        upcallPending: false,
        upcallMask: false,
        upcalls: 0,
      }),
    ),
    interrupts,
    irqStates: rows.map((r) => ({ row: r, pending: false, masked: false, active: false, port: null })),
    softirqs: { cpus, rows: [] },
    channels: [],
    exits: exits(seconds, vcpus),
    x86: x86(vcpus, posted),
  };
}
