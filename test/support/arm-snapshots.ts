/** Fabricated GICs: the virtual one of a guest with its list registers, and Xen with the physical one. */
import type {
  ArmSnapshot,
  ArmVcpuSnapshot,
  GicCpuSnapshot,
  GicInterruptSnapshot,
  XenArmSnapshot,
} from '../../engine/machine/inspect.ts';

type ListRegister = ArmVcpuSnapshot['lrs'][number];

/** A register of GICv3 from its value; used if it is said to be. */
function listRegister(lr: number, value: string, used: boolean): ListRegister {
  const [high, low] = [Number.parseInt(value.slice(0, 8), 16), Number.parseInt(value.slice(8), 16)];
  const state = (['invalid', 'pending', 'active', 'pending and active'] as const)[high >>> 30]!;
  const pirq = high & 0x2000_0000 ? high & 0x1fff : null;
  return { lr, value, state, virq: low, pirq, priority: (high >>> 16) & 0xff, group: 1, used };
}

const EMPTY = '0000000000000000';

export function armVcpu(
  options: Partial<ArmVcpuSnapshot> & { values?: readonly string[] } = {},
): ArmVcpuSnapshot {
  const { values = [EMPTY, EMPTY, EMPTY, EMPTY], ...rest } = options;
  const lrMask = rest.lrMask ?? 0;
  return {
    vcpu: 0,
    place: 'blocked, last on CPU1',
    irqsMasked: false,
    live: false,
    hcr: null,
    vmcr: 0xf04c_000a,
    ap0: 0,
    ap1: 0,
    lrMask,
    lrs: values.map((value, lr) => listRegister(lr, value, ((lrMask >>> lr) & 1) === 1)),
    inflight: [],
    waiting: [],
    leftQueued: [],
    ...rest,
  };
}

const NAMES = {
  0: 'IPI0 Rescheduling interrupts',
  16: 'events',
  27: 'arch_timer',
  36: 'virtio2',
  78: 'virtio0',
  79: 'virtio1',
};

/** Four registers full and the timer waiting; a guest that was done with one when it left; one that is idle. */
export function busyArm(): ArmSnapshot {
  return {
    version: 3,
    names: NAMES,
    vcpus: [
      armVcpu({
        place: 'running on CPU0, EL1',
        irqsMasked: true,
        live: true,
        hcr: 3,
        ap1: 1 << 20,
        lrMask: 0xf,
        values: ['b0a0002400000024', '50a0000000000001', '70a0004e0000004e', 'f0a0004f0000004f'],
        inflight: [
          { irq: 36, lr: 0 },
          { irq: 1, lr: 1 },
          { irq: 78, lr: 2 },
          { irq: 79, lr: 3 },
          { irq: 27, lr: null },
        ],
        waiting: [27],
      }),
      armVcpu({
        vcpu: 1,
        place: 'running on CPU2, EL2',
        live: true,
        hcr: 1,
        lrMask: 1,
        values: ['30a0004f0000004f', '10a000000000001b', EMPTY, EMPTY],
        inflight: [{ irq: 79, lr: 0 }],
      }),
      armVcpu({ vcpu: 2 }),
    ],
  };
}

function cpu(n: number, options: Partial<GicCpuSnapshot> = {}): GicCpuSnapshot {
  return {
    cpu: n,
    pmr: 0xff,
    running: 256,
    pending: 1023,
    signal: 'none',
    split: true,
    groups: 2,
    vcpu: null,
    hcr: 1,
    misr: 0,
    lrs: 4,
    lrMask: 0,
    virq: false,
    ...options,
  };
}

function interrupt(intid: number, options: Partial<GicInterruptSnapshot> = {}): GicInterruptSnapshot {
  return {
    intid,
    cpu: -1,
    enabled: true,
    pending: false,
    active: false,
    line: false,
    edge: false,
    group: 1,
    priority: 0xa0,
    targets: [0],
    owner: '',
    ...options,
  };
}

export function fakeXenArm(seconds = 0): XenArmSnapshot {
  const counts = (perSecond: number) => [0, 1, 2, 3].map(() => Math.floor((perSecond * seconds) / 4));
  return {
    id: 0x7ff2,
    name: 'Xen',
    kind: 'hypervisor 4.17',
    irqs: [
      { intid: 0, what: 'SGI', owner: 'Xen GIC_SGI_EVENT_CHECK', counts: counts(2000) },
      { intid: 26, what: 'PPI level', owner: 'Xen hyptimer', counts: counts(400) },
      { intid: 27, what: 'PPI level', owner: 'Xen virtimer', counts: counts(200) },
      { intid: 33, what: 'SPI level', owner: 'Xen uart-pl011', counts: counts(0) },
      { intid: 36, what: 'SPI level', owner: 'dom0:36 virtio2', counts: counts(40) },
      { intid: 79, what: 'SPI edge', owner: 'dom0:79 virtio1', counts: counts(4) },
    ],
    softirqs: ['TIMER', 'RCU', 'SCHED_SLAVE', 'SCHEDULE'].map((name) => ({
      name,
      counts: counts(name === 'SCHEDULE' ? 4000 : 0),
      pending: [0, 1, 2, 3].map((n) => name === 'SCHEDULE' && n === 1),
    })),
    eventChecks: { sent: 1685, skipped: 0 },
    gic: {
      version: 3,
      cpus: [
        cpu(0, { vcpu: 'dom0.0', lrMask: 0xf, hcr: 3, virq: true }),
        cpu(1, { pending: 27, signal: 'IRQ' }),
        cpu(2, { vcpu: 'dom0.1', lrMask: 1, running: 0xa0, misr: 2 }),
        cpu(3),
      ],
      interrupts: [
        ...[0, 1, 2, 3].flatMap((n) => [
          interrupt(0, {
            cpu: n,
            edge: true,
            priority: 0x90,
            owner: 'Xen GIC_SGI_EVENT_CHECK',
            targets: [n],
          }),
          interrupt(5, { cpu: n, edge: true, priority: 0x90, targets: [n] }),
          interrupt(27, {
            cpu: n,
            owner: 'Xen virtimer',
            targets: [n],
            ...(n === 1 && { pending: true, line: true }),
          }),
        ]),
        interrupt(33, { owner: 'Xen uart-pl011' }),
        interrupt(36, { owner: 'dom0:36 virtio2', active: true, pending: true, line: true }),
        interrupt(79, { owner: 'dom0:79 virtio1', edge: true, active: true, targets: [2] }),
      ],
    },
  };
}

/** So many virtual CPUs, each in turn as busy as one of those above. */
export function turningArm(vcpus: number, turn: number): ArmSnapshot {
  const { version, names, vcpus: models } = busyArm();
  const of = (vcpu: number) => ({ ...models[(vcpu + turn) % models.length]!, vcpu });
  return { version, names, vcpus: Array.from({ length: vcpus }, (_, vcpu) => of(vcpu)) };
}
