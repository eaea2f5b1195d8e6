/**
 * Ready lines of text on the screen.
 *
 * A line comes finished: cut to the width, harmless, dressed. Ink would measure, wrap and sanitize it once
 * more at every change, which costs more than drawing it; so it is told of a single blank, and the blank
 * is transformed into the line when it is written.
 */
import { Text, Transform } from 'ink';
import { memo } from 'react';

const Line = memo(function Line({ text }: { readonly text: string }) {
  return (
    <Transform transform={() => text}>
      <Text> </Text>
    </Transform>
  );
});

export function Lines({ lines }: { readonly lines: readonly string[] }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place on the screen
  return lines.map((text, i) => <Line key={i} text={text} />);
}
