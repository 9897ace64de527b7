/**
 * Functions in WebAssembly that emitted code calls: directed rounding, fused multiply-add where the engine has none,
 * ex2 and lg2. Each agrees bit for bit with its namesake in `math`; where it cannot be sure, it calls that.
 */
import * as math from '../../math/index.ts';
import type { FunctionBuilder, FunctionRef, ValueType } from '../wasm/encoder.ts';

/** What helpers need of the module they are made in. */
export interface HelperHost {
  /** Relaxed multiply-add rounds once. */
  readonly fused: boolean;
  /** The helper of this name, built at its first use. */
  helper(
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
    build: (code: FunctionBuilder) => void,
  ): FunctionRef;
  importMath(
    name: string,
    f: (...args: never[]) => number | bigint,
    params: readonly ValueType[],
    result: ValueType,
  ): FunctionRef;
  /** i32 global: offset of the arena. */
  readonly arena: number;
}

export type Directed = 'rz' | 'rm' | 'rp';

/** f64 to f32 in a direction: demote, then one step when the result lies on the wrong side. */
export function demoteDirected(host: HelperHost, mode: Directed): FunctionRef {
  return host.helper(`demote.${mode}`, ['f64'], ['f32'], (code) => {
    const result = code.local('f32');
    const bits = code.local('i32');
    const step = (up: boolean): void => {
      // Neighbours of zero are the least subnormals; elsewhere magnitude bits move by one.
      code.get(result).op('i32.reinterpret_f32').set(bits);
      code.i32(up ? 1 : -0x7fffffff).get(bits);
      code
        .i32(up ? -1 : 1)
        .i32(up ? 1 : -1)
        .get(bits)
        .i32(0)
        .op('i32.lt_s')
        .op('select')
        .op('i32.add');
      code.get(result).f32(0).op('f32.eq').op('select').op('f32.reinterpret_i32').set(result);
    };
    const above = (): void => {
      code.get(result).op('f64.promote_f32').get(0).op('f64.gt');
    };
    const below = (): void => {
      code.get(result).op('f64.promote_f32').get(0).op('f64.lt');
    };
    code.get(0).op('f32.demote_f64').set(result);
    if (mode === 'rm') {
      above();
      code.if();
      step(false);
      code.end();
    } else if (mode === 'rp') {
      below();
      code.if();
      step(true);
      code.end();
    } else {
      code.get(0).f64(0).op('f64.gt').if();
      above();
      code.if();
      step(false);
      code.end().else();
      below();
      code.if();
      step(true);
      code.end().end();
    }
    code.get(result);
  });
}

/** p + c, both f64 and p an exact product or operand, rounded once to f32: see `sumToF32` in math/float32.ts. */
export function sumDirected(host: HelperHost, mode: Directed): FunctionRef {
  return host.helper(`sum.${mode}`, ['f64', 'f64'], ['f32'], (code) => {
    const [p, c] = [0, 1];
    const s = code.local('f64');
    const t = code.local('f64');
    const e = code.local('f64');
    const bits = code.local('i64');
    code.get(p).get(c).op('f64.add').tee(s).f64(0).op('f64.eq').if();
    if (mode === 'rm') {
      // An exact zero is negative unless both terms are +0.
      code.f32(-0).get(s).op('f32.demote_f64');
      code
        .get(p)
        .op('i64.reinterpret_f64')
        .get(c)
        .op('i64.reinterpret_f64')
        .op('i64.or')
        .i64(0n)
        .op('i64.ne')
        .op('select');
    } else code.get(s).op('f32.demote_f64');
    code.op('return').end();
    code.get(s).op('f64.abs').f64(Number.POSITIVE_INFINITY).op('f64.lt').op('i32.eqz').if();
    code.get(s).op('f32.demote_f64').op('return').end();
    // TwoSum, then round to odd: an inexact even significand moves one step towards the error.
    code.get(s).get(p).op('f64.sub').set(t);
    code.get(p).get(s).get(t).op('f64.sub').op('f64.sub').get(c).get(t).op('f64.sub').op('f64.add').set(e);
    code.get(s).op('i64.reinterpret_f64').set(bits);
    code.get(e).f64(0).op('f64.ne').get(bits).op('i32.wrap_i64').i32(1).op('i32.and').op('i32.eqz').op('i32.and').if();
    code.i64(1n).i64(-1n).get(e).f64(0).op('f64.gt').get(s).f64(0).op('f64.gt').op('i32.eq').op('select');
    code.get(bits).op('i64.add').op('f64.reinterpret_i64').set(s).end();
    code.get(s).call(demoteDirected(host, mode));
  });
}

/** fma.rn.f32 where the engine's relaxed multiply-add is not fused: f64, with the rare double rounding put right. */
export function fusedByF64(host: HelperHost): FunctionRef {
  const exact = host.importMath('fma32', math.fma32, ['f32', 'f32', 'f32'], 'f32');
  return host.helper('fma32', ['f32', 'f32', 'f32'], ['f32'], (code) => {
    const s = code.local('f64');
    const d = code.local('f64');
    const t = code.local('f64');
    const r = code.local('f32');
    code.get(0).op('f64.promote_f32').get(1).op('f64.promote_f32').op('f64.mul').get(2).op('f64.promote_f32');
    code.op('f64.add').tee(s).op('f32.demote_f64').set(r);
    code.get(s).get(r).op('f64.promote_f32').op('f64.sub').tee(d).f64(0).op('f64.ne').if();
    code.get(s).get(d).op('f64.add').tee(t).op('f32.demote_f64').op('f64.promote_f32').get(t).op('f64.eq').if();
    code.get(0).get(1).get(2).call(exact).op('return').end().end();
    code.get(r);
  });
}

/** Upper 64 bits of a 64 x 64 bit product. */
export function mulHigh64(host: HelperHost, signed: boolean): FunctionRef {
  return host.helper(`mulhi64.${signed ? 's' : 'u'}`, ['i64', 'i64'], ['i64'], (code) => {
    const [al, ah, bl, bh, middle] = [0, 0, 0, 0, 0].map(() => code.local('i64')) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const low = 0xffffffffn;
    for (const [operand, lo, hi] of [
      [0, al, ah],
      [1, bl, bh],
    ] as const)
      code.get(operand).i64(low).op('i64.and').set(lo).get(operand).i64(32n).op('i64.shr_u').set(hi);
    // middle = ah * bl + (al * bl >> 32); then its low half plus al * bh carries on.
    code.get(ah).get(bl).op('i64.mul').get(al).get(bl).op('i64.mul').i64(32n).op('i64.shr_u').op('i64.add').set(middle);
    code.get(ah).get(bh).op('i64.mul').get(middle).i64(32n).op('i64.shr_u').op('i64.add');
    code
      .get(al)
      .get(bh)
      .op('i64.mul')
      .get(middle)
      .i64(low)
      .op('i64.and')
      .op('i64.add')
      .i64(32n)
      .op('i64.shr_u')
      .op('i64.add');
    if (signed) {
      // Signed high word: minus b for negative a, minus a for negative b.
      code.get(1).get(0).i64(63n).op('i64.shr_s').op('i64.and').op('i64.sub');
      code.get(0).get(1).i64(63n).op('i64.shr_s').op('i64.and').op('i64.sub');
    }
  });
}

/**
 * The f64 in local `value`, if it lies so near a midpoint of two f32 (or in their subnormal range) that an error of
 * 2^-40 could change its rounding, must be computed by `math`: leaves 1 on the stack then.
 * 0x1fffffff covers the 29 bits that demotion drops; a midpoint is 0x10000000; the margin of 2^14 is 2^-38 relative.
 */
function pushDoubtful(code: FunctionBuilder, value: number): void {
  const margin = 1 << 14;
  code.get(value).op('i64.reinterpret_f64').op('i32.wrap_i64').i32(0x1fffffff).op('i32.and');
  code
    .i32(0x10000000 - margin)
    .op('i32.sub')
    .i32(2 * margin)
    .op('i32.lt_u');
  code
    .get(value)
    .op('f64.abs')
    .f64(2 ** -126)
    .op('f64.lt')
    .op('i32.or');
}

/** Coefficients of 2^r = sum (ln 2)^k / k! r^k, |r| <= 1/2; the terms left out are below 2^-42. */
const EX2_TERMS: readonly number[] = (() => {
  const terms = [1];
  for (let k = 1; k <= 10; k++) terms.push((terms[k - 1]! * Math.LN2) / k);
  return terms;
})();

/** ex2.approx.f32 without .ftz: equal to `math.ex2Approx(a)`. */
export function ex2(host: HelperHost): FunctionRef {
  const exact = host.importMath('ex2', (a: number) => math.ex2Approx(a), ['f32'], 'f32');
  return host.helper('ex2', ['f32'], ['f32'], (code) => {
    const whole = code.local('f32');
    const r = code.local('f64');
    const v = code.local('f64');
    // Outside [-126, 128) results are zero, subnormal, infinite or NaN: rare.
    code.get(0).f32(-126).op('f32.ge').get(0).f32(128).op('f32.lt').op('i32.and').op('i32.eqz').if();
    code.get(0).call(exact).op('return').end();
    code.get(0).get(0).op('f32.nearest').tee(whole).op('f32.sub').op('f64.promote_f32').set(r);
    code.f64(EX2_TERMS[10]!);
    for (let k = 9; k >= 0; k--) code.get(r).op('f64.mul').f64(EX2_TERMS[k]!).op('f64.add');
    // Times 2^whole, by the exponent field.
    code.get(whole).op('i32.trunc_sat_f32_s').i32(1023).op('i32.add').op('i64.extend_i32_u').i64(52n).op('i64.shl');
    code.op('f64.reinterpret_i64').op('f64.mul').set(v);
    pushDoubtful(code, v);
    code.if();
    code.get(0).call(exact).op('return').end();
    code.get(v).op('f32.demote_f64');
  });
}

/** lg2.approx.f32 without .ftz: equal to `math.lg2Approx(a)`. */
export function lg2(host: HelperHost): FunctionRef {
  const exact = host.importMath('lg2', (a: number) => math.lg2Approx(a), ['f32'], 'f32');
  return host.helper('lg2', ['f32'], ['f32'], (code) => {
    const bits = code.local('i32');
    const exponent = code.local('i32');
    const m = code.local('f64');
    const s = code.local('f64');
    const z = code.local('f64');
    const v = code.local('f64');
    code.get(0).op('i32.reinterpret_f32').set(bits);
    // Only positive normal operands here.
    code.get(bits).i32(0x00800000).op('i32.sub').i32(0x7f000000).op('i32.ge_u').if();
    code.get(0).call(exact).op('return').end();
    // x = m 2^exponent with m in [sqrt(1/2), sqrt 2): the constant is the bits of sqrt(1/2).
    code.get(bits).i32(0x3f3504f3).op('i32.sub').i32(23).op('i32.shr_s').set(exponent);
    code
      .get(bits)
      .get(exponent)
      .i32(23)
      .op('i32.shl')
      .op('i32.sub')
      .op('f32.reinterpret_i32')
      .op('f64.promote_f32')
      .set(m);
    // log2 m = 2 / ln 2 * atanh s, s = (m - 1) / (m + 1), |s| < 0.172; the first term left out is 2^-44 relative.
    code.get(m).f64(1).op('f64.sub').get(m).f64(1).op('f64.add').op('f64.div').tee(s).get(s).op('f64.mul').set(z);
    code.f64(1 / 15);
    for (let k = 13; k >= 1; k -= 2)
      code
        .get(z)
        .op('f64.mul')
        .f64(1 / k)
        .op('f64.add');
    code
      .get(s)
      .op('f64.mul')
      .f64(2 / Math.LN2)
      .op('f64.mul');
    code.get(exponent).op('f64.convert_i32_s').op('f64.add').set(v);
    pushDoubtful(code, v);
    code.if();
    code.get(0).call(exact).op('return').end();
    code.get(v).op('f32.demote_f64');
  });
}
