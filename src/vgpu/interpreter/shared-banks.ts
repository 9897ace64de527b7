/**
 * Shared memory has 32 banks of 4 bytes; a request takes as many passes ("wavefronts") as its busiest bank has distinct
 * words to give. Accesses of 8 and 16 bytes a lane are served for halves and quarters of the warp, one after the other
 * (CUDA C++ Programming Guide, "Shared Memory" of compute capability 5.x and later).
 */
import { LANES } from './registers.ts';

const BANKS = 32;

export interface BankPasses {
  /** Passes that the request takes. */
  passes: number;
  /** Passes it would take without conflicts. */
  ideal: number;
  /** The busiest bank's distinct words: 1 is no conflict, 32 the worst. */
  ways: number;
  /** Passes if wide accesses to equal addresses were served together: no bank gives more than a word a pass. */
  least: number;
}

/** Passes of one load or store of `bytes` bytes a lane at the lanes' addresses. */
export function bankPasses(bytes: number, mask: number, physical: ArrayLike<number>): BankPasses {
  const phases = bytes <= 4 ? 1 : bytes / 4;
  const lanesAPhase = LANES / phases;
  const result = { passes: 0, ideal: 0, ways: 1, least: 0 };
  const all = new Set<number>();
  for (let phase = 0; phase < phases; phase++) {
    const words: number[] = [];
    for (let l = phase * lanesAPhase; l < (phase + 1) * lanesAPhase; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      for (let offset = 0; offset < bytes; offset += 4) words.push((physical[l]! + offset) >>> 2);
    }
    if (words.length === 0) continue;
    const distinct = new Set(words);
    for (const word of distinct) all.add(word);
    const ways = busiestBank(distinct);
    result.passes += ways;
    result.ideal++;
    result.ways = Math.max(result.ways, ways);
  }
  result.least = busiestBank(all);
  return result;
}

/** Passes of a tensor-core load or store, of which only the set of words is defined: the least that can serve it. */
export function fragmentPasses(bytes: number, physical: readonly number[]): BankPasses {
  const words = new Set(physical.flatMap((at) => (bytes === 8 ? [at >>> 2, (at >>> 2) + 1] : [at >>> 2])));
  const ideal = Math.max(1, Math.ceil(words.size / BANKS));
  const passes = busiestBank(words);
  return { passes, ideal: Math.min(ideal, passes), ways: Math.max(1, Math.round(passes / ideal)), least: ideal };
}

/** Passes of an atomic: lanes at the same word take turns as well. */
export function atomicPasses(bytes: number, mask: number, physical: ArrayLike<number>): BankPasses {
  const perBank = new Int32Array(BANKS);
  let ways = 0;
  for (let l = 0; l < LANES; l++) {
    if (((mask >>> l) & 1) === 0) continue;
    for (let offset = 0; offset < bytes; offset += 4) {
      const bank = ((physical[l]! + offset) >>> 2) & (BANKS - 1);
      ways = Math.max(ways, ++perBank[bank]!);
    }
  }
  return { passes: ways, ideal: 1, ways, least: 1 };
}

function busiestBank(words: Iterable<number>): number {
  const perBank = new Int32Array(BANKS);
  let busiest = 0;
  for (const word of words) busiest = Math.max(busiest, ++perBank[word & (BANKS - 1)]!);
  return busiest;
}
