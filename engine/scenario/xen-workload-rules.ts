/** What the workloads of a Xen host must have in common with its domains. */
import { microbenchmarkMistake } from './microbenchmark-rules.ts';
import { checkXenParts, disksOf, hasDisk, NATIVE, type Wrong } from './xen-rules.ts';
import type { XenScenario } from './xen-schema.ts';

export function checkXenScenario(s: XenScenario, wrong: Wrong): void {
  checkXenParts(s, wrong);
  checkWorkloads(s, wrong);
}

/** A workload that nothing can come of is a mistake. */
function checkWorkloads(s: XenScenario, wrong: Wrong): void {
  const last = s.guests.length;
  const nics = s.dom0.devices.some((d) => 'moderation' in d);
  const disks = disksOf(s).length > 0;
  s.workloads.forEach((w, i) => {
    if (w.what === 'device') return;
    const path = ['workloads', i, 'domain'];
    if (w.domain === undefined) return;
    if (w.domain > last) {
      wrong(path, `there is no domain ${w.domain}, expected ${last === 0 ? '0' : `0 to ${last}`}`);
      return;
    }
    const guest = s.guests[w.domain - 1];
    if (w.what === 'packets' && !nics) {
      wrong(['workloads', i, 'what'], 'dom0 has no network card, expected one among its devices');
    } else if (w.what === 'disk' && !(guest ? hasDisk(guest) : disks)) {
      wrong(path, `domain ${w.domain} has no disk, expected one that has`);
    } else if (w.what === 'console' && !guest) {
      wrong(path, 'dom0 has no console of this kind, expected a guest, 1 or more');
    } else if ((w.what === 'console' || w.what === 'xenstore') && guest?.kernel === NATIVE) {
      wrong(path, `domain ${w.domain} knows nothing of Xen, expected one that does`);
    } else if (w.what === 'events' && (!guest || guest.kernel === NATIVE || guest.queues === 0)) {
      wrong(path, `domain ${w.domain} has no paravirtual network card, expected a guest that has one`);
    } else if (w.what === 'locks' && guest?.kernel === NATIVE) {
      wrong(path, `domain ${w.domain} knows nothing of Xen, expected one that does`);
    } else if (w.what === 'faults' && (!guest || guest.type === 'pv')) {
      wrong(path, `domain ${w.domain} is no HVM or PVH guest, expected one`);
    } else if (w.what === 'microbenchmark') {
      checkMicrobenchmark(w, i, guest, wrong);
    } else if (w.what === 'chatter') {
      checkChatter(w, i, guest, wrong);
    } else if (w.what === 'reopen' && (!guest || guest.kernel === NATIVE)) {
      wrong(path, `domain ${w.domain} is no guest that knows Xen, expected one`);
    } else if (w.what === 'nmi' && guest?.type === 'pv') {
      wrong(path, `domain ${w.domain} is no HVM or PVH guest, expected one, or 0: the host's processors`);
    }
  });
  checkTwice(s, wrong);
}

/** Each channel has one driver at its other end, and a guest one driver that reopens. */
function checkTwice(s: XenScenario, wrong: Wrong): void {
  const taken = new Set<string>();
  s.workloads.forEach((w, i) => {
    if (w.what === 'reopen') {
      const driver = `reopen ${w.domain}`;
      if (taken.has(driver)) {
        wrong(['workloads', i, 'domain'], `a second reopen for domain ${w.domain}, expected one at most`);
      }
      taken.add(driver);
    } else if (w.what === 'chatter') {
      const own = Array.from({ length: w.channels }, (_, n) => w.first + n);
      const both = own.find((n) => taken.has(`${w.domain} ${n}`));
      if (both !== undefined) {
        const problem = `channel ${both} of domain ${w.domain} has chatter already, expected others`;
        wrong(['workloads', i, 'first'], problem);
      }
      for (const n of own) taken.add(`${w.domain} ${n}`);
    }
  });
}

function checkChatter(
  { domain, first, channels, vcpu = 0 }: Extract<XenScenario['workloads'][number], { what: 'chatter' }>,
  i: number,
  guest: XenScenario['guests'][number] | undefined,
  wrong: Wrong,
): void {
  if (!guest || guest.kernel === NATIVE) {
    wrong(['workloads', i, 'domain'], `domain ${domain} is no guest that knows Xen, expected one`);
  } else if (first + channels > guest.channels) {
    const has = guest.channels === 0 ? 'none' : `0 to ${guest.channels - 1}`;
    wrong(
      ['workloads', i, channels === 1 ? 'first' : 'channels'],
      `channels ${first} to ${first + channels - 1} of domain ${domain}, which has ${has}, expected more of its \`channels\``,
    );
  } else if (vcpu >= guest.vcpus) {
    const has = guest.vcpus === 1 ? '0' : `0 to ${guest.vcpus - 1}`;
    wrong(['workloads', i, 'vcpu'], `domain ${domain} has no virtual CPU ${vcpu}, expected ${has}`);
  }
}

function checkMicrobenchmark(
  w: Extract<XenScenario['workloads'][number], { what: 'microbenchmark' }>,
  i: number,
  guest: XenScenario['guests'][number] | undefined,
  wrong: Wrong,
): void {
  if (!guest || guest.type === 'pv' || guest.kernel === NATIVE) {
    const path = ['workloads', i, 'domain'];
    wrong(path, `domain ${w.domain} is no HVM or PVH guest that knows Xen, expected one`);
    return;
  }
  const mistake = microbenchmarkMistake(w, { name: `domain ${w.domain}`, vcpus: guest.vcpus });
  if (mistake) wrong(['workloads', i, mistake[0]], mistake[1]);
}
