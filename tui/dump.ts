/** The dump menu: D, then the letter of a text that the platform has. */
import { type QemuTopic, qemuInfo, qemuTopics } from '../engine/index.ts';
import { clockTime, sanitize } from './format.ts';
import { leaveEvent } from './records.ts';
import type { Session } from './session.ts';
import { isXen, isXenOnX86 } from './subject.ts';

export interface Dump {
  readonly key: string;
  /** what it tells of */
  readonly about: string;
  text(): string;
}

/** Debug keys of Xen, and what their help on Xen's console is about. */
const DEBUG_KEYS: Readonly<Record<string, string>> = {
  d: 'registers',
  e: 'event channels',
  i: 'interrupts',
  I: 'HVM interrupts',
  M: 'MSI state',
  q: 'domains',
  r: 'run queues',
  z: 'IOAPIC',
};

/** What there is to be dumped: of Xen its debug keys, of a machine with x86 chips QEMU's info of the one shown. */
export function dumpsOf(session: Session): Dump[] {
  const { subject, driver } = session;
  const { platform } = driver.machine;
  const keys = platform.dumps.map((key) => ({
    key,
    about: DEBUG_KEYS[key] ?? key,
    text: () => {
      leaveEvent(session);
      return platform.dump(key) ?? '';
    },
  }));
  if (keys.length > 0 || isXen(subject)) return keys;
  return qemuTopics(subject).map((topic: QemuTopic) => ({
    key: topic[0]!,
    about: `info ${topic}`,
    text: () => qemuInfo(subject, topic),
  }));
}

/** D was pressed: which there are; without any a word about it. */
export function chooseDump(session: Session): void {
  if (dumpsOf(session).length === 0)
    session.update({ notice: `there is no dump of ${session.subject.name}` });
  else session.update({ overlay: null, prompt: { kind: 'dump', text: '' } });
}

/** The letter. */
export function showDump(session: Session, key: string): void {
  const dumps = dumpsOf(session);
  const dump = dumps.find((d) => d.key === key);
  if (!dump) {
    const known = dumps.map((d) => d.key).join(' ');
    session.update({ notice: `no dump ${sanitize(key)} here, there are ${known}` });
    return;
  }
  const { subject } = session;
  const whose =
    isXen(subject) || session.driver.machine.platform.dumps.length > 0 ? '' : ` of ${subject.name}`;
  // Xen's own is of the machine, which may be further on than the last frame
  const text = dump.text();
  const { machine } = session.driver;
  lay(session, `${dump.about}${whose}`, text, whose === '' ? machine.clock.now : undefined);
}

/** What there is to know of whose pending interrupts are shown: of a local APIC its registers, else what Xen tells. */
export function showProcessor(session: Session): void {
  const { subject, vcpu } = session;
  if (isXen(subject)) showDump(session, isXenOnX86(subject) ? 'i' : 'd');
  else if (subject.x86) {
    const lapics = subject.x86.lapics.slice(vcpu, vcpu + 1);
    const text = qemuInfo({ ...subject, x86: { ...subject.x86, lapics } }, 'lapic');
    lay(session, `local APIC of ${subject.name}, CPU ${vcpu}`, text);
  } else showDump(session, subject.arm ? 'q' : 'e');
}

function lay(session: Session, what: string, text: string, at = session.frame.snapshot.time): void {
  const { glyphs } = session;
  const lines = text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => sanitize(untabbed(line.replace(/\r$/, '')), glyphs.ascii));
  const title = `${what} at ${clockTime(at, 6)}`;
  session.update({ overlay: { kind: 'text', title, lines }, overlayTop: 0 });
}

/** Blanks in place of tabs, as a terminal moves on to the next column of eight. */
function untabbed(line: string): string {
  return line.split('\t').reduce((text, piece) => text.padEnd((Math.floor(text.length / 8) + 1) * 8) + piece);
}
