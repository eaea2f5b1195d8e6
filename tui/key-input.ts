/** Keys from the bytes of one terminal; an ESC that nothing follows is the Esc key after a while. */
import { KeyDecoder } from './keys.ts';

/** ms to wait for what may follow an ESC */
const ESC_MS = 30;

export class KeyInput {
  private readonly decoder = new KeyDecoder();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly key: (key: string) => void) {}

  push(chunk: string): void {
    clearTimeout(this.timer);
    for (const key of this.decoder.push(chunk)) this.key(key);
    if (!this.decoder.waiting) return;
    this.timer = setTimeout(() => {
      for (const key of this.decoder.flush()) this.key(key);
    }, ESC_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
