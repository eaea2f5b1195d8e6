/** import -J: one line of JSON with every number, in each second too. */
import type { ImportReport, Row } from './measure.ts';

export function importJson({ capture, system, seed, guests, irqs }: ImportReport): string {
  const { file, format, isa, cpus, records, length, notes } = capture;
  const row = <T extends Row>({ recordedEach, simulatedEach, ...numbers }: T) => ({
    ...numbers,
    perSecond: { recorded: recordedEach, simulated: simulatedEach },
  });
  const document = {
    file,
    recorded: { format, isa, cpus, records, length, notes },
    simulated: { system, seed },
    guests: guests.map((guest) => ({
      ...guest,
      exits: guest.exits.map(row),
      injections: guest.injections.map(row),
    })),
    irqs,
  };
  return `${JSON.stringify(document)}\n`;
}
