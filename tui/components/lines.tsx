/** Ready lines of text on the screen, one `<Text>` each: a line that did not change is not drawn anew. */
import { Text } from 'ink';
import { memo } from 'react';

/** An empty text would take no line at all. */
const Line = memo(function Line({ text }: { readonly text: string }) {
  return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>;
});

export function Lines({ lines }: { readonly lines: readonly string[] }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place on the screen
  return lines.map((text, i) => <Line key={i} text={text} />);
}
