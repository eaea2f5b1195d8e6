/** What Ink draws: the lines of the screen, anew at every change of the session. */
import { Box } from 'ink';
import { Lines } from './components/lines.tsx';
import { screenLines } from './screen.ts';
import type { Session } from './session.ts';
import { useSnapshot } from './use-snapshot.ts';

export function App({ session }: { readonly session: Session }) {
  useSnapshot(session);
  const { terminal } = session;
  return (
    <Box flexDirection="column" width={terminal.columns} height={terminal.rows}>
      <Lines lines={screenLines(session)} />
    </Box>
  );
}
