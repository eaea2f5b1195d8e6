/** The whole screen: exactly as many lines as the terminal has, whatever is shown. */
import { Box } from 'ink';
import { Footer } from './components/footer.tsx';
import { Header, titleLine } from './components/header.tsx';
import { Lines } from './components/lines.tsx';
import { truncate } from './format.ts';
import { geometryOf } from './geometry.ts';
import { helpHeight } from './help-text.ts';
import { type Session, type Size, SMALLEST } from './session.ts';
import { useSnapshot } from './use-snapshot.ts';
import { Help } from './views/help.tsx';
import { InterruptsView } from './views/interrupts.tsx';

export function App({ session }: { readonly session: Session }) {
  const { size } = useSnapshot(session);
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows} overflow="hidden">
      {session.tooSmall ? <Lines lines={[tooSmallLine(size)]} /> : <Screen session={session} />}
    </Box>
  );
}

function Screen({ session }: { readonly session: Session }) {
  const { frame, ui, size, paint, glyphs } = session;
  const shared = { frame, width: size.columns, paint, glyphs };
  const { devices } = frame.snapshot;
  const footer = <Footer {...shared} devices={devices} />;
  if (ui.overlay === 'help') {
    return (
      <>
        <Lines lines={[titleLine(shared)]} />
        <Help {...shared} height={helpHeight(devices, size)} top={ui.helpTop} />
        {footer}
      </>
    );
  }
  return (
    <>
      <Header {...shared} cpuLines={geometryOf(size).cpuLines} />
      <InterruptsView session={session} />
      {footer}
    </>
  );
}

export function tooSmallLine({ columns, rows }: Size): string {
  const need = `${SMALLEST.columns}x${SMALLEST.rows}`;
  const long = `virqtop needs ${need}, this is ${columns}x${rows}: make it larger, or q quits`;
  const short = `needs ${need}, is ${columns}x${rows}`;
  return truncate(long.length <= columns ? long : short, columns, '');
}
