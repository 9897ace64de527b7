/**
 * What outputs and workspaces hold before a call on a real GPU, and how it is seen afterwards which elements were never written: they still hold it. So it must be
 * something that no kernel writes: NaNs with a payload of our own for elements of four and two bytes (arithmetic gives the canonical NaN alone). A single
 * byte can hold anything: there the pattern differs from byte to byte, never 0 or 1 (which is all that a bool can be), and of other bytes only a
 * long run of the pattern counts as unwritten.
 */
import type { Plan, PlanTensor } from '../../kernel/index.ts';
import { type DType, elementBytes } from '../../task/index.ts';
import { poisonWord } from '../poison.ts';

/** How a buffer is poisoned: by the elements that are read from it in the end. */
export type PoisonKind = 'words' | 'halves' | 'bools' | 'bytes';

/** Bytes in a row that hold the pattern by chance with probability 254^-32. */
const RUN = 32;

/** Of each buffer of the plan. */
export function poisonKinds(plan: Plan): PoisonKind[] {
  const tensors = new Map<number, PlanTensor[]>();
  const note = (tensor: PlanTensor) => {
    tensors.set(tensor.buffer, [...(tensors.get(tensor.buffer) ?? []), tensor]);
  };
  plan.outputs.forEach(note);
  for (const step of plan.steps) {
    if (step.kind === 'copy') [step.from, step.to].forEach(note);
    if (step.kind === 'operator') [...step.inputs, ...step.outputs].forEach(note);
  }
  return plan.buffers.map(({ id }) => kindOf((tensors.get(id) ?? []).map(({ dtype }) => dtype)));
}

function kindOf(dtypes: readonly DType[]): PoisonKind {
  const least = Math.min(4, ...dtypes.map((dtype) => elementBytes[dtype]));
  if (least >= 4) return 'words';
  if (least === 2) return 'halves';
  return dtypes.every((dtype) => dtype === 'bool') ? 'bools' : 'bytes';
}

/** The 32-bit word that is repeated over a buffer; undefined for kinds whose bytes differ. */
export function wordOf(kind: PoisonKind, seed: number): number | undefined {
  const word = poisonWord(seed);
  if (kind === 'words') return word;
  if (kind !== 'halves') return undefined;
  // A NaN as float16 and as bfloat16, other than the canonical 0x7fff and 0x7e00.
  const half = (payload: number) => 0x7fc1 + (payload % 62);
  return ((half(word >>> 11) << 16) | half(word & 0x7ff)) >>> 0;
}

/** The bytes of a buffer whose pattern differs from byte to byte: 2 to 255. */
export function patternBytes(seed: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = poisonWord(seed);
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = 2 + ((state >>> 24) % 254);
  }
  return bytes;
}

/** Poison of one buffer in one call. */
export interface Poison {
  readonly kind: PoisonKind;
  readonly seed: number;
}

/**
 * One byte for each byte of a buffer: 0 where it still holds poison. Besides the buffer's own pattern those of the plan's other buffers count, where they
 * are NaNs: a copy of what was never written was not written either.
 */
export function writtenBytes(bytes: Uint8Array, own: Poison, others: readonly Poison[]): Uint8Array {
  const written = new Uint8Array(bytes.length).fill(1);
  if (own.kind === 'bools' || own.kind === 'bytes') {
    const pattern = patternBytes(own.seed, bytes.length);
    const least = own.kind === 'bools' ? 1 : Math.min(RUN, bytes.length);
    for (let start = 0; start < bytes.length; start++) {
      let end = start;
      while (end < bytes.length && bytes[end] === pattern[end]) end++;
      if (end - start >= least) written.fill(0, start, end);
      start = end;
    }
    return written;
  }
  const size = own.kind === 'words' ? 4 : 2;
  const patterns = new Set<number>();
  for (const { kind, seed } of [own, ...others]) {
    const word = wordOf(kind, seed);
    if (word === undefined) continue;
    if (size === 4) patterns.add(word);
    // The lower half of a word's pattern is an ordinary number.
    else if (kind === 'halves') patterns.add(word & 0xffff).add(word >>> 16);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % size);
  for (let at = 0; at < whole; at += size) {
    const element = size === 4 ? view.getUint32(at, true) : view.getUint16(at, true);
    if (patterns.has(element)) written.fill(0, at, at + size);
  }
  return written;
}
