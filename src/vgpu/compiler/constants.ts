/** Numbers of vector code in memory: the engine builds a constant vector from several instructions, a load is one. */

/** Terms of 2^r = sum of c[k] r^k to 2^-42 for |r| <= 1/2. */
export const EX2_TERMS: readonly number[] = (() => {
  const terms = [1];
  for (let k = 1; k <= 10; k++) terms.push((terms[k - 1]! * Math.LN2) / k);
  return terms;
})();

/** The bytes at `ARENA.constants`, at most 256: {@link EX2_TERMS} as f64. */
export const CONSTANTS = new Uint8Array(Float64Array.from(EX2_TERMS).buffer);
