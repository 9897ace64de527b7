/**
 * Blocks in flight that all wait in loops for memory which nobody will write. The schedule of compiled blocks has no
 * chance in it: when a round in which every block had its turn leaves all memory, registers and positions as they were,
 * so will the next, for ever.
 */
import type { DeviceMemory } from '../memory.ts';

/** More memory than this is not compared. */
const MOST_BYTES = 256 * 1024 * 1024;

/** A copy of all that the launch can change. `volatileWords` are byte offsets of 8-byte counters that always change. */
export class Standstill {
  readonly #memory: DeviceMemory;
  readonly #volatileWords: readonly number[];
  readonly #copies: readonly { readonly base: number; readonly bytes: Uint8Array }[];
  readonly #positions: readonly Uint16Array[];

  private constructor(
    memory: DeviceMemory,
    volatileWords: readonly number[],
    copies: readonly { readonly base: number; readonly bytes: Uint8Array }[],
    positions: readonly Uint16Array[],
  ) {
    this.#memory = memory;
    this.#volatileWords = volatileWords;
    this.#copies = copies;
    this.#positions = positions;
  }

  /** Undefined when there is too much to compare. `positions`: where each thread of each block stands. */
  static of(
    memory: DeviceMemory,
    volatileWords: readonly number[],
    positions: readonly Uint16Array[],
  ): Standstill | undefined {
    const changing = memory.allocations.filter(({ internal, allowed, readOnly }) => internal || (allowed && !readOnly));
    if (changing.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_BYTES) return undefined;
    for (const at of volatileWords) memory.u8.fill(0, at, at + 8);
    return new Standstill(
      memory,
      volatileWords,
      changing.map(({ base, bytes }) => ({ base, bytes: memory.u8.slice(base, base + bytes) })),
      positions.map((states) => states.slice()),
    );
  }

  /** Nothing has changed since. */
  holds(positions: readonly Uint16Array[]): boolean {
    for (const at of this.#volatileWords) this.#memory.u8.fill(0, at, at + 8);
    return (
      positions.length === this.#positions.length &&
      positions.every((states, block) => states.every((state, thread) => state === this.#positions[block]![thread])) &&
      this.#copies.every(({ base, bytes }) => sameBytes(this.#memory.u8, base, bytes))
    );
  }
}

function sameBytes(memory: Uint8Array, base: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (memory[base + i] !== bytes[i]) return false;
  return true;
}
