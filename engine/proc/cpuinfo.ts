/**
 * /proc/cpuinfo: show_cpuinfo() of arch/x86/kernel/cpu/proc.c and arch/arm64/kernel/cpuinfo.c. The processors are those
 * whose costs the simulation has: on x86 the Xeon E5-2450 of Dall et al., with one thread a core; on arm64 the
 * Cortex-A57 of QEMU's board.
 */

export interface CpuinfoSource {
  readonly arch: 'x86_64' | 'aarch64';
  /** numbers of the online CPUs */
  readonly cpus: readonly number[];
  /** it runs under a hypervisor, so that it has no virtualization of its own to offer */
  readonly guest: boolean;
}

const X86_FLAGS = [
  'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush dts acpi mmx fxsr sse sse2 ss ht tm',
  'pbe syscall nx pdpe1gb rdtscp lm constant_tsc arch_perfmon pebs bts rep_good nopl xtopology nonstop_tsc cpuid',
  'aperfmperf pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cx16 xtpr pdcm pcid dca sse4_1 sse4_2 x2apic',
  'popcnt tsc_deadline_timer aes xsave avx lahf_lm tpr_shadow vnmi flexpriority ept vpid xsaveopt dtherm ida arat pln pts',
]
  .join(' ')
  .split(' ');

/** what CPUID keeps from a guest */
const HIDDEN = new Set(
  'dts acpi tm pbe dtes64 monitor ds_cpl vmx smx est tm2 xtpr pdcm dca tpr_shadow vnmi'.split(' '),
);

export function printCpuinfo(source: CpuinfoSource): string {
  return source.cpus.map((cpu) => (source.arch === 'aarch64' ? arm64(cpu) : x86(cpu, source))).join('');
}

function x86(cpu: number, { cpus, guest }: CpuinfoSource): string {
  const flags = guest ? [...X86_FLAGS.filter((f) => !HIDDEN.has(f)), 'hypervisor'] : X86_FLAGS;
  const lines: [name: string, tabs: number, value: string | number][] = [
    ['processor', 1, cpu],
    ['vendor_id', 1, 'GenuineIntel'],
    ['cpu family', 1, 6],
    ['model', 2, 45],
    ['model name', 1, 'Intel(R) Xeon(R) CPU E5-2450 0 @ 2.10GHz'],
    ['stepping', 1, 7],
    ['cpu MHz', 2, '2100.000'],
    ['cache size', 1, '20480 KB'],
    ['physical id', 1, 0],
    ['siblings', 1, cpus.length],
    ['core id', 2, cpu],
    ['cpu cores', 1, cpus.length],
    ['apicid', 2, cpu],
    ['initial apicid', 1, cpu],
    ['fpu', 2, 'yes'],
    ['fpu_exception', 1, 'yes'],
    ['cpuid level', 1, 13],
    ['wp', 2, 'yes'],
    ['flags', 2, flags.join(' ')],
    ['bogomips', 1, '4200.00'],
    ['clflush size', 1, 64],
    ['cache_alignment', 1, 64],
    ['address sizes', 1, '46 bits physical, 48 bits virtual'],
    ['power management', 0, ''],
  ];
  return `${lines.map(([name, tabs, value]) => `${name}${'\t'.repeat(tabs)}:${value === '' ? '' : ` ${value}`}`).join('\n')}\n\n`;
}

function arm64(cpu: number): string {
  return `processor\t: ${cpu}
BogoMIPS\t: 125.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd07
CPU revision\t: 0

`;
}
