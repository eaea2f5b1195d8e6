/**
 * The folder `kvm` of a host's debugfs (kvm_init_debug, kvm_create_vm_debugfs and kvm_create_vcpu_debugfs of
 * virt/kvm/kvm_main.c), which kvm_stat reads: each counter over all machines, and a folder for each machine.
 */
import type { DomainSnapshot, Snapshot } from '../snapshot.ts';

type Counters = readonly (readonly [name: string, value: number])[];

/** Of a machine, those of its virtual CPUs as sums, by the names of their files; none of what is no machine. */
export function kvmCounters({ kvm, exits }: DomainSnapshot): Counters {
  return kvm ? [...kvm.files, ...(exits?.stats ?? [])] : [];
}

/** Text by path below the folder; none where the host has no KVM. */
export function kvmDebugfs({ domains }: Snapshot): ReadonlyMap<string, string> {
  const all = new Map<string, number>();
  const folders = new Map<string, string>();
  for (const domain of domains) {
    const counters = kvmCounters(domain);
    for (const [name, value] of counters) all.set(name, (all.get(name) ?? 0) + value);
    const { folder = null, vcpus = [] } = domain.kvm ?? {};
    if (folder === null) continue;
    addFiles(folders, `${folder}/`, counters);
    vcpus.forEach((own, n) => {
      addFiles(folders, `${folder}/vcpu${n}/`, own);
    });
  }
  const files = new Map<string, string>();
  addFiles(files, '', [...all]);
  return new Map([...files, ...folders]);
}

function addFiles(files: Map<string, string>, folder: string, counters: Counters): void {
  for (const [name, value] of counters) files.set(`${folder}${name}`, `${value}\n`);
}

/** The command line of a machine's process, for /proc/PID/cmdline: a tool finds its name in it. */
export function qemuCommand({ name, vcpus }: DomainSnapshot): readonly string[] {
  const command = ['qemu-system-x86_64', '-name', `guest=${name},debug-threads=on`];
  return [...command, '-accel', 'kvm', '-smp', String(vcpus.length)];
}
