/**
 * The life of one interrupt as the GIC sees it: IAR, EOIR, DIR of the hypervisor, what is written into a list register,
 * IAR and EOIR of the guest. From the traces of real machines (test/captures/xen-arm64/excerpt-*.txt) and from a simulated
 * one.
 */
import type { XenArm } from '../../engine/hv/xen/arm/xen.ts';
import type { Machine } from '../../engine/index.ts';
import { capture } from './captures.ts';

/** `IAR 36`, `LR 70a0002400000024`, `vEOIR 36`. */
type Access = string;

const PENDING = 1;

/** All accesses of an excerpt that have to do with interrupts, of every CPU in the order of the trace. */
export function realAccesses(name: string): Access[] {
  return capture(`xen-arm64/excerpt-${name}.txt`)
    .split('\n')
    .flatMap((line) => gicv3(line) ?? gicv2(line) ?? []);
}

function gicv3(line: string): Access | undefined {
  const found =
    /(ICC_IAR1|ICC_EOIR1|ICC_DIR|ICV_IAR1|ICV_EOIR1|ICH_LR\d+_EL2) (read|write) cpu \S+ value 0x(\w+)/.exec(
      line,
    );
  if (!found) return undefined;
  const [, register, way, value] = found as unknown as [string, string, string, string];
  if (register.startsWith('ICH_LR')) return way === 'write' ? `LR ${value}` : undefined;
  const name = register.slice(4).replace('1', '');
  return `${register.startsWith('ICV') ? 'v' : ''}${name} ${Number.parseInt(value, 16)}`;
}

const GICC = new Map([
  ['0000000c', 'IAR'],
  ['00000010', 'EOIR'],
  ['00001000', 'DIR'],
]);

function gicv2(line: string): Access | undefined {
  const own = /(vcpu|cpu) \d+ iface (?:read|write) at 0x(\w+):? 0x(\w+)/.exec(line);
  if (own) {
    const [, who, at, value] = own as unknown as [string, string, string, string];
    const name = GICC.get(at);
    return name && `${who === 'vcpu' ? 'v' : ''}${name} ${Number.parseInt(value, 16) & 0x3ff}`;
  }
  const lr = /hyp write at 0x000001\w\w:? 0x(\w+)/.exec(line);
  return lr ? `LR ${lr[1]}` : undefined;
}

/** Everything a simulated host does from now on; what comes after is in the array. */
export function watch(machine: Machine): Access[] {
  const { xen } = (machine.platform as unknown as { host: { xen: XenArm } }).host;
  const out: Access[] = [];
  xen.hostGic.trace = (_, register, _write, value) => out.push(`${register} ${value}`);
  for (const gich of xen.hardware.gich) {
    gich.trace = (register, write, low) => {
      if (register === 'GICV_IAR' || register === 'GICV_EOIR')
        out.push(`v${register.slice(5)} ${low & 0x3ff}`);
      else if (write && register.startsWith('GICH_LR')) out.push(`LR ${low.toString(16).padStart(8, '0')}`);
    };
  }
  for (const ich of xen.hardware.ich) {
    ich.trace = (register, write, low, high) => {
      if (register.startsWith('ICV_IAR1') || register.startsWith('ICV_EOIR1')) {
        out.push(`v${register.slice(4).replace('1_EL1', '')} ${low}`);
      } else if (write && register.startsWith('ICH_LR')) {
        out.push(`LR ${high.toString(16)}${low.toString(16).padStart(8, '0')}`);
      }
    };
  }
  return out;
}

/** The first life of an interrupt: from the hypervisor's IAR to the guest's EOIR, or as far as is known. */
export function lifeOf(accesses: readonly Access[], intid: number): Access[] {
  const own = accesses.filter((access) => isOf(access, intid));
  const from = own.indexOf(`IAR ${intid}`);
  if (from < 0) throw new Error(`nobody takes ${intid}`);
  const to = own.indexOf(`vEOIR ${intid}`, from);
  const life = own.slice(from, to < 0 ? undefined : to + 1);
  // a context switch writes the same once more
  return life.filter((access, i) => access !== life[i - 1]);
}

/** Is it about this interrupt, and if a list register is written, as pending? */
function isOf(access: Access, intid: number): boolean {
  const [what, value] = access.split(' ') as [string, string];
  if (what !== 'LR') return Number(value) === intid;
  const wide = value.length > 8;
  const high = Number.parseInt(value.slice(0, 8), 16);
  const id = wide ? Number.parseInt(value.slice(-8), 16) : high & 0x3ff;
  const state = wide ? high >>> 30 : (high >>> 28) & 3;
  return id === intid && state === PENDING;
}
