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
    <Box flexDirection="column" width={size.columns} height={size.rows}>
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
  const needs = `needs ${SMALLEST.columns}x${SMALLEST.rows}`;
  const is = `${columns}x${rows}`;
  const wordings = [
    `virqtop ${needs}, this terminal is ${is}: make it larger, or q quits`,
    `virqtop ${needs}, this is ${is}`,
    `${needs}, is ${is}`,
    needs,
  ];
  return truncate(wordings.find((w) => w.length <= columns) ?? needs, columns, '');
}
