/**
 * What a VM entry takes along: the highest event that waits goes into the VMCS, or a window is opened for it
 * (vmx_intr_assist and what it calls, xen/arch/x86/hvm/vmx/intr.c; hvm_interrupt_blocked, hvm/hvm.c).
 */
import { MACHINE_CHECK } from '../../../abi/mca.ts';
import { Blocking, INFO_VALID, info, Type } from '../../../hw/x86/vmcs-fields.ts';
import { timing } from '../../../timing.ts';
import type { IntAck } from './hvm-irq.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';
import type { HvmHost } from './vmexit.ts';

const NMI_VECTOR = 2;

export type IntBlock = 'none' | 'rflags_ie' | 'shadow' | 'nmi_iret' | 'tpr';

/** hvm_interrupt_blocked */
export function interruptBlocked(v: HvmVcpu, intack: IntAck): IntBlock {
  const { source } = intack;
  const { interruptibility } = v.vmcs;
  if (source !== 'nmi' && source !== 'mce' && !v.vmx.interruptFlag) return 'rflags_ie';
  if (interruptibility & (Blocking.sti | Blocking.movSs)) return 'shadow';
  if (source === 'nmi') return interruptibility & Blocking.nmi ? 'nmi_iret' : 'none';
  return v.hvm.irq.tprBlocks(v.vcpu, intack) ? 'tpr' : 'none';
}

/** vmx_intr_assist. Without virtual-interrupt delivery. */
export function intrAssist(v: HvmVcpu, xen: HvmHost): void {
  const { irq } = v.hvm;
  const { vmcs } = v;
  v.hvm.updateTimers(v.vcpu);
  v.hvm.dpci.assistOn(v.vcpu);
  let threshold = 0;
  for (;;) {
    const waits = irq.hasPendingIrq(v.vcpu);
    if (waits.source === 'none') break;
    const blocked = interruptBlocked(v, waits);
    if (blocked === 'tpr') {
      threshold = waits.vector >> 4;
      break;
    }
    if (blocked !== 'none' || vmcs.entryInfo >>> 0 >= INFO_VALID) {
      openWindow(v, waits, xen);
      break;
    }
    const taken = irq.ackPendingIrq(v.vcpu, waits);
    // it was gone, or the guest's chip answered with none
    if (taken.source === 'none') continue;
    inject(v, taken, xen);
    v.hvm.vpt.intrPost(v.vcpu, taken);
    const another = irq.hasPendingIrq(v.vcpu);
    if (another.source !== 'none') openWindow(v, another, xen);
    break;
  }
  vmcs.tprThreshold = threshold;
}

/** enum hvm_intsrc */
const SOURCES: readonly IntAck['source'][] = ['none', 'pic', 'lapic', 'nmi', 'mce', 'vector'];

/** vmx_enable_intr_window */
function openWindow(v: HvmVcpu, { source, vector }: IntAck, xen: HvmHost): void {
  const { vmx, vmcs } = v;
  const injected = vmcs.entryInfo >>> 0 >= INFO_VALID ? vmcs.entryInfo & 0xff : -1;
  xen.emit(v, xen.points.intrWindow, vector, injected, SOURCES.indexOf(source));
  if (source !== 'nmi') {
    vmx.interruptWindow = true;
    return;
  }
  // STI may hold an NMI back, or not, as the processor likes: MOV SS does in any case
  if (vmcs.interruptibility & Blocking.sti) {
    vmcs.interruptibility = (vmcs.interruptibility & ~Blocking.sti) | Blocking.movSs;
  }
  vmx.nmiWindow = true;
}

/** vmx_inject_nmi, hvm_inject_hw_exception, vmx_inject_extint */
function inject(v: HvmVcpu, { source, vector }: IntAck, xen: HvmHost): void {
  v.cpu.charge(timing.injectEvent);
  switch (source) {
    case 'nmi':
      // in the handler of an interrupt it is part of that one's way
      if (v.journey === 0) v.journey = v.nmi;
      v.vmcs.entryInfo = info(NMI_VECTOR, Type.NMI);
      xen.emit(v, xen.points.injectNmi);
      return;
    case 'mce':
      v.vmcs.entryInfo = info(MACHINE_CHECK, Type.HARDWARE_EXCEPTION);
      v.journey = xen.vmce.journeyOf(v);
      xen.emit(v, xen.points.injectMce, MACHINE_CHECK);
      return;
    default:
      if (source === 'pic') xen.books.pend(v.slot(vector), v.destination(vector));
      v.vmcs.entryInfo = info(vector, Type.EXTERNAL);
      v.journey = xen.journeyOf(v, vector);
      xen.emit(v, xen.points.injectVirq, vector);
  }
}
