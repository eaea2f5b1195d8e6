/** A virtual-machine control structure: the fields that interrupts depend on (SDM volume 3, chapter 24). */
import type { Plain } from '../../core/state.ts';

export class Vmcs {
  // control fields
  pinBased = 0;
  procBased = 0;
  procBased2 = 0;
  exitControls = 0;
  exceptionBitmap = 0;
  tprThreshold = 0;
  entryInfo = 0;
  entryErrorCode = 0;
  entryInstructionLength = 0;
  notificationVector = 0;
  /** a bit for each vector whose EOI exits */
  readonly eoiExit = new Uint32Array(8);
  // guest state
  interruptibility = 0;
  activity = 0;
  /** requesting virtual interrupt, and servicing virtual interrupt in bits 15-8 */
  interruptStatus = 0;
  preemptionTimer = 0;
  // read-only: about the last exit
  exitReason = 0;
  exitQualification = 0;
  exitInfo = 0;
  exitErrorCode = 0;
  exitInstructionLength = 0;
  idtVectoringInfo = 0;
  idtVectoringErrorCode = 0;

  get rvi(): number {
    return this.interruptStatus & 0xff;
  }

  set rvi(vector: number) {
    this.interruptStatus = (this.interruptStatus & 0xff00) | vector;
  }

  get svi(): number {
    return this.interruptStatus >> 8;
  }

  set svi(vector: number) {
    this.interruptStatus = (this.interruptStatus & 0xff) | (vector << 8);
  }

  /** The fields under their names in the SDM, in the order of the manual. */
  inspect(): (readonly [name: string, value: number])[] {
    return [
      ['Pin-based controls', this.pinBased],
      ['Primary processor-based controls', this.procBased >>> 0],
      ['Secondary processor-based controls', this.procBased2],
      ['Exception bitmap', this.exceptionBitmap],
      ['VM-exit controls', this.exitControls],
      ['VM-entry interruption-information', this.entryInfo],
      ['VM-entry exception error code', this.entryErrorCode],
      ['VM-entry instruction length', this.entryInstructionLength],
      ['TPR threshold', this.tprThreshold],
      ['Posted-interrupt notification vector', this.notificationVector],
      ['Guest interruptibility state', this.interruptibility],
      ['Guest activity state', this.activity],
      ['Guest interrupt status', this.interruptStatus],
      ['Exit reason', this.exitReason],
      ['Exit qualification', this.exitQualification],
      ['VM-exit interruption information', this.exitInfo],
      ['VM-exit interruption error code', this.exitErrorCode],
      ['IDT-vectoring information', this.idtVectoringInfo],
      ['IDT-vectoring error code', this.idtVectoringErrorCode],
      ['VM-exit instruction length', this.exitInstructionLength],
    ];
  }

  save(): Plain {
    return [...FIELDS.map((name) => this[name]), ...this.eoiExit];
  }

  restore(state: Plain): void {
    const values = state as number[];
    FIELDS.forEach((name, i) => {
      this[name] = values[i]!;
    });
    this.eoiExit.set(values.slice(FIELDS.length));
  }
}

const FIELDS = [
  'pinBased',
  'procBased',
  'procBased2',
  'exitControls',
  'exceptionBitmap',
  'tprThreshold',
  'entryInfo',
  'entryErrorCode',
  'entryInstructionLength',
  'notificationVector',
  'interruptibility',
  'activity',
  'interruptStatus',
  'preemptionTimer',
  'exitReason',
  'exitQualification',
  'exitInfo',
  'exitErrorCode',
  'exitInstructionLength',
  'idtVectoringInfo',
  'idtVectoringErrorCode',
] as const;
