/** The initial content of an array, the same in every run. */
import { encodeComponent, type SpecNumber } from './element-types.ts';
import type { ArgumentSpec, Fill } from './launch-spec.ts';

export type ArraySpec = Extract<ArgumentSpec, { kind: 'array' }>;

/** The bytes of an array, or undefined when it starts without content. `seed` sets the random values. */
export function initialBytes(array: ArraySpec, seed: number): Uint8Array | undefined {
  const { type, fill } = array;
  if (fill.kind === 'uninitialised') return undefined;
  const components = array.count * type.components;
  const bytes = new Uint8Array(components * type.bytes);
  const view = new DataView(bytes.buffer);
  const value = valueAt(fill, type.kind === 'float' || type.kind === 'bfloat', components, seed);
  for (let i = 0; i < components; i++) encodeComponent(view, i * type.bytes, type, value(i));
  return bytes;
}

/** Integers without bounds are from 0 to 99: small enough for an index by accident, different enough to tell apart. */
const DEFAULT_RANDOM = { float: [-1, 1], integer: [0, 100] } as const;

function valueAt(fill: Fill, floating: boolean, count: number, seed: number): (index: number) => SpecNumber {
  switch (fill.kind) {
    case 'uninitialised':
      return () => 0;
    case 'constant':
      return () => fill.value;
    case 'list':
      return (i) => fill.values[i]!;
    case 'index':
      return (i) => i;
    case 'ramp':
      return floating && count > 1 ? (i) => (2 * i) / (count - 1) - 1 : (i) => i;
    case 'random': {
      const [low, high] = DEFAULT_RANDOM[floating ? 'float' : 'integer'];
      const from = fill.low ?? low;
      const span = (fill.high ?? high) - from;
      const uniform = mulberry32(seed);
      return floating ? () => from + span * uniform() : () => Math.floor(from + span * uniform());
    }
  }
}

/** Uniform in [0, 1): Tommy Ettinger's mulberry32, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
