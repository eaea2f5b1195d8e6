/** Tracepoints of KVM for what it emulates behind an exit: ports, memory, registers, and the way to user space and back. */
import { KVM_EXIT_IO, KVM_EXIT_MMIO } from '../../abi/kvm.ts';
import { upperHalf } from '../../core/bits.ts';
import { always, B, C, D, inVcpu, type LinuxPoint, listed, symbols } from './linux-point.ts';
import { decimal, hex, hexWide, named, oneOf, phrase } from './phrase.ts';

/** Registers of the local APIC, as asm/apicdef.h names them. */
const APIC_REGISTERS: readonly (readonly [number, string])[] = [
  [0x20, 'APIC_ID'],
  [0x30, 'APIC_LVR'],
  [0x80, 'APIC_TASKPRI'],
  [0x90, 'APIC_ARBPRI'],
  [0xa0, 'APIC_PROCPRI'],
  [0xb0, 'APIC_EOI'],
  [0xc0, 'APIC_RRR'],
  [0xd0, 'APIC_LDR'],
  [0xe0, 'APIC_DFR'],
  [0xf0, 'APIC_SPIV'],
  [0x100, 'APIC_ISR'],
  [0x180, 'APIC_TMR'],
  [0x200, 'APIC_IRR'],
  [0x280, 'APIC_ESR'],
  [0x300, 'APIC_ICR'],
  [0x310, 'APIC_ICR2'],
  [0x320, 'APIC_LVTT'],
  [0x330, 'APIC_LVTTHMR'],
  [0x340, 'APIC_LVTPC'],
  [0x350, 'APIC_LVT0'],
  [0x360, 'APIC_LVT1'],
  [0x370, 'APIC_LVTERR'],
  [0x380, 'APIC_TMICT'],
  [0x390, 'APIC_TMCCT'],
  [0x3e0, 'APIC_TDCR'],
  [0x3f0, 'APIC_SELF_IPI'],
  [0x400, 'APIC_EFEAT'],
  [0x410, 'APIC_ECTRL'],
];

const READ_WRITE = ['read', 'write'];
const MMIO = ['unsatisfied-read', 'read', 'write'];
const FPU = ['unload', 'load'];
/** of those of KVM_RUN that there are here */
const USER_EXITS: readonly (readonly [number, string])[] = [
  [KVM_EXIT_IO, 'KVM_EXIT_IO'],
  [KVM_EXIT_MMIO, 'KVM_EXIT_MMIO'],
];

/** The value at a place of two, of a number. */
function setWide(values: Float64Array, place: number, value: number): void {
  values[place] = value >>> 0;
  values[place + 1] = upperHalf(value);
}

export function accessEvents(): LinuxPoint[] {
  return [
    always('kvm_pio', {
      system: 'kvm',
      name: 'kvm_pio',
      fields: [
        'unsigned int rw',
        'unsigned int port',
        'unsigned int size',
        'unsigned int count',
        'unsigned int val',
      ],
      print:
        '"pio_%s at 0x%x size %d count %d val 0x%x %s", REC->rw ? "write" : "read", REC->port, REC->size, REC->count, REC->val, REC->count > 1 ? "(...)" : ""',
      text: phrase`pio_${oneOf(READ_WRITE, (v) => v[0] !== 0)} at 0x${hex(1)} size ${decimal(2)} count 1 val 0x${hex(4)} `,
      fill: (to, rows, at) => {
        const v = to.filled;
        inVcpu(to, rows, at);
        v[0] = rows[at + C]! >> 8;
        v[1] = rows[at + B]!;
        v[2] = rows[at + C]! & 0xff;
        v[3] = 1;
        v[4] = rows[at + D]! >>> 0;
      },
    }),
    always('kvm_mmio', {
      system: 'kvm',
      name: 'kvm_mmio',
      fields: ['u32 type', 'u32 len', 'wide gpa', 'wide val'],
      print: `"mmio %s len %u gpa 0x%llx val 0x%llx", __print_symbolic(REC->type, ${symbols(MMIO.map((name, n) => [n, name]))}), REC->len, REC->gpa, REC->val`,
      text: phrase`mmio ${oneOf(MMIO, (v) => v[0]!)} len ${decimal(1)} gpa 0x${hexWide(2)} val 0x${hexWide(4)}`,
      fill: (to, rows, at) => {
        const v = to.filled;
        inVcpu(to, rows, at);
        v[0] = rows[at + C]! >> 8;
        v[1] = rows[at + C]! & 0xff;
        setWide(v, 2, rows[at + B]!);
        v[4] = rows[at + D]! >>> 0;
        v[5] = 0;
      },
    }),
    always('kvm_fast_mmio', {
      system: 'kvm',
      name: 'kvm_fast_mmio',
      fields: ['wide gpa'],
      print: '"fast mmio at gpa 0x%llx", REC->gpa',
      text: phrase`fast mmio at gpa 0x${hexWide(0)}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        setWide(to.filled, 0, rows[at + B]!);
      },
    }),
    always('kvm_apic', {
      system: 'kvm',
      name: 'kvm_apic',
      fields: ['unsigned int rw', 'unsigned int reg', 'wide val'],
      print: `"apic_%s %s = 0x%llx", REC->rw ? "write" : "read", __print_symbolic(REC->reg, ${symbols(APIC_REGISTERS)}), REC->val`,
      text: phrase`apic_${oneOf(READ_WRITE, (v) => v[0] !== 0)} ${named(1, APIC_REGISTERS)} = 0x${hexWide(2)}`,
      fill: (to, rows, at) => {
        const v = to.filled;
        inVcpu(to, rows, at);
        v[0] = rows[at + B]!;
        v[1] = rows[at + C]!;
        setWide(v, 2, rows[at + D]!);
      },
    }),
    always('kvm_msr', {
      system: 'kvm',
      name: 'kvm_msr',
      fields: ['unsigned write', 'u32 ecx', 'wide data', 'u8 exception'],
      print:
        '"msr_%s %x = 0x%llx%s", REC->write ? "write" : "read", REC->ecx, REC->data, REC->exception ? " (#GP)" : ""',
      text: phrase`msr_${oneOf(READ_WRITE, (v) => v[0] !== 0)} ${hex(1)} = 0x${hexWide(2)}${oneOf(['', ' (#GP)'], (v) => v[4] !== 0)}`,
      fill: (to, rows, at) => {
        const v = to.filled;
        inVcpu(to, rows, at);
        v[0] = rows[at + B]! & 1;
        v[1] = rows[at + C]!;
        setWide(v, 2, rows[at + D]!);
        v[4] = rows[at + B]! >> 1;
      },
    }),
    always('kvm_fpu', {
      system: 'kvm',
      name: 'kvm_fpu',
      fields: ['u32 load'],
      print: `"%s", __print_symbolic(REC->load, ${listed(FPU, '')})`,
      text: phrase`${oneOf(FPU, (v) => v[0]!)}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]!;
      },
    }),
    always('kvm_userspace_exit', {
      system: 'kvm',
      name: 'kvm_userspace_exit',
      fields: ['__u32 reason', 'int errno'],
      print: `"reason %s (%d)", REC->errno < 0 ? (REC->errno == -4 ? "restart" : "error") : __print_symbolic(REC->reason, ${symbols(USER_EXITS)}), REC->errno < 0 ? -REC->errno : REC->reason`,
      text: phrase`reason ${named(0, USER_EXITS)} (${decimal(0)})`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]!;
        to.filled[1] = 0;
      },
    }),
  ];
}
