/** Ink's side of the monitor. Loading it costs more than the rest of the start, so it comes after the first frame. */
import type { WriteStream } from 'node:tty';
import { render, useApp } from 'ink';
import { useEffect } from 'react';
import { App } from './app.tsx';
import { makeRoom } from './first-frame.ts';
import type { Store } from './use-snapshot.ts';
import type { Watched } from './watched.ts';

type Suspend = ReturnType<typeof useApp>['suspendTerminal'];

export interface InkScreen {
  /** whatever the terminal made of the picture: the next one is drawn anew */
  clear(): void;
  /** Leaves the alternate screen; the answer comes back to it. */
  suspend(): Promise<(() => Promise<void>) | undefined>;
  close(): Promise<void>;
}

/**
 * @param states those of its states that are to be drawn
 * @param ended the screen is gone by itself: with an error if drawing failed
 */
export function openInk(
  watched: Watched,
  states: Store<unknown>,
  stdout: WriteStream,
  ended: (error?: Error) => void,
): InkScreen {
  let suspend: Suspend | undefined;
  const ink = render(
    <>
      <Handle take={(handle) => (suspend = handle)} />
      <App watched={watched} states={states} />
    </>,
    {
      stdout,
      alternateScreen: true,
      incrementalRendering: true,
      interactive: true,
      maxFps: 60,
      exitOnCtrlC: false,
      patchConsole: false,
    },
  );
  ink.waitUntilExit().then(
    () => ended(),
    (error: Error) => ended(error),
  );
  return {
    clear() {
      ink.clear();
      // what was drawn for another size may have been wrapped: Ink does not know of those lines
      stdout.write(makeRoom);
    },
    async suspend() {
      const suspension = await suspend?.();
      return suspension && (async () => void (await suspension.resume()));
    },
    async close() {
      ink.unmount();
      await ink.waitUntilExit().catch(() => {});
    },
  };
}

/** Hands out what only a component can get at: how to leave the screen for a while. */
function Handle({ take }: { readonly take: (suspend: Suspend) => void }) {
  const { suspendTerminal } = useApp();
  useEffect(() => take(suspendTerminal), [take, suspendTerminal]);
  return null;
}
