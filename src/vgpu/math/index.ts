/** The arithmetic of PTX, bit for bit where the ISA defines it. See README.md. */
export * from './approx.ts';
export * from './bitfield.ts';
export * from './bits.ts';
export * from './compare.ts';
export * from './convert.ts';
export * from './float32.ts';
export * from './float64.ts';
export * from './fragments.ts';
export * from './half.ts';
export * from './halfarithmetic.ts';
export * from './integer32.ts';
export * from './integer64.ts';
export * from './matrix.ts';
export * from './minmax.ts';
export * from './narrow.ts';
export * from './rounding.ts';
export * from './words64.ts';
