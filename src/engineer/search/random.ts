/** Seeded random numbers, made anew for each place in a run, so that a resumed run draws what it would have drawn. */

export class Random {
  #state: number;

  /** Equal keys give equal sequences. */
  constructor(...key: readonly (string | number)[]) {
    // FNV-1a over the key's text.
    let hash = 0x811c9dc5;
    for (const char of key.join('\u0000')) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
    this.#state = hash >>> 0;
  }

  /** Uniform in [0, 1). Mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Uniform in 0 .. n-1. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[this.below(items.length)]!;
  }
}
