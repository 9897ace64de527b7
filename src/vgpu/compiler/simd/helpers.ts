/** Vector counterparts of scalar/helpers.ts, four f32 lanes at a time, with the same bits. */

import * as math from '../../math/index.ts';
import { ARENA } from '../arena.ts';
import { type Directed, ex2, type HelperHost, lg2, sumDirected } from '../scalar/helpers.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';

/** Promotes the low or high two lanes of the f32x4 in a local. */
function promote(code: FunctionBuilder, local: number, half: 0 | 1): void {
  code.get(local);
  if (half === 1) code.get(local).shuffle32([2, 3, 2, 3]);
  code.op('f64x2.promote_low_f32x4');
}

/**
 * fma.rm where c is in [2^23, 2^24), the way expf takes the integer part of a product: between there numbers are one
 * apart, so the result is c + floor(a * b). Returns it; where a lane is not of this kind, code goes on after it.
 */
function floorOfProduct(code: FunctionBuilder): void {
  const product = code.local('v128');
  const floor = code.local('v128');
  const sum = code.local('v128');
  const unit = code.local('v128');
  code.get(0).get(1).op('f32x4.mul').tee(product).op('f32x4.floor').set(floor);
  // The product may have been rounded up to an integer: then a * b - floor, rounded once, is negative.
  code.get(0).get(1).get(floor).op('f32x4.neg').op('f32x4.relaxed_madd').splat32(0).op('f32x4.lt');
  code.splat32(0xbf800000).op('v128.and').get(floor).op('f32x4.add').get(2).op('f32x4.add').set(sum);
  // Both in [2^23, 2^24): their bits less those of 2^23 are below 2^23. A negative product may have vanished.
  code.splat32(0x4b000000).set(unit);
  code.get(sum).get(unit).op('i32x4.sub').get(2).get(unit).op('i32x4.sub').op('v128.or').i32(23).op('i32x4.shr_u');
  code.get(product).i32(31).op('i32x4.shr_u').op('v128.or').op('v128.any_true').op('i32.eqz').if();
  code.get(sum).op('return').end();
}

/** fma in a direction: f64 product, sum rounded to odd, demoted to nearest and stepped when on the wrong side. */
export function fusedDirected(host: HelperHost, mode: Directed): FunctionRef {
  const exact = sumDirected(host, mode);
  return host.helper(`fma4.${mode}`, ['v128', 'v128', 'v128'], ['v128'], (code) => {
    const p = code.local('v128');
    const c = code.local('v128');
    const s = code.local('v128');
    const t = code.local('v128');
    const e = code.local('v128');
    const result = code.local('v128');
    const halves = [code.local('v128'), code.local('v128')] as const;
    const odd = code.local('i32');
    if (mode === 'rm' && host.fused) floorOfProduct(code);
    for (const half of [0, 1] as const) {
      promote(code, 0, half);
      promote(code, 1, half);
      code.op('f64x2.mul').set(p);
      promote(code, 2, half);
      code.set(c);
      code.get(p).get(c).op('f64x2.add').tee(s).get(p).op('f64x2.sub').set(t);
      // TwoSum's error, then rounding to odd; where s is zero or not finite, one lane at a time.
      code.get(p).get(s).get(t).op('f64x2.sub').op('f64x2.sub').get(c).get(t).op('f64x2.sub').op('f64x2.add').set(e);
      code.get(e).get(s).op('v128.xor').i32(63).op('i64x2.shr_s').v128([1, 0, 1, 0]).op('v128.or');
      code.get(e).splat32(0).op('f64x2.ne').op('v128.and');
      code.get(s).v128([1, 0, 1, 0]).op('v128.and').splat32(0).op('i64x2.eq').op('v128.and');
      code.get(s).op('i64x2.add').set(halves[half]);
      code
        .get(s)
        .splat32(0)
        .op('f64x2.ne')
        .get(s)
        .get(s)
        .op('f64x2.sub')
        .v128([0, 0, 0, 0])
        .op('f64x2.eq')
        .op('v128.and');
      code.op('i64x2.all_true').op('i32.eqz').get(odd).op('i32.or').set(odd);
    }
    code.get(odd).rarely();
    for (let lane = 0; lane < 4; lane++) {
      if (lane === 0) code.v128([0, 0, 0, 0]).set(result);
      code.get(result);
      code.get(0).lane('f32x4.extract_lane', lane).op('f64.promote_f32');
      code.get(1).lane('f32x4.extract_lane', lane).op('f64.promote_f32').op('f64.mul');
      code.get(2).lane('f32x4.extract_lane', lane).op('f64.promote_f32').call(exact);
      code.lane('f32x4.replace_lane', lane).set(result);
    }
    code.get(result).op('return').end();
    // Demote, then step the lanes that lie on the wrong side.
    const wrong = code.local('v128');
    const bits = code.local('v128');
    code.get(halves[0]).op('f32x4.demote_f64x2_zero').get(halves[1]).op('f32x4.demote_f64x2_zero');
    code.shuffle32([0, 1, 4, 5]).set(result);
    const compare = (half: 0 | 1): void => {
      promote(code, result, half);
      code.get(halves[half]);
      if (mode === 'rm') code.op('f64x2.gt');
      else if (mode === 'rp') code.op('f64x2.lt');
      else {
        // Towards zero: magnitude too great.
        code.op('f64x2.abs').set(t).op('f64x2.abs').get(t).op('f64x2.gt');
      }
    };
    compare(0);
    compare(1);
    code.shuffle32([0, 2, 4, 6]).set(wrong);
    // Down: magnitude bits minus one when positive, plus one when negative. A zero is exact and never stepped.
    code.get(result).i32(31).op('i32x4.shr_s').splat32(1).op('v128.or').set(bits);
    if (mode === 'rz') code.splat32(1).set(bits);
    code.get(result).get(bits);
    code.get(wrong).op('v128.and');
    code.op(mode === 'rp' ? 'i32x4.add' : 'i32x4.sub');
  });
}

const splat64 = (code: FunctionBuilder, value: number): void => {
  code.f64(value).op('f64x2.splat');
};

/** ex2.approx of four lanes without .ftz; one lane at a time where any is doubtful or outside [-126, 128). */
export function ex2Vector(host: HelperHost): FunctionRef {
  const single = ex2(host);
  return host.helper('ex2x4', ['v128'], ['v128'], (code) => {
    const whole = code.local('v128');
    const r = [code.local('v128'), code.local('v128')] as const;
    const coefficient = code.local('v128');
    const arena = code.local('i32');
    const fraction = code.local('v128');
    const scale = code.local('v128');
    const values = [code.local('v128'), code.local('v128')] as const;
    const doubt = code.local('v128');
    code.get(0).splat32(0xc2fc0000).op('f32x4.ge').get(0).splat32(0x43000000).op('f32x4.lt').op('v128.and');
    code.op('i32x4.all_true').if();
    code.get(0).get(0).op('f32x4.nearest').tee(whole).op('f32x4.sub').set(fraction);
    code.get(whole).op('i32x4.trunc_sat_f32x4_s').splat32(1023).op('i32x4.add').set(scale);
    code.globalGet(host.arena).set(arena);
    const term = (k: number): void => {
      code.get(arena).memory('v128.load64_splat', ARENA.constants + 8 * k, 3);
    };
    promote(code, fraction, 0);
    code.set(r[0]);
    promote(code, fraction, 1);
    code.set(r[1]);
    term(10);
    code.tee(values[0]).set(values[1]);
    for (let k = 9; k >= 0; k--) {
      term(k);
      code.set(coefficient);
      for (const half of [0, 1] as const) {
        // Fused or not makes no difference that the margin below does not cover.
        code.get(values[half]).get(r[half]);
        if (!host.fused) code.op('f64x2.mul');
        code.get(coefficient);
        code.op(host.fused ? 'f64x2.relaxed_madd' : 'f64x2.add').set(values[half]);
      }
    }
    for (const half of [0, 1] as const) {
      code.get(values[half]).get(scale);
      code
        .op(half === 0 ? 'i64x2.extend_low_i32x4_u' : 'i64x2.extend_high_i32x4_u')
        .i32(52)
        .op('i64x2.shl');
      code.op('f64x2.mul').set(values[half]);
    }
    pushDoubtful(code, values);
    code.set(doubt);
    code.get(doubt).op('v128.any_true').op('i32.eqz').if();
    code
      .get(values[0])
      .op('f32x4.demote_f64x2_zero')
      .get(values[1])
      .op('f32x4.demote_f64x2_zero')
      .shuffle32([0, 1, 4, 5]);
    code.op('return').end().end();
    pushSingly(code, single);
  });
}

/** A mask of 32-bit lanes whose f64 lies within 2^14 units of a midpoint between two f32. */
function pushDoubtful(code: FunctionBuilder, values: readonly [number, number]): void {
  const margin = 1 << 14;
  code.get(values[0]).get(values[1]).shuffle32([0, 2, 4, 6]).splat32(0x1fffffff).op('v128.and');
  code
    .splat32(0x10000000 - margin)
    .op('i32x4.sub')
    .splat32(2 * margin)
    .op('i32x4.lt_u');
}

function pushSingly(code: FunctionBuilder, single: FunctionRef): void {
  const result = code.local('v128');
  for (let lane = 0; lane < 4; lane++) {
    code.get(result).get(0).lane('f32x4.extract_lane', lane).call(single).lane('f32x4.replace_lane', lane).set(result);
  }
  code.get(result);
}

/** lg2.approx of four lanes without .ftz. */
export function lg2Vector(host: HelperHost): FunctionRef {
  const single = lg2(host);
  return host.helper('lg2x4', ['v128'], ['v128'], (code) => {
    pushSingly(code, single);
  });
}

/** 1 / sqrt of four lanes, through f64 as `math.rsqrtApprox`. */
export function rsqrtVector(host: HelperHost): FunctionRef {
  return host.helper('rsqrtx4', ['v128'], ['v128'], (code) => {
    for (const half of [0, 1] as const) {
      splat64(code, 1);
      promote(code, 0, half);
      code.op('f64x2.sqrt').op('f64x2.div').op('f32x4.demote_f64x2_zero');
    }
    code.shuffle32([0, 1, 4, 5]);
  });
}

/** div.approx of four lanes without .ftz: see `math.divApprox`. */
export function divApproxVector(host: HelperHost): FunctionRef {
  const exact = host.importMath('divApprox', (x: number, y: number) => math.divApprox(x, y), ['f32', 'f32'], 'f32');
  return host.helper('divApproxx4', ['v128', 'v128'], ['v128'], (code) => {
    const result = code.local('v128');
    // |b| up to 2^126, NaN and infinity divide plainly; what lies between is rare.
    code.get(1).op('f32x4.abs').splat32(0x7e800000).op('f32x4.gt').op('v128.any_true').rarely();
    for (let lane = 0; lane < 4; lane++) {
      code.get(result).get(0).lane('f32x4.extract_lane', lane).get(1).lane('f32x4.extract_lane', lane).call(exact);
      code.lane('f32x4.replace_lane', lane).set(result);
    }
    code.get(result).op('return').end();
    code.get(0).get(1).op('f32x4.div');
  });
}
