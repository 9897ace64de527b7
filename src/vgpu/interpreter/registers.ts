/**
 * Register storage of the interpreter: for each warp one block of words, register-major, 32 lanes a register. A 32-bit
 * (or narrower) register takes 32 words, a 64-bit one 64, a 128-bit one 128; predicates are one mask word a warp, kept
 * apart. Narrow values are stored zero-extended. Constants are broadcast to 32 lanes at the front of the same buffer, so
 * that an operand is always an index.
 */
import { type PtxType, TYPE_BYTES } from '../ptx/ir.ts';

export const LANES = 32;

/** An operand as an index: `slot + (warp base & mask)`; mask is 0 for constants and -1 for registers. */
export interface Ref {
  readonly slot: number;
  readonly mask: number;
  /** Words a lane takes: 1, 2 or 4. */
  readonly words: 1 | 2 | 4;
}

/** A predicate source: the warp's mask word, inverted by `flip` (-1 or 0). */
export interface PredicateRef {
  readonly index: number;
  readonly flip: number;
}

export function wordsOf(type: PtxType): 1 | 2 | 4 {
  const bytes = TYPE_BYTES[type];
  return bytes === 16 ? 4 : bytes === 8 ? 2 : 1;
}

/** All views of one buffer. Replaced as a whole when it grows: closures must not keep a view between steps. */
export class RegisterFile {
  i32 = new Int32Array(0);
  f32 = new Float32Array(0);
  f64 = new Float64Array(0);
  i64 = new BigInt64Array(0);

  /** Makes room for this many words and keeps the content. */
  reserve(words: number): void {
    if (words <= this.i32.length) return;
    const buffer = new ArrayBuffer(Math.max(words, this.i32.length * 2, 1024) * 4);
    const i32 = new Int32Array(buffer);
    i32.set(this.i32);
    this.i32 = i32;
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
  }
}
