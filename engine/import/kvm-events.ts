/**
 * Tracepoints of KVM on x86 (arch/x86/kvm/trace.h, include/trace/events/kvm.h) as both kinds of file have them: as text,
 * printed by the kernel or by trace-cmd's plugin, and as fields, which the file itself describes.
 */
import { DELIVERY_MODES, ISA_SVM } from '../abi/trace-dat.ts';
import { Exit, exitName } from '../hw/x86/vmcs-fields.ts';
import { classOfName, EXIT_CLASSES, isSvmNm, isVmxNm, svmClass, vmxClass } from './exits.ts';

/**
 * Fields of a record, by the names of its format; undefined: it has no such. Of 64 bits a double does not hold all: they come
 * by halves where all are wanted.
 */
export type FieldReader = (name: string, half?: 'low' | 'high') => number | undefined;

/** One kind of event; its values stand in the order of `values`. */
export interface KvmEvent {
  readonly name: string;
  readonly values: readonly string[];
  /** undefined: the text is not that of such an event */
  readonly text: (args: string) => readonly number[] | undefined;
  readonly fields: (of: FieldReader) => readonly (number | undefined)[];
  /** what its text looks like */
  readonly example: string;
}

/** A value that is not told. */
export const UNKNOWN = -1;

/** Interruption information of VMX: kernels before 5.10 have it in the second of two numbers. */
const EXCEPTION_INFO = /intr_info 0x([0-9a-f]+)| info [0-9a-f]+ ([0-9a-f]+)/;

/** A row for events whose text a pattern takes apart, in the order of their fields. */
function plain(
  name: string,
  values: readonly string[],
  pattern: RegExp,
  example: string,
  fields: readonly string[] = values,
): KvmEvent {
  return {
    name,
    values,
    example,
    text: (args) => {
      const found = pattern.exec(args);
      return found ? found.slice(1).map((word) => (word === undefined ? UNKNOWN : Number(word))) : undefined;
    },
    fields: (of) => fields.map((field) => of(field)),
  };
}

/** A delivery mode is printed by name; 1 if the message is one for a vector. */
function isFixed(mode: string): boolean {
  return mode === DELIVERY_MODES[0] || mode === DELIVERY_MODES[1];
}

/** of an exit: for registers of the local APIC, or of some device; else 0 */
export const LOCAL_APIC = 2;
const DEVICE = 1;

function registersOf(reason: string): number {
  if (reason === exitName(Exit.APIC_ACCESS)) return LOCAL_APIC;
  return reason === exitName(Exit.EPT_MISCONFIG) ? DEVICE : 0;
}

const MSI_LOGICAL = 1 << 2;

const ACCEPT: KvmEvent = {
  name: 'kvm_apic_accept_irq',
  values: ['apicid', 'vector', 'level', 'fixed'],
  example: 'apicid 0 vec 49 (Fixed|edge)',
  text: (args) => {
    const found = /^apicid ([0-9a-f]+) vec (\d+) \((\w+)\|(edge|level)\)/.exec(args);
    if (!found) return undefined;
    return [
      parseInt(found[1]!, 16),
      Number(found[2]),
      Number(found[4] === 'level'),
      Number(isFixed(found[3]!)),
    ];
  },
  fields: (of) => {
    const mode = of('dm');
    return [
      of('apicid'),
      of('vec'),
      Number((of('tm') ?? 0) !== 0),
      Number(mode === undefined || mode >> 8 <= 1),
    ];
  },
};

export const KVM_EVENTS: readonly KvmEvent[] = [
  plain('kvm_entry', ['vcpu'], /^vcpu (\d+)/, 'vcpu 0, rip 0xfff0', ['vcpu_id']),
  {
    name: 'kvm_exit',
    values: ['vcpu', 'class', 'svm', 'nm', 'registers'],
    example: 'vcpu 0 reason HLT rip 0xfff0',
    text: (args) => {
      const found = /^(?:vcpu (\d+) )?reason (.+?) rip /.exec(args);
      if (!found) return undefined;
      const [, vcpu, reason] = found;
      const { of, svm, nm: named } = classOfName(reason!);
      const [, info, info2 = '0'] = EXCEPTION_INFO.exec(args) ?? [];
      return [
        vcpu === undefined ? UNKNOWN : Number(vcpu),
        EXIT_CLASSES.indexOf(of),
        Number(svm),
        Number(svm ? named : isVmxNm(of, parseInt(info ?? info2, 16))),
        registersOf(reason!),
      ];
    },
    fields: (of) => {
      const reason = of('exit_reason');
      if (reason === undefined) return [undefined];
      const svm = of('isa') === ISA_SVM;
      const info = of('intr_info') ?? of('info2', 'low') ?? 0;
      const kind = svm ? svmClass(reason) : vmxClass(reason & 0xffff);
      return [
        of('vcpu_id') ?? UNKNOWN,
        EXIT_CLASSES.indexOf(kind),
        Number(svm),
        Number(svm ? isSvmNm(reason) : isVmxNm(kind, info)),
        svm ? 0 : registersOf(exitName(reason & 0xffff)),
      ];
    },
  },
  {
    name: 'kvm_inj_virq',
    values: ['vector', 'again'],
    example: 'IRQ 0x31',
    text: (args) => {
      const found = /^(?:IRQ|irq|Soft\/INTn) (0x[0-9a-f]+|\d+)( \[reinjected\])?/.exec(args);
      return found ? [Number(found[1]), found[2] === undefined ? 0 : 1] : undefined;
    },
    fields: (of) => [of('vector') ?? of('irq'), of('reinjected') ?? 0],
  },
  ACCEPT,
  /** with APICv, posted or not */
  { ...ACCEPT, name: 'kvm_apicv_accept_irq' },
  {
    name: 'kvm_eoi',
    values: ['apicid', 'vector'],
    example: 'apicid 0 vector 49',
    text: (args) => {
      const found = /^apicid ([0-9a-f]+) vector (-?\d+)/.exec(args);
      return found ? [parseInt(found[1]!, 16), Number(found[2])] : undefined;
    },
    fields: (of) => [of('apicid'), of('vector')],
  },
  plain(
    'kvm_set_irq',
    ['gsi', 'level', 'source'],
    /^gsi (\d+) level (\d+) source (\d+)/,
    'gsi 4 level 1 source 0',
    ['gsi', 'level', 'irq_source_id'],
  ),
  {
    name: 'kvm_msi_set_irq',
    values: ['dst', 'vector', 'logical', 'fixed'],
    example: 'dst 0 vec 49 (Fixed|physical|edge)',
    text: (args) => {
      const found = /^dst ([0-9a-f]+) vec (\d+) \((\w+)\|(logical|physical)\|/.exec(args);
      if (!found) return undefined;
      const [, dst, vec, mode, how] = found;
      return [parseInt(dst!, 16), Number(vec), Number(how === 'logical'), Number(isFixed(mode!))];
    },
    fields: (of) => {
      const [low, high, data] = [of('address', 'low'), of('address', 'high'), of('data', 'low')];
      if (low === undefined || high === undefined || data === undefined) return [undefined];
      const dst = ((low >>> 12) & 0xff) + ((high & 0xffff_ff00) >>> 0);
      return [dst, data & 0xff, Number((low & MSI_LOGICAL) !== 0), Number(((data >> 8) & 7) <= 1)];
    },
  },
  {
    name: 'kvm_apic_ipi',
    values: ['dst', 'vector', 'logical', 'fixed', 'shorthand'],
    example: 'dst 1 vec 253 (Fixed|physical|assert|edge|dst)',
    text: (args) => {
      const found = /^dst ([0-9a-f]+) vec (\d+) \((\w+)\|(logical|physical)\|[^|]*\|[^|]*\|([\w-]+)\)/.exec(
        args,
      );
      if (!found) return undefined;
      const [, dst, vec, mode, how, to] = found;
      const shorthand = ['dst', 'self', 'all', 'all-but-self'].indexOf(to!);
      return [parseInt(dst!, 16), Number(vec), Number(how === 'logical'), Number(isFixed(mode!)), shorthand];
    },
    fields: (of) => {
      const low = of('icr_low');
      if (low === undefined) return [undefined];
      const mode = (low >> 8) & 7;
      return [of('dest_id'), low & 0xff, (low >> 11) & 1, Number(mode <= 1), (low >> 18) & 3];
    },
  },
  {
    name: 'kvm_ioapic_set_irq',
    values: ['pin', 'dst', 'vector', 'level', 'masked'],
    example: 'pin 4 dst 0 vec 49 (Fixed|physical|edge)',
    text: (args) => {
      const found = /^pin (\d+) dst ([0-9a-f]+) vec (\d+) \(\w+\|\w+\|(edge|level)(\|masked)?\)/.exec(args);
      if (!found) return undefined;
      const [, pin, dst, vec, trigger, masked] = found;
      return [
        Number(pin),
        parseInt(dst!, 16),
        Number(vec),
        Number(trigger === 'level'),
        Number(masked !== undefined),
      ];
    },
    fields: (of) => {
      const [low, high] = [of('e', 'low'), of('e', 'high')];
      if (low === undefined || high === undefined) return [undefined];
      return [of('pin'), high >>> 24, low & 0xff, (low >>> 15) & 1, (low >>> 16) & 1];
    },
  },
  {
    name: 'kvm_pio',
    values: ['write', 'port'],
    example: 'pio_write at 0x80 size 1 count 1 val 0x0',
    text: (args) => {
      const found = /^pio_(read|write) at (0x[0-9a-f]+) /.exec(args);
      return found ? [Number(found[1] === 'write'), Number(found[2])] : undefined;
    },
    fields: (of) => [of('rw'), of('port')],
  },
  /** An instruction is emulated: the exit was one for a device's registers. */
  plain('kvm_emulate_insn', [], /(?:)/, ''),
  plain('kvm_mmio', [], /(?:)/, ''),
  /** A register of the local APIC, by memory or by MSR. */
  plain('kvm_apic', [], /(?:)/, ''),
];

export const KVM_EVENT: ReadonlyMap<string, KvmEvent> = new Map(KVM_EVENTS.map((e) => [e.name, e]));
