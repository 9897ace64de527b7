/**
 * Matrix descriptors of wgmma: where in shared memory the elements of A and B lie (PTX ISA, "Asynchronous Warpgroup Level
 * Matrix Shared Memory Layout" and "Matrix Descriptor Format").
 *
 *     bits 0-13    start address / 16           bits 16-29   leading dimension byte offset / 16
 *     bits 32-45   stride byte offset / 16      bits 49-51   base offset: the row of 128 bytes in which the swizzle starts
 *     bits 62-63   swizzle: 0 none, 1 of 128 bytes, 2 of 64, 3 of 32
 *
 * A matrix is made of pieces of 16 bytes: along k ("K-major"), or along m or n ("MN-major", 16-bit elements only). Eight
 * pieces, one to a row, are a core matrix. With W the span of the swizzle (16 for none), row r and piece p of
 *     K-major     none:      (r % 8) * 16 + (r / 8) * stride + p * leading        r along m or n, p along k
 *                 swizzled:  (r % 8) * W + (r / 8) * stride + p * 16
 *     MN-major    none:      (r % 8) * 16 + (r / 8) * leading + p * stride        r along k, p along m or n
 *                 swizzled:  (r % 8) * W + (r / 8) * stride + (p % (W / 16)) * 16 + (p / (W / 16)) * leading
 */
import type { SwizzleMode } from '../tensor-maps.ts';
import { swizzled } from './swizzle.ts';

const MODES: readonly SwizzleMode[] = ['none', '128B', '64B', '32B'];
const SPANS: readonly number[] = [16, 128, 64, 32];
const PIECE = 16;

export interface MatrixDescriptor {
  readonly start: number;
  readonly leading: number;
  readonly stride: number;
  readonly baseOffset: number;
  readonly swizzle: SwizzleMode;
  /** Bytes of a row of the swizzle's pattern. */
  readonly span: number;
}

/** Reads the two words of a descriptor. */
export function readDescriptor(low: number, high: number): MatrixDescriptor {
  const mode = high >>> 30;
  return {
    start: (low & 0x3fff) << 4,
    leading: ((low >>> 16) & 0x3fff) << 4,
    stride: (high & 0x3fff) << 4,
    baseOffset: (high >>> 17) & 7,
    swizzle: MODES[mode]!,
    span: SPANS[mode]!,
  };
}

/** The address in shared memory of piece `piece` of row `row`; what rows and pieces are depends on the major dimension. */
export function pieceAddress(d: MatrixDescriptor, alongK: boolean, row: number, piece: number): number {
  const group = row >> 3;
  let offset: number;
  if (d.swizzle === 'none') {
    offset = alongK ? group * d.stride + piece * d.leading : group * d.leading + piece * d.stride;
  } else {
    const perSpan = d.span / PIECE;
    offset =
      group * d.stride + (alongK ? piece * PIECE : (piece % perSpan) * PIECE + Math.floor(piece / perSpan) * d.leading);
  }
  return swizzled(d.start + (row & 7) * d.span + offset, d.swizzle, d.baseOffset);
}
