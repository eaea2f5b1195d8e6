/**
 * The files of a machine in KVM's folder of debugfs beside the counters of stats.ts: kvm_vm_stats_desc and the histograms
 * of kvm_vcpu_stats_desc (6.1), debugfs_entries (2.6.36), kvm_arch_create_vcpu_debugfs. What the simulation has nothing of,
 * shadow pages, large pages, flushes of other TLBs, is 0.
 */
import type { KvmOptions } from './kvm.ts';

export type KvmFile = readonly [name: string, value: number];

/** file descriptor that QEMU has of its machine */
const VM_FD = 11;

const VM_FILES: Readonly<Record<KvmOptions['version'], readonly string[]>> = {
  '6.1': [
    'remote_tlb_flush',
    'remote_tlb_flush_requests',
    'mmu_shadow_zapped',
    'mmu_pte_write',
    'mmu_pde_zapped',
    'mmu_flooded',
    'mmu_recycled',
    'mmu_cache_miss',
    'mmu_unsync',
    'pages_4k',
    'pages_2m',
    'pages_1g',
    'nx_lpage_splits',
    'max_mmu_rmap_size',
    'max_mmu_page_hash_collisions',
    // a file shows the first bucket of a histogram alone, of times of 0 ns
    'halt_poll_success_hist',
    'halt_poll_fail_hist',
    'halt_wait_hist',
  ],
  '2.6.36': [
    'efer_reload',
    'mmu_shadow_zapped',
    'mmu_pte_write',
    'mmu_pte_updated',
    'mmu_pde_zapped',
    'mmu_flooded',
    'mmu_recycled',
    'mmu_cache_miss',
    'mmu_unsync',
    'remote_tlb_flush',
    'largepages',
  ],
};

/** @param counters of all virtual CPUs together, by their names in debugfs: each page that was mapped stays so */
export function vmFiles(version: KvmOptions['version'], counters: readonly KvmFile[]): KvmFile[] {
  const mapped = counters.find(([name]) => name === 'pf_fixed')![1];
  return VM_FILES[version].map((name): KvmFile => [name, name === 'pages_4k' ? mapped : 0]);
}

/** The timestamp counter of a guest is the host's, and its timer rings no earlier than it is set to. */
export function vcpuFiles(pid: number): KvmFile[] {
  return [
    ['pid', pid],
    ['guest_mode', 0],
    ['tsc-offset', 0],
    ['lapic_timer_advance_ns', 0],
  ];
}

/** kvm_create_vm_debugfs; kernels before 4.7 have no folder for each machine. */
export function vmFolder(version: KvmOptions['version'], pid: number): string | null {
  return version === '2.6.36' ? null : `${pid}-${VM_FD}`;
}
