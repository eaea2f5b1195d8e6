/** Stepping through one event, a trace record at a time: what was just written is told beside the domains. */
import { sanitize } from './format.ts';
import type { Session } from './session.ts';

/** The next record, of this event or the first of another. */
export function stepRecord(session: Session): void {
  session.driver.stepRecord();
  tellRecord(session);
}

/** What is asked of the machine itself is so at the end of an event; who only watches leaves the others where they are. */
export function leaveEvent({ driver, options }: Session): void {
  if (!options.watches) driver.leaveEvent();
}

/** Which record was written last: `CPU1 kvm_exit reason EXTERNAL_INTERRUPT`. */
export function tellRecord(session: Session): void {
  const { driver, glyphs } = session;
  if (!driver.get().inside) return;
  const last = driver.look().events({ last: 1 }).events[0];
  if (!last) return;
  const where = last.cpu < 0 ? '' : `CPU${last.cpu} `;
  session.update({ notice: sanitize(`${where}${last.name} ${last.detail}`, glyphs.ascii) });
}
