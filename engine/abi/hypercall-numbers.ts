/** Numbers of hypercalls (xen/include/public/xen.h), and of the commands of some. */

export const HYPERVISOR_IRET = 23;
export const HYPERVISOR_VCPU_OP = 24;
export const HYPERVISOR_SCHED_OP = 29;
export const HYPERVISOR_EVTCHN_OP = 32;
export const HYPERVISOR_PHYSDEV_OP = 33;
export const HYPERVISOR_HVM_OP = 34;

/** public/sched.h */
export const SCHEDOP_BLOCK = 1;
export const SCHEDOP_POLL = 3;

/** public/vcpu.h */
export const VCPUOP_SET_SINGLESHOT_TIMER = 8;
export const VCPUOP_STOP_SINGLESHOT_TIMER = 9;
