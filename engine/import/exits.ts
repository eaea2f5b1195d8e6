/**
 * Reasons for which a guest leaves, of VMX (SDM volume 3, appendix C) and of SVM (APM volume 2, appendix C), sorted into
 * classes that mean the same on both: what a trace of either kind of processor is compared by.
 */
import { Exit, exitName, INFO_VALID } from '../hw/x86/vmcs-fields.ts';

/** In the order of reports. */
export const EXIT_CLASSES = [
  'external interrupt',
  'interrupt window',
  'HLT',
  'hypercall',
  'MSR',
  'port I/O',
  'memory',
  'virtual APIC',
  'CPUID',
  'exception',
  'NMI',
  'registers',
  'timer',
  'PAUSE',
  'other',
] as const;
export type ExitClass = (typeof EXIT_CLASSES)[number];

const VMX: ReadonlyMap<number, ExitClass> = new Map<number, ExitClass>([
  [Exit.EXCEPTION_NMI, 'exception'],
  [Exit.EXTERNAL_INTERRUPT, 'external interrupt'],
  [Exit.INTERRUPT_WINDOW, 'interrupt window'],
  [Exit.NMI_WINDOW, 'interrupt window'],
  [Exit.HLT, 'HLT'],
  [Exit.VMCALL, 'hypercall'],
  [Exit.MSR_READ, 'MSR'],
  [Exit.MSR_WRITE, 'MSR'],
  [Exit.IO_INSTRUCTION, 'port I/O'],
  [Exit.EPT_VIOLATION, 'memory'],
  [Exit.EPT_MISCONFIG, 'memory'],
  [Exit.APIC_ACCESS, 'memory'],
  [Exit.APIC_WRITE, 'virtual APIC'],
  [Exit.EOI_INDUCED, 'virtual APIC'],
  [Exit.TPR_BELOW_THRESHOLD, 'virtual APIC'],
  [Exit.CPUID, 'CPUID'],
  [Exit.CR_ACCESS, 'registers'],
  [Exit.DR_ACCESS, 'registers'],
  [Exit.PREEMPTION_TIMER, 'timer'],
  [Exit.PAUSE_INSTRUCTION, 'PAUSE'],
]);

/** By name as Linux prints them (arch/x86/include/uapi/asm/vmx.h), of old kernels too. */
const VMX_NAMES: ReadonlyMap<string, number> = new Map([
  ...[...VMX.keys()].map((n): [string, number] => [exitName(n), n]),
  ['PENDING_INTERRUPT', Exit.INTERRUPT_WINDOW],
]);

/** vector of the NMI among exceptions, on SVM an exit of its own */
const SVM_EXCP_BASE = 0x40;
const SVM_INTR = 0x60;
/** above all of SVM's but those of encrypted guests, and below the flags in a reason of VMX: bus lock, failed entry */
const SVM_END = 0x1000;
/** Intercept codes, Linux's names of them (arch/x86/include/uapi/asm/svm.h), and those of the manual, which trace-cmd prints. */
const SVM: readonly (readonly [code: number, name: string, of: ExitClass, manual?: string])[] = [
  [SVM_INTR, 'interrupt', 'external interrupt', 'INTR'],
  [0x61, 'nmi', 'NMI', 'NMI'],
  [0x64, 'vintr', 'interrupt window', 'VINTR'],
  [0x72, 'cpuid', 'CPUID', 'CPUID'],
  [0x77, 'pause', 'PAUSE', 'PAUSE'],
  [0x78, 'hlt', 'HLT', 'HLT'],
  [0x7b, 'io', 'port I/O', 'IOIO'],
  [0x7c, 'msr', 'MSR', 'MSR'],
  [0x81, 'hypercall', 'hypercall', 'VMMCALL'],
  [0x400, 'npf', 'memory', 'NPF'],
  [0x401, 'avic_incomplete_ipi', 'virtual APIC'],
  [0x402, 'avic_unaccelerated_access', 'virtual APIC'],
];
const SVM_BY_CODE: ReadonlyMap<number, ExitClass> = new Map(SVM.map(([code, , of]) => [code, of]));
const SVM_BY_NAME: ReadonlyMap<string, ExitClass> = new Map(
  SVM.flatMap(([, name, of, manual = name.toUpperCase()]) => [
    [name, of],
    [`EXIT_${manual}`, of],
  ]),
);

/** #NM: the FPU is used for the first time */
export const NM_VECTOR = 7;

export function vmxClass(reason: number): ExitClass {
  return VMX.get(reason) ?? 'other';
}

export function svmClass(code: number): ExitClass {
  const known = SVM_BY_CODE.get(code);
  if (known) return known;
  if (code < SVM_EXCP_BASE) return 'registers';
  return code < SVM_INTR ? 'exception' : 'other';
}

/** Only SVM has codes as large as that of an interrupt and those behind it. */
export function isSvmCode(code: number): boolean {
  return code >= SVM_INTR && code < SVM_END;
}

export function isSvmNm(code: number): boolean {
  return code === SVM_EXCP_BASE + NM_VECTOR;
}

/** @param info interruption information of the exit */
export function isVmxNm(of: ExitClass, info: number): boolean {
  return of === 'exception' && info >= INFO_VALID && (info & 0xff) === NM_VECTOR;
}

/** A code that trace-cmd has no name for. */
const UNNAMED = /^UNKNOWN \((\d{1,4})\)$/;

export interface NamedExit {
  readonly of: ExitClass;
  readonly svm: boolean;
  /** of SVM, where it is known to be of #NM */
  readonly nm: boolean;
}

/** As kvm_exit prints it: VMX's in capitals, SVM's not, or with EXIT_ before them. */
export function classOfName(name: string): NamedExit {
  const is = (of: ExitClass, svm: boolean, nm = false) => ({ of, svm, nm });
  const svm = SVM_BY_NAME.get(name);
  if (svm) return is(svm, true);
  const vmx = VMX_NAMES.get(name);
  if (vmx !== undefined) return is(vmxClass(vmx), false);
  if (/^(read|write|EXIT_READ|EXIT_WRITE)_[cd]r/i.test(name)) return is('registers', true);
  if (/ excp$/.test(name)) return is('exception', true, name === 'NM excp');
  const code = Number(UNNAMED.exec(name)?.[1] ?? -1);
  if (code >= SVM_EXCP_BASE) return is(svmClass(code), true, isSvmNm(code));
  return is('other', name === name.toLowerCase() || name.startsWith('EXIT_'));
}
