/** Folds as CUDA: states, merging, and the exchange between the lanes of a row by shuffles or through shared memory. */
import { type FoldName, folds, type ScanName } from '../folds.ts';
import type { ComputeType } from '../scalar.ts';
import type { Preamble } from './kernel-context.ts';

/** The C++ of one fold over one element type. */
export interface FoldText {
  /** Type of the state: the element's own for one field, else a struct. */
  state: string;
  /** Name of `state merge(state, state)`. */
  merge: string;
  neutral: string;
  /** The state of one element. */
  lift: (x: string, j: string, y?: string) => string;
  /** The fields of a state variable, for storing results: one text a result. */
  fields: (variable: string) => string[];
  fieldTypes: readonly string[];
  /** Name of `state across<WIDTH>(state)`: folds the states of WIDTH neighbouring lanes; all get the result. */
  acrossLanes: string;
  /** A state built from another lane's `state`, each field moved by a shuffle. */
  moved: (state: string, shuffle: (value: string) => string) => string;
}

const suffix = (type: ComputeType) => type.replace(/ /g, '_');
const capital = (name: string) => name.replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());

/** Writes a fold's device functions into the preamble and returns their names. */
export function foldText(
  name: FoldName | ScanName,
  type: ComputeType,
  preamble: Preamble,
  shuffles: boolean,
): FoldText {
  const fold = folds[name];
  const fieldTypes = fold.fields.map((field) => (field.type === 'T' ? type : field.type));
  const single = fold.fields.length === 1;
  const tag = type === 'float' ? name : `${name}_${suffix(type)}`;
  const state = single ? type : capital(tag);
  const merge = `merge_${tag}`;
  const acrossLanes = `across_lanes_${tag}`;
  if (!single) {
    const members = fold.fields.map((field, k) => `  ${fieldTypes[k]} ${field.name};`).join('\n');
    preamble.require(state, `// State of a fold: ${fold.doc}.\nstruct ${state} {\n${members}\n};`);
  }
  const bodyLines = fold
    .merge(type)
    .replace(/\bconst T\b/g, `const ${type}`)
    .split('\n');
  preamble.require(
    merge,
    `// ${fold.doc}\n__device__ __forceinline__ ${state} ${merge}(${state} a, ${state} b) {\n${bodyLines.map((line) => `  ${line}`).join('\n')}\n}`,
  );
  const moved: FoldText['moved'] = (from, shuffle) => {
    const field = (text: string, fieldType: string) =>
      fieldType === 'bool' ? `${shuffle(`static_cast<int>(${text})`)} != 0` : shuffle(text);
    if (single) return field(from, type);
    return `{${fold.fields.map(({ name: own }, k) => field(`${from}.${own}`, fieldTypes[k]!)).join(', ')}}`;
  };
  if (shuffles) {
    const partner = moved('state', (value) => `__shfl_xor_sync(0xffffffffu, ${value}, distance)`);
    preamble.require(
      acrossLanes,
      `// Folds the states of WIDTH neighbouring lanes of a warp; every one of them gets the result.
template <int WIDTH>
__device__ __forceinline__ ${state} ${acrossLanes}(${state} state) {
#pragma unroll
  for (int distance = WIDTH / 2; distance > 0; distance /= 2) {
    const ${state} partner = ${partner};
    state = ${merge}(state, partner);
  }
  return state;
}`,
    );
  }
  const neutral = fold.neutral(type);
  return {
    state,
    merge,
    acrossLanes,
    fieldTypes,
    neutral: single ? neutral[0]! : `{${neutral.join(', ')}}`,
    moved,
    lift: (x, j, y) => {
      const lifted = fold.lift(x, j, type, y);
      return single ? lifted[0]! : `${state}{${lifted.join(', ')}}`;
    },
    fields: (variable) => {
      if (single) return [variable];
      // argmax and argmin answer with the index alone.
      if (name === 'argmax' || name === 'argmin') return [`${variable}.index`];
      return fold.fields.map((field) => `${variable}.${field.name}`);
    },
  };
}
