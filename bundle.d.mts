import type { BuildOptions, Plugin } from 'esbuild';

export const COMMON: Omit<BuildOptions, 'plugins'> & { readonly plugins: readonly Plugin[] };
