/**
 * Runs a program in a mount namespace of its own, where files and directories of ours lie over those of the machine:
 * unshare(1) and mount(8) do it, without rights where the system lets users have namespaces.
 */
import { spawn, spawnSync } from 'node:child_process';

/** [ours, over what] */
export type Mount = readonly [source: string, target: string];

/**
 * What is missing is not covered either: containers often have no /proc/irq. Programs find debugfs by its line in
 * /proc/mounts, which only a real one below ours gives.
 */
const COVER = `
n=$1; shift
while [ "$n" -gt 0 ]; do
  if [ "$2" = /sys/kernel/debug ]; then
    grep -q ' debugfs ' /proc/mounts || mount -t debugfs debugfs "$2" 2>/dev/null
  fi
  if [ -e "$2" ]; then mount --bind "$1" "$2" || exit 125; fi
  shift 2; n=$((n - 1))
done
`;

const OWN = ['--mount', '--propagation', 'private'];
/** With rights nothing else is needed; without them one's own user namespace gives them. */
const WAYS =
  process.getuid?.() === 0
    ? [OWN, ['--user', '--map-root-user', ...OWN]]
    : [['--user', '--map-root-user', ...OWN]];

function argumentsOf(mounts: readonly Mount[], then: string, command: readonly string[]): string[] {
  return ['sh', '-c', `${COVER}${then}`, 'sh', String(mounts.length), ...mounts.flat(), ...command];
}

/** @returns how this system gives such namespaces; else why not */
export function findWay(mounts: readonly Mount[]): { way: readonly string[] } | { refused: string } {
  let refused = '';
  for (const way of WAYS) {
    const { status, stderr, error } = spawnSync('unshare', [...way, ...argumentsOf(mounts, 'exit 0', [])], {
      encoding: 'utf8',
    });
    if (status === 0) return { way };
    refused = error ? `unshare: ${error.message}` : (stderr.trim().split('\n')[0] ?? '');
  }
  return { refused };
}

const NUMBERS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** Runs the command there, on this terminal. @returns its exit code; 128 and the number of the signal that ended it */
export function runCovered(
  way: readonly string[],
  mounts: readonly Mount[],
  command: readonly string[],
): Promise<number> {
  const child = spawn('unshare', [...way, ...argumentsOf(mounts, 'exec "$@"', command)], {
    stdio: 'inherit',
  });
  // the terminal sends those of its keys to both: they are the program's to decide on
  const ignore = () => {};
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (NUMBERS[signal!] ?? 0)));
  });
}
