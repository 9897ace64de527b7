/** Choices of a seeded generator, so that a program is found again by its seed. */

export interface Choices {
  /** An integer below `n`. */
  below(n: number): number;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  /** True once in `n`. */
  once(n: number): boolean;
}

/** A 32-bit mixing generator (splitmix32): neighbouring seeds give unrelated programs. */
export function choicesOf(seed: number): Choices {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    z = (z ^ (z >>> 15)) >>> 0;
    return Math.floor((z / 2 ** 32) * n);
  };
  return { below, pick: (items) => items[below(items.length)]!, once: (n) => below(n) === 0 };
}
