/** What Ink draws: the lines of the screen, anew at every change of what is watched. */
import { Box } from 'ink';
import { Lines } from './components/lines.tsx';
import { type Store, useSnapshot } from './use-snapshot.ts';
import type { Watched } from './watched.ts';

interface Props {
  readonly watched: Watched;
  /** those of its states that are drawn; all of them */
  readonly states?: Store<unknown>;
}

export function App({ watched, states = watched }: Props) {
  useSnapshot(states);
  const { terminal } = watched;
  return (
    <Box flexDirection="column" width={terminal.columns} height={terminal.rows}>
      <Lines lines={watched.lines()} />
    </Box>
  );
}
