/** React's side of a store that publishes immutable states: one render for each. */
import { useSyncExternalStore } from 'react';

export interface Store<T> {
  /** the same object until something was published */
  readonly get: () => T;
  readonly subscribe: (listener: () => void) => () => void;
}

export function useSnapshot<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
