/** In which role the modes of a processor are written. */
import type { HopMode } from '../engine/index.ts';
import type { Role } from './theme.ts';

export const MODE_ROLES: Readonly<Record<HopMode, Role>> = {
  device: 'dim',
  ring0: 'xen',
  root: 'xen',
  el2: 'xen',
  exit: 'warn',
  entry: 'warn',
  guest: 'guest',
  el1: 'guest',
};
