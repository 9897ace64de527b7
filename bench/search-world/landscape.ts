/**
 * A landscape of kernels: ten changes of structure, each with a factor of its own on the time, some of which pay only together, so that one step at a time
 * can get stuck; and three constants whose best values depend on the structure, so that numbers must be set again after each change.
 */
import { Random } from '../../src/engineer/index.ts';

export const changes = 10;
export const constants = 3;
export const values = 6;
/** Pairs of changes that pay together and cost apart. */
const pairs: readonly (readonly [number, number])[] = [
  [0, 1],
  [2, 3],
  [4, 5],
];

export interface Kernel {
  structure: readonly boolean[];
  constants: readonly number[];
}

export const plain: Kernel = { structure: Array(changes).fill(false), constants: Array(constants).fill(0) };
export const write = (kernel: Kernel): string => JSON.stringify(kernel);
export const read = (source: string): Kernel => JSON.parse(source.split('\n')[0]!) as Kernel;

/** Times of kernels, microseconds. */
export class Landscape {
  readonly #factor: number[];
  readonly #best: number[][];

  /** `related`: the landscape of a related task, which differs from that of `seed` in two changes. */
  constructor(seed: number, related = false) {
    const random = new Random('landscape', seed);
    this.#factor = Array.from({ length: changes }, () => 0.6 + 0.5 * random.next());
    this.#best = Array.from({ length: constants }, () => Array.from({ length: 2 }, () => random.below(values)));
    if (!related) return;
    const other = new Random('related', seed);
    for (let k = 0; k < 2; k++) this.#factor[other.below(changes)] = 0.6 + 0.5 * other.next();
  }

  time({ structure, constants: set }: Kernel): number {
    let time = this.#structureTime(structure);
    for (const [k, value] of set.entries()) time *= 1 + 0.08 * Math.abs(value - this.#best[k]![kindOf(structure)]!);
    return time;
  }

  /** Changes, singly or in pairs, that make the structure faster. */
  improvements(structure: readonly boolean[]): number[][] {
    const now = this.#structureTime(structure);
    const singles = Array.from({ length: changes }, (_, k) => [k]);
    return [...singles, ...pairs.map((pair) => [...pair])].filter(
      (flips) => this.#structureTime(flipped(structure, flips)) < now,
    );
  }

  /** The least time, by trying all structures with their best constants. */
  optimum(): number {
    let least = Infinity;
    for (let bits = 0; bits < 2 ** changes; bits++)
      least = Math.min(least, this.#structureTime(Array.from({ length: changes }, (_, k) => ((bits >> k) & 1) === 1)));
    return least;
  }

  #structureTime(structure: readonly boolean[]): number {
    let time = 100;
    for (const [k, on] of structure.entries()) if (on) time *= this.#factor[k]!;
    for (const [a, b] of pairs) {
      if (structure[a] !== structure[b]) time *= 1.3;
      else if (structure[a]) time *= 0.7;
    }
    return time;
  }
}

export function flipped(structure: readonly boolean[], flips: readonly number[]): boolean[] {
  return structure.map((on, k) => (flips.includes(k) ? !on : on));
}

/** Which of two best values of the constants holds. */
function kindOf(structure: readonly boolean[]): 0 | 1 {
  return structure.filter(Boolean).length % 2 === 0 ? 0 : 1;
}
