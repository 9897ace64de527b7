/**
 * erf and erfc in float64, which JavaScript lacks.
 * erf: Taylor expansion about the nearest point of a grid of step 1/16, whose values come once from Kummer's series (all terms positive).
 * erfc above 1/2: the same expansion about values of Laplace's continued fraction, so that the tail keeps its relative accuracy.
 */

const TWO_OVER_SQRT_PI = 1.1283791670955126;
const STEP = 1 / 16;
const LIMIT = 6;
const TERMS = 14;

/** erf by Kummer's series: 2/sqrt(pi) e^(-x^2) sum 2^k x^(2k+1) / (1*3*...*(2k+1)); for 0 <= x <= 6. Slow. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 400; k++) {
    term *= (2 * x * x) / (2 * k + 1);
    sum += term;
    if (term < sum * 1e-18) break;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/** Taylor coefficients c[j] of erf about each grid point, from the derivatives' Hermite recurrence. */
const coefficients = (() => {
  const points = LIMIT / STEP + 1;
  const table = new Float64Array(points * TERMS);
  for (let p = 0; p < points; p++) {
    const x = p * STEP;
    const slope = TWO_OVER_SQRT_PI * Math.exp(-x * x);
    // d^(j+1) erf / dx^(j+1) = slope * (-1)^j H_j(x)
    let before = 0;
    let hermite = 1;
    let factorial = 1;
    table[p * TERMS] = erfSeries(x);
    for (let j = 1; j < TERMS; j++) {
      factorial *= j;
      table[p * TERMS + j] = (slope * hermite * (j % 2 === 0 ? -1 : 1)) / factorial;
      const next = 2 * x * hermite - 2 * (j - 1) * before;
      before = hermite;
      hermite = next;
    }
  }
  return table;
})();

/** The error function. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude >= LIMIT) return x > 0 ? 1 : -1;
  if (!(magnitude < LIMIT)) return Number.NaN;
  const p = Math.round(magnitude / STEP);
  const h = magnitude - p * STEP;
  const at = p * TERMS;
  let value = coefficients[at + TERMS - 1]!;
  for (let j = TERMS - 2; j >= 0; j--) value = value * h + coefficients[at + j]!;
  return x < 0 ? -value : value;
}

/** erfc by Laplace's continued fraction, for x >= 1/2; `depth` levels. */
function erfcFraction(x: number, depth: number): number {
  let tail = 0;
  for (let k = depth; k >= 1; k--) tail = k / 2 / (x + tail);
  return Math.exp(-x * x) / ((x + tail) * Math.sqrt(Math.PI));
}

/** erfc at the grid points from 1/2 on, where its Taylor expansion differs from erf's in sign and in the first coefficient only. */
const erfcGrid = Float64Array.from({ length: LIMIT / STEP + 1 }, (_, p) => {
  const x = p * STEP;
  return x < 0.5 ? 1 - erfSeries(x) : erfcFraction(x, Math.ceil(400 / (x * x)) + 40);
});

/** The complementary error function, 1 - erf(x), accurate in the tail. */
export function erfc(x: number): number {
  if (!(x > 0.5)) return 1 - erf(x);
  if (x > 27.3) return 0;
  if (x >= LIMIT) return erfcFraction(x, 24);
  const p = Math.round(x / STEP);
  const h = x - p * STEP;
  const at = p * TERMS;
  let value = coefficients[at + TERMS - 1]!;
  for (let j = TERMS - 2; j >= 1; j--) value = value * h + coefficients[at + j]!;
  return erfcGrid[p]! - value * h;
}
