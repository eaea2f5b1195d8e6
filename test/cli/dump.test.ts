/** --dump on machines with several kinds of them: which domain is meant, and what is refused. */
import { describe, expect, test } from 'vitest';
import { dumpOf } from '../../cli/dump.ts';
import { UsageError } from '../../cli/usage.ts';
import { qemuInfo } from '../../engine/index.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { kvmGuest, lapic } from '../support/kvm-snapshots.ts';
import { called } from './call.ts';

const processors = (text: string) => text.match(/^dumping local APIC state for CPU \d+/gm)?.length;

describe('info texts', () => {
  test('are of the first guest, or of the domain that is named', () => {
    const machine = fakeKvmMachine({ vcpus: 3 });
    expect(processors(dumpOf(machine, 'lapic', undefined)())).toBe(3);
    expect(processors(dumpOf(machine, 'lapic', 'vm2')())).toBe(1);
    expect(processors(dumpOf(machine, 'lapic', '2')())).toBe(1);
    expect(dumpOf(machine, 'pic', undefined)()).toMatch(/^ioapic0: .*^pic0: .*^pic1: /ms);
    expect(dumpOf(machine, 'irq', 'vm1')()).toContain('22: 177119\n');
  });

  test('a host with chips of its own comes after the guests', () => {
    const machine = fakeKvmMachine();
    const { domains } = machine.platform;
    machine.platform.domains = () => {
      const [host, ...guests] = domains.call(machine.platform);
      const lapics = [lapic({ cpu: 7, vmcs: null })];
      return [{ ...host!, x86: { lapics, ioapic: null, pic: null, vectors: [] } }, ...guests];
    };
    expect(processors(dumpOf(machine, 'lapic', undefined)())).toBe(2);
    expect(dumpOf(machine, 'lapic', 'host')()).toContain('CPU 7');
  });

  test('tell of the moment when they are printed', () => {
    let tpr = 0x10;
    const machine = fakeKvmMachine({
      change: (guest) => ({ ...guest, x86: { ...guest.x86!, lapics: [lapic({ tpr })] } }),
    });
    const text = dumpOf(machine, 'lapic', 'vm1');
    tpr = 0x70;
    expect(text()).toContain('TPR 0x70');
  });

  test('are those of the exporter, to the byte', () => {
    expect(dumpOf(fakeKvmMachine(), 'pic', 'vm1')()).toBe(qemuInfo(kvmGuest(), 'pic'));
  });
});

test.each([
  ['lapik', undefined, "--dump 'lapik': no such dump of kvm; did you mean 'lapic'?"],
  ['e', undefined, "--dump 'e': no such dump of kvm; there is lapic, pic, irq"],
  ['pic', 'vm3', "--domain 'vm3': no such domain in kvm; did you mean 'vm1'?"],
  ['pic', 'host', "--domain 'host': has nothing for --dump pic; there is vm1, vm2"],
])('--dump %s of %s is refused', (dump, domain, message) => {
  expect(() => dumpOf(fakeKvmMachine(), dump, domain)).toThrow(new UsageError(message));
});

test('a machine without such chips has no such dumps', () => {
  expect(() => dumpOf(fakeMachine(), 'lapic', undefined)).toThrow(
    new UsageError("--dump 'lapic': no such dump of xen-pv; there are none"),
  );
});

test.each([
  [['--dump', 'e', '-g', 'dom1'], '--domain: does not go with --dump e'],
  [['--books', '-g', 'dom1'], '--domain: does not go with --books'],
  [['xen-pv', '--dump', 'lapic'], "--dump 'lapic': no such dump of xen-pv; there is e, i, I, M, q, r, z"],
  [['xen-pv-2.6.18', '--dump', 'M'], "--dump 'M': no such dump of xen-pv-2.6.18; there is e, i, q, r, z"],
])('virqtop %j', async (args, line) => {
  expect(await called(...args)).toEqual({ code: 2, stdout: '', stderr: `virqtop: ${line}\n` });
});

test.each([
  ['xen-pv', 'i', 'IRQ information:'],
  ['xen-pv', 'I', "'I' pressed -> dumping HVM irq info"],
  ['xen-pv', 'M', 'MSI information:'],
  ['xen-pv', 'q', "'q' pressed -> dumping domain info (now = 50000000)"],
  ['xen-pv', 'r', 'sched_smt_power_savings: disabled'],
  ['xen-pv', 'z', 'number of MP IRQ sources: 15.'],
  ['xen-pv-2.6.18', 'i', 'Guest interrupt information:'],
  ['xen-pv-2.6.18', 'r', 'Scheduler: SMP Credit Scheduler (credit)'],
])('%s is dumped by key %s', async (scenario, key, first) => {
  const { code, stdout } = await called(scenario, '--dump', key, '--at', '0.05');
  expect({ code, first: stdout.split('\n')[0] }).toEqual({ code: 0, first: `(XEN) ${first}` });
});

test('a machine under KVM is dumped as QEMU does', async () => {
  const lapic = await called('kvm', '--dump', 'lapic', '--at', '0.2');
  expect(lapic.code).toBe(0);
  expect(lapic.stdout).toMatch(
    /^dumping local APIC state for CPU 0 \n\nLVT0\t 0x[0-9a-f]{8} active-hi edge /,
  );
  expect(processors(lapic.stdout)).toBe(2);
  const { stdout } = await called('kvm', '--dump', 'pic', '--at', '0.2');
  expect(stdout.match(/^ {2}pin /gm)).toHaveLength(24);
  const irq = await called('kvm', '--dump', 'irq', '-g', 'vm1', '--fire', 'vm1.kbd@0.1', '--at', '0.2');
  expect(irq.stdout).toMatch(/^IRQ statistics for kvm-ioapic:\n(?: ?\d+: \d+\n)* 1: [1-9]/);
});
