/** What Ink draws: the lines of the screen, anew at every change of the session. */
import { Box } from 'ink';
import { Lines } from './components/lines.tsx';
import { screenLines } from './screen.ts';
import type { Session, SessionState } from './session.ts';
import { type Store, useSnapshot } from './use-snapshot.ts';

interface Props {
  readonly session: Session;
  /** those of its states that are drawn; all of them */
  readonly states?: Store<SessionState>;
}

export function App({ session, states = session }: Props) {
  useSnapshot(states);
  const { terminal } = session;
  return (
    <Box flexDirection="column" width={terminal.columns} height={terminal.rows}>
      <Lines lines={screenLines(session)} />
    </Box>
  );
}
