/**
 * The generator behind every drawn tensor: xoshiro128** (Blackman and Vigna, 2018), seeded by SHA-256 of the secret seed and a label, so that
 * each tensor has a stream of its own and nothing about one tells anything about another. The seed itself comes from the system's CSPRNG, by the judge.
 */
import { createHash } from 'node:crypto';

/** One end of the range of a scale. */
export type ScaleEnd = 'low' | 'high';

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spareNormal: number | undefined;

  readonly #seed: string | number;
  readonly #end: ScaleEnd | undefined;

  /**
   * `seed` is 64 hex digits (256 bits), or a whole number that was derived from such for one use. Throws on anything else.
   * `end` fixes every {@link scale} at one end of its range, for probing what the worst draw would do.
   */
  constructor(seed: string | number, label: string, end?: ScaleEnd) {
    this.#seed = seed;
    this.#end = end;
    if (typeof seed === 'number' ? !Number.isSafeInteger(seed) || seed < 0 : !/^[0-9a-f]{64}$/.test(seed)) {
      throw new Error('A seed is 64 lower-case hexadecimal digits (256 bits), or a whole number derived from them.');
    }
    const state = createHash('sha256').update(String(seed)).update('\0').update(label).digest();
    this.#a = state.readInt32LE(0);
    this.#b = state.readInt32LE(4);
    this.#c = state.readInt32LE(8);
    // A state of all zeros would stay there.
    this.#d = state.readInt32LE(12) | 1;
  }

  /** 32 random bits, as an unsigned integer. */
  bits(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** Uniform on [0, 1), 32 bits of it: more than a float32 shows. */
  unit(): number {
    return this.bits() * 2 ** -32;
  }

  /** Uniform on [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** A scale or an offset that a whole line shares, uniform on [low, high) unless fixed at an end. */
  scale(low: number, high: number): number {
    const drawn = this.uniform(low, high);
    return this.#end === undefined ? drawn : this.#end === 'low' ? low : high;
  }

  /** A scale or an offset that all tensors drawn from a seed share, uniform on [low, high) unless fixed at an end. */
  shared(low: number, high: number): number {
    return this.common('a number').scale(low, high);
  }

  /** A stream that all tensors drawn from a seed have in common, from its beginning. */
  common(label: string): Random {
    return new Random(this.#seed, `common to all tensors/${label}`, this.#end);
  }

  /** A whole number from low to high - 1. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low));
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    const angle = 2 * Math.PI * this.unit();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length)]!;
  }

  /** Puts a list in random order, in place (Fisher and Yates). */
  shuffle<T>(values: { readonly length: number; [index: number]: T }): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(0, i + 1);
      const x = values[i]!;
      values[i] = values[j]!;
      values[j] = x;
    }
  }
}
