/**
 * Reasons for which a guest leaves, of VMX (SDM volume 3, appendix C) and of SVM (APM volume 2, appendix C), sorted into
 * classes that mean the same on both: what a trace of either kind of processor is compared by.
 */
import { Exit, exitName } from '../hw/x86/vmcs-fields.ts';

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
/** Intercept codes and Linux's names of them (arch/x86/include/uapi/asm/svm.h). */
const SVM: readonly (readonly [code: number, name: string, of: ExitClass])[] = [
  [SVM_INTR, 'interrupt', 'external interrupt'],
  [0x61, 'nmi', 'NMI'],
  [0x64, 'vintr', 'interrupt window'],
  [0x72, 'cpuid', 'CPUID'],
  [0x77, 'pause', 'PAUSE'],
  [0x78, 'hlt', 'HLT'],
  [0x7b, 'io', 'port I/O'],
  [0x7c, 'msr', 'MSR'],
  [0x81, 'hypercall', 'hypercall'],
  [0x400, 'npf', 'memory'],
  [0x401, 'avic_incomplete_ipi', 'virtual APIC'],
  [0x402, 'avic_unaccelerated_access', 'virtual APIC'],
];
const SVM_BY_CODE: ReadonlyMap<number, ExitClass> = new Map(SVM.map(([code, , of]) => [code, of]));
const SVM_BY_NAME: ReadonlyMap<string, ExitClass> = new Map(SVM.map(([, name, of]) => [name, of]));

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

/** Only SVM has codes as large as this one and those behind it. */
export function isSvmCode(code: number): boolean {
  return code >= SVM_INTR;
}

export function isSvmNm(code: number): boolean {
  return code === SVM_EXCP_BASE + NM_VECTOR;
}

/** As kvm_exit prints it: VMX's in capitals, SVM's not. */
export function classOfName(name: string): { readonly of: ExitClass; readonly svm: boolean } {
  const svm = SVM_BY_NAME.get(name);
  if (svm) return { of: svm, svm: true };
  const vmx = VMX_NAMES.get(name);
  if (vmx !== undefined) return { of: vmxClass(vmx), svm: false };
  if (/^(read|write)_[cd]r/.test(name)) return { of: 'registers', svm: true };
  if (/ excp$/.test(name)) return { of: 'exception', svm: true };
  return { of: 'other', svm: name === name.toLowerCase() };
}
