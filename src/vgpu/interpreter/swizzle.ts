/**
 * The swizzles of tensor copies and of wgmma's descriptors: the 16-byte pieces of a row of 32, 64 or 128 bytes are
 * exchanged by the exclusive or of their index with the low bits of the row of 128 bytes that they lie in (PTX ISA,
 * "Swizzling modes"), so that a column of pieces is spread over all banks.
 */
import type { SwizzleMode } from '../tensor-maps.ts';

/** Bits of the piece's index that are changed. */
const CHANGED: Readonly<Record<SwizzleMode, number>> = { none: 0, '32B': 1, '64B': 3, '128B': 7 };

/** Where the byte at this address of shared memory really lies. `rowOffset` is taken from the row first (0 to 7). */
export function swizzled(address: number, mode: SwizzleMode, rowOffset = 0): number {
  return address ^ ((((address >>> 7) - rowOffset) & CHANGED[mode]) << 4);
}
