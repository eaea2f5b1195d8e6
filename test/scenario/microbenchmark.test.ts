/** What a microbenchmark needs of the guest that it runs in, on each platform: the line for each mistake. */
import { expect, test } from 'vitest';
import { parseScenario } from '../../engine/scenario/load.ts';

const KVM = "name: x\ntitle: t\nkvm: '6.1'\nvms: [{vcpus: 2, devices: [{driver: virtio-net}]}, {}]\n";
const XEN = 'name: x\ntitle: t\ndom0: {vcpus: 1}\nguests: [{type: hvm, vcpus: 2, rings: 0}, {rings: 0}]\n';
const ARM = 'name: x\ntitle: t\ngic: 2\ndom0: {vcpus: 1}\nguests: [{vcpus: 2, rings: 0}, {type: dom0less}]\n';

function complaint(head: string, workload: string): string {
  try {
    parseScenario(`${head}workloads:\n  - {what: microbenchmark, ${workload}}\n`, 'm.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

test.each([
  [KVM, 'vm: 1, run: ipi', 'none'],
  [KVM, 'vm: 1, run: io-out, vcpu: 1', 'none'],
  [KVM, 'vm: 0, run: trap', 'vm: microbenchmarks run in a virtual machine, expected 1 or more'],
  [KVM, 'vm: 2, run: trap, vcpu: 1', 'vcpu: machine 2 has no virtual CPU 1, expected 0'],
  [
    KVM,
    'vm: 1, run: ipi, vcpu: 1',
    'vcpu: machine 1 has no virtual CPU behind 1 to send an IPI to, expected a lower one',
  ],
  [KVM, 'vm: 2, run: io-out', 'vm: machine 2 has no virtio device to tell, expected one that has'],
  [XEN, 'domain: 1, run: io-in', 'none'],
  [XEN, 'domain: 0, run: trap', 'domain: domain 0 is no HVM or PVH guest that knows Xen, expected one'],
  [XEN, 'domain: 2, run: trap', 'domain: domain 2 is no HVM or PVH guest that knows Xen, expected one'],
  [XEN, 'domain: 1, run: switch, vcpu: 2', 'vcpu: domain 1 has no virtual CPU 2, expected 0 to 1'],
  [ARM, 'domain: 1, run: completion', 'none'],
  [ARM, 'domain: 2, run: trap', 'domain: domain 2 is no guest of type xl, expected one'],
  [ARM, 'domain: 0, run: trap', 'domain: domain 0 is no guest of type xl, expected one'],
  [ARM, 'domain: 1, run: trap, vcpu: 7', 'vcpu: domain 1 has no virtual CPU 7, expected 0 to 1'],
])('%j %s', (head, workload, wrong) => {
  const line = head.split('\n').length + 1;
  expect(complaint(head, workload)).toBe(wrong === 'none' ? wrong : `m.yaml:${line}: workloads[0].${wrong}`);
});
