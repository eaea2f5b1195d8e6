/** A domain's ports in the books. */
import { describe, expect, test } from 'vitest';
import { GuestMemory, SharedInfo } from '../../../engine/abi/xen.ts';
import { Books } from '../../../engine/core/books.ts';
import { Domain } from '../../../engine/hv/xen/domain.ts';

function domains(...maxPorts: number[]) {
  const books = new Books();
  return maxPorts.map(
    (maxPort, id) =>
      new Domain(
        {
          id,
          vcpus: [],
          shared: new SharedInfo(id, 1),
          memory: new GuestMemory(id),
          privileged: id === 0,
          nrPirqs: 16,
          maxPort,
        },
        books,
      ),
  );
}

describe('slots', () => {
  test('every port that a domain may have has one of its own', () => {
    const [dom0, guest, next] = domains(131_071, 1_023, 4_095) as [Domain, Domain, Domain];
    expect(guest.slot(0)).toBeGreaterThan(dom0.slot(131_071));
    expect(next.slot(0)).toBeGreaterThan(guest.slot(1_023));
  });

  test('a limit beyond what the ABI has reserves no more than that', () => {
    const [dom0, guest] = domains(2 ** 31 - 1, 10) as [Domain, Domain];
    expect(guest.slot(0) - dom0.slot(0)).toBe(131_072);
  });
});

test('a port is one destination and one source, whenever it is asked for', () => {
  const [dom] = domains(10) as [Domain];
  expect(dom.destination(7)).toBe(dom.destination(7));
  expect(dom.destination(7)).not.toBe(dom.destination(8));
  expect(dom.source(7)).toBe(dom.source(7));
});
