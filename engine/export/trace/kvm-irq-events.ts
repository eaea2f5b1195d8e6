/** Tracepoints of KVM for messages and lines: what local APICs, IOAPIC and 8259s are told, and what becomes of it. */
import { DELIVERY_MODES } from '../../abi/trace-dat.ts';
import { upperHalf } from '../../core/bits.ts';
import { A, always, B, C, D, inVcpu, type LinuxPoint, listed } from './linux-point.ts';
import { decimal, hex, hexOf, type Operand, oneOf, phrase } from './phrase.ts';

const DELIVERY = listed(DELIVERY_MODES);

// of an entry of an IOAPIC or of a message, in the value at a place

const BYTES = Array.from({ length: 256 }, (_, n) => String(n));
const TRIGGERS = ['edge', 'level'];
const SHORTHANDS = ['dst', 'self', 'all', 'all-but-self'];
const IRQCHIPS = ['PIC master', 'PIC slave', 'IOAPIC'];

function vector(i: number): Operand {
  return oneOf(BYTES, (v) => v[i]! & 0xff);
}

function delivery(i: number): Operand {
  return oneOf(DELIVERY_MODES, (v) => (v[i]! >> 8) & 7);
}

function destination(i: number, logical: number): Operand {
  return oneOf(['physical', 'logical'], (v) => (v[i]! & logical) !== 0);
}

function trigger(i: number): Operand {
  return oneOf(TRIGGERS, (v) => (v[i]! & (1 << 15)) !== 0);
}

function entryDestination(high: number): Operand {
  return hexOf((v) => v[high]! >>> 24);
}

function entryMasked(low: number): Operand {
  return oneOf(['', '|masked'], (v) => (v[low]! & (1 << 16)) !== 0);
}

/** Both halves of an entry, of one number that has its destination above the lower half. */
function setEntry(values: Float64Array, entry: number): void {
  values[0] = entry >>> 0;
  values[1] = upperHalf(entry) << 24;
}

function coalesced(i: number): Operand {
  return oneOf(['', ' (coalesced)'], (v) => v[i] !== 0);
}

/** Of local APICs. */
export function messageEvents(): LinuxPoint[] {
  return [
    ...(['kvm_apic_accept_irq', 'kvm_apicv_accept_irq'] as const).map((name) =>
      always(name, {
        system: 'kvm',
        name,
        fields: ['__u32 apicid', '__u16 dm', '__u16 tm', '__u8 vec'],
        print: `"apicid %x vec %u (%s|%s)", REC->apicid, REC->vec, __print_symbolic((REC->dm >> 8 & 0x7), ${DELIVERY}), REC->tm ? "level" : "edge"`,
        text: phrase`apicid ${hex(0)} vec ${decimal(3)} (${delivery(1)}|${oneOf(TRIGGERS, (v) => v[2] !== 0)})`,
        fill: ({ vcpuNumbers, filled: values }, rows, at) => {
          values[0] = vcpuNumbers[rows[at + A]!]!;
          values[1] = rows[at + C]! << 8;
          values[2] = rows[at + D]!;
          values[3] = rows[at + B]!;
        },
      }),
    ),
    always('kvm_apic_ipi', {
      system: 'kvm',
      name: 'kvm_apic_ipi',
      fields: ['__u32 icr_low', '__u32 dest_id'],
      print: `"dst %x vec %u (%s|%s|%s|%s|%s)", REC->dest_id, (u8)REC->icr_low, __print_symbolic((REC->icr_low >> 8 & 0x7), ${DELIVERY}), (REC->icr_low & (1<<11)) ? "logical" : "physical", (REC->icr_low & (1<<14)) ? "assert" : "de-assert", (REC->icr_low & (1<<15)) ? "level" : "edge", __print_symbolic((REC->icr_low >> 18 & 0x3), ${listed(SHORTHANDS)})`,
      text: phrase`dst ${hex(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${oneOf(['de-assert', 'assert'], (v) => (v[0]! & (1 << 14)) !== 0)}|${trigger(0)}|${oneOf(SHORTHANDS, (v) => (v[0]! >> 18) & 3)})`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]! >>> 0;
        to.filled[1] = rows[at + C]! >>> 0;
      },
    }),
  ];
}

/** Lines and messages of a machine's devices. */
export function lineEvents(): LinuxPoint[] {
  return [
    always('kvm_set_irq', {
      system: 'kvm',
      name: 'kvm_set_irq',
      fields: ['unsigned int gsi', 'int level', 'int irq_source_id'],
      print: '"gsi %u level %d source %d", REC->gsi, REC->level, REC->irq_source_id',
      text: phrase`gsi ${decimal(0)} level ${decimal(1)} source ${decimal(2)}`,
      fill: ({ filled: values }, rows, at) => {
        for (let i = 0; i < 3; i++) values[i] = rows[at + B + i]!;
      },
    }),
    always('kvm_ioapic_set_irq', {
      system: 'kvm',
      name: 'kvm_ioapic_set_irq',
      fields: ['wide e', 'int pin', 'bool coalesced'],
      print: `"pin %u dst %x vec %u (%s|%s|%s%s)%s", REC->pin, (u8)(REC->e >> 56), (u8)REC->e, __print_symbolic((REC->e >> 8 & 0x7), ${DELIVERY}), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge", (REC->e & (1<<16)) ? "|masked" : "", REC->coalesced ? " (coalesced)" : ""`,
      text: phrase`pin ${decimal(2)} dst ${entryDestination(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${trigger(0)}${entryMasked(0)})${coalesced(3)}`,
      fill: ({ filled: values }, rows, at) => {
        setEntry(values, rows[at + C]!);
        values[2] = rows[at + B]!;
        values[3] = rows[at + D]!;
      },
    }),
    always('kvm_pic_set_irq', {
      system: 'kvm',
      name: 'kvm_pic_set_irq',
      fields: ['__u8 chip', '__u8 pin', '__u8 elcr', '__u8 imr', 'bool coalesced'],
      print:
        '"chip %u pin %u (%s%s)%s", REC->chip, REC->pin, (REC->elcr & (1 << REC->pin)) ? "level":"edge", (REC->imr & (1 << REC->pin)) ? "|masked":"", REC->coalesced ? " (coalesced)" : ""',
      text: phrase`chip ${decimal(0)} pin ${decimal(1)} (${oneOf(TRIGGERS, (v) => (v[2]! & (1 << v[1]!)) !== 0)}${oneOf(['', '|masked'], (v) => (v[3]! & (1 << v[1]!)) !== 0)})${coalesced(4)}`,
      fill: ({ filled: values }, rows, at) => {
        const pin = rows[at + B]!;
        const masks = rows[at + C]!;
        values[0] = pin >> 3;
        values[1] = pin & 7;
        values[2] = masks & 0xff;
        values[3] = masks >> 8;
        values[4] = rows[at + D]!;
      },
    }),
    always('kvm_ack_irq', {
      system: 'kvm',
      name: 'kvm_ack_irq',
      fields: ['unsigned int irqchip', 'unsigned int pin'],
      print: `"irqchip %s pin %u", __print_symbolic(REC->irqchip, ${listed(IRQCHIPS, '')}), REC->pin`,
      text: phrase`irqchip ${oneOf(IRQCHIPS, (v) => v[0]!)} pin ${decimal(1)}`,
      fill: ({ filled: values }, rows, at) => {
        values[0] = rows[at + B]!;
        values[1] = rows[at + C]!;
      },
    }),
    always('kvm_ioapic_delayed_eoi_inj', {
      system: 'kvm',
      name: 'kvm_ioapic_delayed_eoi_inj',
      fields: ['wide e'],
      print: `"dst %x vec %u (%s|%s|%s%s)", (u8)(REC->e >> 56), (u8)REC->e, __print_symbolic((REC->e >> 8 & 0x7), ${DELIVERY}), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge", (REC->e & (1<<16)) ? "|masked" : ""`,
      text: phrase`dst ${entryDestination(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${trigger(0)}${entryMasked(0)})`,
      fill: ({ filled: values }, rows, at) => setEntry(values, rows[at + C]!),
    }),
    always('kvm_apicv_inhibit_changed', {
      system: 'kvm',
      name: 'kvm_apicv_inhibit_changed',
      fields: ['int reason', 'bool set', 'unsigned long inhibits'],
      print: '"%s reason=%u, inhibits=0x%lx", REC->set ? "set" : "cleared", REC->reason, REC->inhibits',
      text: phrase`${oneOf(['cleared', 'set'], (v) => v[1] !== 0)} reason=${decimal(0)}, inhibits=0x${hex(2)}`,
      fill: ({ filled: values }, rows, at) => {
        for (let i = 0; i < 3; i++) values[i] = rows[at + B + i]!;
      },
    }),
    always('kvm_msi_set_irq', {
      system: 'kvm',
      name: 'kvm_msi_set_irq',
      fields: ['__u64 address', '__u64 data'],
      print: `"dst %llx vec %u (%s|%s|%s%s)", (u8)(REC->address >> 12) | ((REC->address >> 32) & 0xffffff00), (u8)REC->data, __print_symbolic((REC->data >> 8 & 0x7), ${DELIVERY}), (REC->address & (1<<2)) ? "logical" : "physical", (REC->data & (1<<15)) ? "level" : "edge", (REC->address & (1<<3)) ? "|rh" : ""`,
      text: phrase`dst ${hexOf((v) => (v[0]! >>> 12) & 0xff)} vec ${vector(1)} (${delivery(1)}|${destination(0, 1 << 2)}|${trigger(1)}${oneOf(['', '|rh'], (v) => (v[0]! & (1 << 3)) !== 0)})`,
      fill: ({ filled: values }, rows, at) => {
        values[0] = rows[at + B]! >>> 0;
        values[1] = rows[at + C]! >>> 0;
      },
    }),
  ];
}
