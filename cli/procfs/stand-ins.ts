/**
 * Processes that stand for those of a KVM host's machines, for as long as a program runs on it: what the program finds
 * by /proc/PID of a machine is a process of this machine with QEMU's command line, and the folders in debugfs are
 * called by its number.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type DomainSnapshot, type KvmVmSnapshot, qemuCommand, type Snapshot } from '../../engine/index.ts';

export class StandIns {
  /** by domain */
  private readonly processes = new Map<number, ChildProcess>();

  /** @throws what spawn throws */
  async start({ domains }: Snapshot): Promise<void> {
    const started: Promise<unknown>[] = [];
    for (const domain of domains) {
      if (!domain.kvm) continue;
      const process = standIn(domain);
      this.processes.set(domain.id, process);
      started.push(once(process, 'spawn'));
    }
    await Promise.all(started);
  }

  end(): void {
    for (const process of this.processes.values()) process.kill();
  }

  /** The same machines, with the numbers of their stand-ins. */
  renumber(snapshot: Snapshot): Snapshot {
    return {
      ...snapshot,
      domains: snapshot.domains.map((domain) => {
        const pid = this.processes.get(domain.id)?.pid;
        return domain.kvm && pid !== undefined ? { ...domain, kvm: numbered(domain.kvm, pid) } : domain;
      }),
    };
  }
}

/** A shell that waits for commands that never come, until this process is gone. */
function standIn(domain: DomainSnapshot): ChildProcess {
  const [program, ...words] = qemuCommand(domain);
  return spawn('sh', ['-s', '--', ...words], {
    ...(program !== undefined && { argv0: program }),
    stdio: ['pipe', 'ignore', 'ignore'],
    // the keys of the terminal are not for it
    detached: true,
  });
}

/** It has one thread for all virtual CPUs. */
function numbered(kvm: KvmVmSnapshot, pid: number): KvmVmSnapshot {
  return {
    ...kvm,
    pid,
    folder: kvm.folder?.replace(/^\d+/, String(pid)) ?? null,
    vcpus: kvm.vcpus.map((files) => files.map(([name, value]) => [name, name === 'pid' ? pid : value])),
  };
}
