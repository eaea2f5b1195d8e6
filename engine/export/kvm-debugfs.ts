/**
 * The folder `kvm` of a host's debugfs (kvm_init_debug, kvm_create_vm_debugfs and kvm_create_vcpu_debugfs of
 * virt/kvm/kvm_main.c), which kvm_stat reads: each counter over all machines, and a folder for each machine.
 */
import type { DomainSnapshot, KvmVmSnapshot, Snapshot } from '../snapshot.ts';

/** Text by path below the folder; none where the host has no KVM. */
export function kvmDebugfs({ domains }: Snapshot): ReadonlyMap<string, string> {
  const machines = domains.flatMap(({ kvm }) => kvm ?? []);
  const all = new Map<string, number>();
  const files = new Map<string, string>();
  for (const { files: counters } of machines) {
    for (const [name, value] of counters) all.set(name, (all.get(name) ?? 0) + value);
  }
  for (const [name, value] of all) files.set(name, `${value}\n`);
  for (const machine of machines) addFolder(files, machine);
  return files;
}

function addFolder(files: Map<string, string>, { folder, files: counters, vcpus }: KvmVmSnapshot): void {
  if (folder === null) return;
  for (const [name, value] of counters) files.set(`${folder}/${name}`, `${value}\n`);
  vcpus.forEach((own, n) => {
    for (const [name, value] of own) files.set(`${folder}/vcpu${n}/${name}`, `${value}\n`);
  });
}

/** The command line of a machine's process, for /proc/PID/cmdline: a tool finds its name in it. */
export function qemuCommand({ name, vcpus }: DomainSnapshot): readonly string[] {
  const command = ['qemu-system-x86_64', '-name', `guest=${name},debug-threads=on`];
  return [...command, '-accel', 'kvm', '-smp', String(vcpus.length)];
}
