/**
 * Student's t distribution: quantiles for intervals of means of few processes. The distribution function is the regularised
 * incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated by Lentz's method); its inverse is bisection.
 */

/** ln of the gamma function, x > 0 (Lanczos, g = 7, 9 terms; relative error under 1e-13). */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  let sum = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) sum += coefficients[i]! / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Regularised incomplete beta function I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side only.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x) - Math.log(a),
  );
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / Math.max(Math.abs(1 - ((a + b) * x) / (a + 1)), tiny);
  let fraction = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** P(T > t) for t >= 0 and Student's t with `freedom` degrees of freedom. */
export function studentTail(t: number, freedom: number): number {
  const square = t * t;
  // Near the middle the first form would lose t in 1 - t^2; in the tail the second would lose the tail in 1 - P.
  if (t < 0.5) return 0.5 - 0.5 * incompleteBeta(square / (freedom + square), 0.5, freedom / 2);
  return 0.5 * incompleteBeta(freedom / (freedom + square), freedom / 2, 0.5);
}

const kept = new Map<string, number>();

/**
 * The t that a Student variable exceeds with probability `tail`.
 * @throws RangeError unless 0 < tail <= 0.5 and freedom >= 1.
 */
export function studentQuantile(tail: number, freedom: number): number {
  if (!(tail > 0 && tail <= 0.5 && freedom >= 1)) {
    throw new RangeError(`No quantile of Student's t for a tail of ${tail} with ${freedom} degrees of freedom.`);
  }
  const key = `${tail} ${freedom}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  let [low, high] = [0, 1];
  while (studentTail(high, freedom) > tail) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-13 * high; i++) {
    const middle = (low + high) / 2;
    if (studentTail(middle, freedom) > tail) low = middle;
    else high = middle;
  }
  kept.set(key, high);
  return high;
}
