/** A platform whose records are about nothing. */
import type { PlatformTrace } from '../../engine/machine/trace-host.ts';

export const NO_TRACE: PlatformTrace = {
  kind: 'imported',
  cpus: 1,
  domains: [],
  vcpus: [],
  tasks: [],
  running: [-1],
  exits: [],
  action: () => '',
  signals: () => [],
};
