/**
 * Device variables (`__device__`, `__managed__`) as they would be many calls later. A kernel that counts its calls can be right for longer than any trial lasts.
 * What each call adds to a variable in the same way is known after two calls; the sum of many such calls is a state that an honest kernel reaches too, and is right in.
 */
import type { LoadedModule, VirtualGpu } from '../../vgpu/index.ts';

/** Bytes of variables that are followed, in all: enough for flags and counters, too few to make calls slow. */
const FOLLOWED_BYTES = 1 << 24;
const GREATEST_COUNT = 2 ** 31 - 1;

interface Followed {
  readonly address: bigint;
  readonly words: number;
}

type Contents = readonly Uint32Array[];

export class DeviceVariables {
  readonly #gpu: VirtualGpu;
  readonly #variables: readonly Followed[];
  /** Contents before and after the last two calls that followed one another without a reset, the latest last. */
  #calls: { before: Contents; after: Contents }[] = [];
  #before: Contents = [];

  constructor(gpu: VirtualGpu, modules: readonly LoadedModule[]) {
    this.#gpu = gpu;
    let room = FOLLOWED_BYTES;
    this.#variables = modules.flatMap((module) =>
      [...module.allocations].flatMap(([{ space }, { address, bytes }]) => {
        const words = bytes >> 2;
        if (space !== 'global' || words === 0 || 4 * words > room) return [];
        room -= 4 * words;
        return [{ address, words }];
      }),
    );
  }

  /** Before a call, with the variables as the last call left them (or `reset`); `later`: as so many more calls would have left them. */
  callBegins(reset: boolean, later: number): void {
    if (this.#variables.length === 0) return;
    if (reset) this.#calls = [];
    if (later > 0) this.#advance(later);
    this.#before = this.#contents();
  }

  /** After a call that completed. */
  callEnded(): void {
    if (this.#variables.length === 0) return;
    this.#calls = [...this.#calls.slice(-1), { before: this.#before, after: this.#contents() }];
  }

  /** Whether calls change the variables in a way of which {@link advanced} knows no sum: the state of later calls is known only by making them. */
  get wander(): boolean {
    const [first, second] = this.#calls;
    if (first === undefined || second === undefined) return false;
    return second.after.some((now, v) =>
      now.some((after, i) => {
        const two = [second.before[v]![i]!, after] as const;
        const one = [first.before[v]![i]!, first.after[v]![i]!] as const;
        if (two[0] === two[1] && one[0] === one[1]) return false;
        return advanced([one, two], after, 1) === after;
      }),
    );
  }

  #contents(): Contents {
    return this.#variables.map(({ address, words }) => {
      const bytes = this.#gpu.read(address, 4 * words);
      return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4 * words));
    });
  }

  #advance(calls: number): void {
    const [first, second] = this.#calls;
    if (first === undefined || second === undefined) return;
    const contents = this.#contents();
    for (const [v, { address }] of this.#variables.entries()) {
      const now = contents[v]!;
      const steps = [first, second].map(({ before, after }) => ({ before: before[v]!, after: after[v]! }));
      let moved = false;
      for (let i = 0; i < now.length; i++) {
        const word = advanced(
          steps.map(({ before, after }) => [before[i]!, after[i]!] as const),
          now[i]!,
          calls,
        );
        if (word === now[i]) continue;
        now[i] = word;
        moved = true;
      }
      if (moved) this.#gpu.write(address, new Uint8Array(now.buffer));
    }
  }
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

function asFloat(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

function asBits(value: number): number {
  float[0] = value;
  return word[0]!;
}

/** What a word that each of two calls changed by the same amount is after so many more calls, as far as it does not wrap; else the word itself. */
export function advanced(
  steps: readonly (readonly [before: number, after: number])[],
  now: number,
  calls: number,
): number {
  const [one, two] = steps.map(([before, after]) => (after - before) | 0);
  if (one === undefined || two === undefined) return now;
  if (one === two && one !== 0) {
    const room = Math.floor((GREATEST_COUNT - Math.abs(now | 0)) / Math.abs(one));
    return (now + one * Math.min(calls, room)) >>> 0;
  }
  const [first, second] = steps.map(([before, after]) => asFloat(after) - asFloat(before));
  if (first !== second || first === 0 || !Number.isFinite(first)) return now;
  return asBits(asFloat(now) + first! * calls);
}
