/** The files of /proc and /sys that tell of interrupts and CPUs, as a domain shows them at a moment. */
import {
  type DomainSnapshot,
  kvmDebugfs,
  printCpuinfo,
  printInterrupts,
  printSoftirqs,
  printStat,
  printUptime,
  qemuCommand,
  type Snapshot,
  statOf,
} from '../../engine/index.ts';
import { cpuListText } from '../../tui/cpu-list.ts';

export type Files = ReadonlyMap<string, string>;

const CPUS = 'sys/devices/system/cpu';

/** where debugfs is mounted, and KVM's folder in it */
export const DEBUGFS = 'sys/kernel/debug';
const KVM = `${DEBUGFS}/kvm`;

/** Those that change, by their path below the root. */
export function liveFiles(domain: DomainSnapshot, { time }: Snapshot): Files {
  const stat = statOf(domain, time);
  const idle = stat.cpu[3]! * 10_000_000;
  return new Map([
    ['proc/interrupts', printInterrupts(domain.interrupts)],
    ['proc/softirqs', printSoftirqs(domain.softirqs)],
    ['proc/stat', printStat(stat)],
    ['proc/uptime', printUptime(time, idle)],
  ]);
}

/** KVM's in debugfs; they change as well. None but those of a KVM host, which has all its machines'. */
export function debugFiles(domain: DomainSnapshot, snapshot: Snapshot): Files {
  const files = isKvmHost(domain, snapshot) ? kvmDebugfs(snapshot) : [];
  return new Map([...files].map(([path, text]) => [`${KVM}/${path}`, text]));
}

/** The processes of the machines of a KVM host. */
export function processFiles(domain: DomainSnapshot, snapshot: Snapshot): Files {
  const machines = isKvmHost(domain, snapshot) ? snapshot.domains : [];
  return new Map(
    machines.flatMap((d) =>
      d.kvm
        ? [
            [
              `proc/${d.kvm.pid}/cmdline`,
              qemuCommand(d)
                .map((word) => `${word}\0`)
                .join(''),
            ],
          ]
        : [],
    ),
  );
}

function isKvmHost(domain: DomainSnapshot, { domains }: Snapshot): boolean {
  return domain === domains[0] && domains.some(({ kvm }) => kvm);
}

/** Those that stay as they are. */
export function standingFiles(domain: DomainSnapshot): Files {
  const { cpus, arch } = domain.interrupts;
  const list = cpuListText(cpus);
  const files = new Map([
    [
      'proc/cpuinfo',
      printCpuinfo({
        arch: arch.some((row) => row.label === 'Err') ? 'aarch64' : 'x86_64',
        cpus,
        guest: domain.name !== 'host',
      }),
    ],
    [`${CPUS}/online`, `${list}\n`],
    [`${CPUS}/possible`, `${cpuListText(domain.softirqs.cpus)}\n`],
    [`${CPUS}/present`, `${list}\n`],
    [`${CPUS}/offline`, '\n'],
    [`${CPUS}/kernel_max`, '8191\n'],
  ]);
  for (const cpu of cpus) {
    // CPU0 cannot be taken offline
    if (cpu !== 0) files.set(`${CPUS}/cpu${cpu}/online`, '1\n');
    files.set(`${CPUS}/cpu${cpu}/topology/core_id`, `${cpu}\n`);
    files.set(`${CPUS}/cpu${cpu}/topology/physical_package_id`, '0\n');
    files.set(`${CPUS}/cpu${cpu}/topology/core_cpus_list`, `${cpu}\n`);
    files.set(`${CPUS}/cpu${cpu}/topology/thread_siblings`, `${maskOf([cpu])}\n`);
    files.set(`${CPUS}/cpu${cpu}/topology/core_siblings`, `${maskOf(cpus)}\n`);
    files.set(`${CPUS}/cpu${cpu}/topology/package_cpus_list`, `${list}\n`);
  }
  return files;
}

/** `f`, `3,00000001`: the same of a mask, in groups of 32. */
export function maskOf(cpus: readonly number[]): string {
  const groups = Array.from({ length: Math.floor((cpus.at(-1) ?? 0) / 32) + 1 }, () => 0);
  for (const cpu of cpus) groups[Math.floor(cpu / 32)]! += 2 ** (cpu % 32);
  const [first, ...rest] = groups.reverse().map((g) => g.toString(16));
  return [first, ...rest.map((g) => g.padStart(8, '0'))].join(',');
}
