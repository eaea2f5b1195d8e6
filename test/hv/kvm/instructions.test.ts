/** What of a guest's instructions KVM sees, and what the processor does without it. */
import { describe, expect, test } from 'vitest';
import { sint } from '../../../engine/abi/hyperv.ts';
import { seconds } from '../../../engine/core/clock.ts';
import { exits, kvmHost, ONE_VM } from '../../support/kvm-rig.ts';

const XAPIC = ONE_VM.replace('  - vcpus: 1\n', '  - vcpus: 1\n    x2apic: false\n');
const TPR = 0xfee0_0080;
const BUSY = 'workloads:\n  - {what: compute, vm: 1, share: 1}\n';

function busy(more = "kvm: '6.1'\n", text = XAPIC + BUSY) {
  const host = kvmHost(text, more);
  host.shop.clock.runUntil(seconds(0.1));
  const [cpu] = host.vms[0]!.cpus;
  return { host, cpu: cpu!, v: cpu!.v };
}

describe('the task priority under a TPR shadow', () => {
  test('a write that stays at the threshold or above does not exit', () => {
    const { host, cpu, v } = busy();
    v.vmcs.tprThreshold = 4;
    const before = exits(host);
    cpu.store(TPR, 0x40);
    expect(exits(host)).toEqual(before);
    expect(v.apic.tpr).toBe(0x40);
  });

  test('one that falls below it does: the request that was held back may come', () => {
    const { host, cpu, v } = busy();
    v.vmcs.tprThreshold = 4;
    cpu.store(TPR, 0x30);
    expect(exits(host).TPR_BELOW_THRESHOLD).toBe(1);
  });
});

describe('non-maskable interrupts that come at once', () => {
  const NMI = 4;
  const handled = (more: string, text = XAPIC + BUSY) => {
    const { host, v } = busy(more, text);
    for (let n = 0; n < 5; n++) v.apic.accept(NMI, 2, true, false);
    host.shop.clock.runUntil(seconds(0.2));
    return host.vms[0]!.kernel.nmis;
  };

  test('are two: one that is handled, and one that waits for it', () => {
    expect(handled("kvm: '6.1'\n")).toBe(2);
  });

  test('are one for KVM of 2.6.36, which has a flag for them', () => {
    const old = `${XAPIC.replace('host:\n', 'host:\n  kernel: linux-2.6.36\n')}${BUSY}`;
    expect(handled("kvm: '2.6.36'\n", old)).toBe(1);
  });
});

describe('a write to HV_X64_MSR_SINT0', () => {
  const SINT0 = 0x4000_0090;
  const [MASKED, AUTO_EOI] = [1 << 16, 1 << 17];

  test('inhibits APICv with AutoEOI, unless the source is masked', () => {
    const { cpu, v } = busy("kvm: '6.1'\napicv: true\n");
    const inhibited = (value: number) => {
      expect(cpu.wrmsr(SINT0, value)).toBe(true);
      return v.vm.apicvInhibited;
    };
    expect(inhibited(MASKED | AUTO_EOI)).toBe(false);
    expect(inhibited(AUTO_EOI | 0xf3)).toBe(true);
    expect(inhibited(0xf3)).toBe(false);
    expect(inhibited(sint(true))).toBe(true);
    expect(inhibited(sint(false))).toBe(false);
  });

  test('is #GP with a vector of an exception', () => {
    const { cpu, v } = busy("kvm: '6.1'\napicv: true\n");
    expect(cpu.wrmsr(SINT0, AUTO_EOI | 15)).toBe(false);
    expect(v.vm.apicvInhibited).toBe(false);
  });
});

describe('registers of QEMU', () => {
  const COM1 = 0x3f8;
  const PIT = 0x43;
  const counted = ({ kvm }: ReturnType<typeof kvmHost>) => Object.fromEntries(kvm.stats.sums([0]));

  test('each access returns to QEMU, which has other floating-point registers; one of KVM itself does not', () => {
    const { host, cpu } = busy();
    const before = counted(host);
    cpu.out(PIT, 0);
    expect(counted(host).fpu_reload).toBe(before.fpu_reload);
    cpu.out(COM1 + 7, 0x55);
    cpu.in(COM1 + 7);
    cpu.load(0xfed0_0000);
    const after = counted(host);
    expect(after.io_exits! - before.io_exits!).toBe(3);
    expect(after.fpu_reload! - before.fpu_reload!).toBe(3);
  });
});

describe('exceptions', () => {
  const faults = (kind: string) =>
    `${XAPIC}workloads:\n  - {what: faults, vm: 1, kind: ${kind}, rate: 100}\n`;
  const run = (more: string, kind: string) => {
    const host = kvmHost(faults(kind), more);
    host.shop.clock.runUntil(seconds(1));
    return exits(host);
  };
  const OLD = "kvm: '2.6.36'\nept: false\n";
  const old = (kind: string) => {
    const text = faults(kind)
      .replace('host:\n', 'host:\n  kernel: linux-2.6.36\n')
      .replace('x2apic', 'kernel: linux-2.6.36\n    x2apic');
    const host = kvmHost(text, OLD);
    host.shop.clock.runUntil(seconds(1));
    return exits(host);
  };

  test('page faults exit without nested paging, and as violations with it', () => {
    expect(old('page').EXCEPTION_NMI!).toBeGreaterThan(50);
    expect(run("kvm: '6.1'\n", 'page').EPT_VIOLATION!).toBeGreaterThan(50);
  });

  test('the first use of the FPU exits where it is loaded lazily', () => {
    expect(old('fpu').EXCEPTION_NMI!).toBeGreaterThan(old('breakpoint').EXCEPTION_NMI! + 50);
    expect(run("kvm: '6.1'\n", 'fpu').EXCEPTION_NMI).toBeUndefined();
  });

  test("breakpoints are the guest's own, unless it is debugged", () => {
    expect(run("kvm: '6.1'\n", 'breakpoint').EXCEPTION_NMI).toBeUndefined();
  });

  test('CPUID always exits', () => {
    expect(run("kvm: '6.1'\n", 'cpuid').CPUID!).toBeGreaterThan(50);
  });
});
