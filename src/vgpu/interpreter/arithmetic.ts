/** Value computations: which function of `vgpu/math` an arithmetic instruction is, and its step. */
import * as math from '../math/index.ts';
import { type Arithmetic, isFloat, isSigned, type PtxFunction, type PtxType, TYPE_BYTES } from '../ptx/ir.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import { type AnyLaneFunction, type LaneOperation, laneStep, type Step } from './lane-loops.ts';
import { carryStep, wideStep } from './wide.ts';

type N1 = (a: number) => number;
type N2 = (a: number, b: number) => number;
type N3 = (a: number, b: number, c: number) => number;

/** The step of one arithmetic instruction; throws a PtxError for a combination that has no meaning. */
export function arithmeticStep(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step {
  if (i.type === 'pred') return predicateLogic(asm, fn, i);
  if (i.op === 'testp') return testProperty(asm, fn, i);
  if (i.carryOut || i.op === 'addc' || i.op === 'subc' || i.op === 'madc') return carryStep(asm, fn, i);
  const wide = wideStep(asm, fn, i);
  if (wide !== undefined) return wide;
  const operation = operationOf(i);
  if (operation === undefined) throw asm.error(i, `${i.op} on ${i.type} is not supported in this form`);
  const types = sourceTypes(i);
  const src = i.src.map((operand, index) => asm.source(fn, operand, types[index] ?? i.type, i));
  const dst = asm.result(fn, i.dst[0], resultType(i), i);
  return laneStep(asm.file, operation, dst, src);
}

function resultType(i: Arithmetic): PtxType {
  if (i.half === 'wide') return TYPE_BYTES[i.type] === 2 ? 'u32' : 'u64';
  if (i.op === 'popc' || i.op === 'clz' || i.op === 'bfind') return 'u32';
  return i.type;
}

/** Types of sources that differ from the instruction's own. */
function sourceTypes(i: Arithmetic): readonly (PtxType | undefined)[] {
  switch (i.op) {
    case 'shl':
    case 'shr':
      return [i.type, 'u32'];
    case 'bfe':
      return [i.type, 'u32', 'u32'];
    case 'bfi':
      return [i.type, i.type, 'u32', 'u32'];
    case 'mad':
      return i.half === 'wide' ? [i.type, i.type, resultType(i)] : [];
    default:
      return [];
  }
}

function operation(signature: string, f: AnyLaneFunction | N1 | N2 | N3): LaneOperation {
  return { signature, f: f as AnyLaneFunction };
}

function operationOf(i: Arithmetic): LaneOperation | undefined {
  const { type } = i;
  if (type === 'f32') return floatOperation(i);
  if (type === 'f64') return doubleOperation(i);
  if (type === 'f16' || type === 'bf16') return halfOperation(i, type, false);
  if (type === 'f16x2' || type === 'bf16x2') return halfOperation(i, type === 'f16x2' ? 'f16' : 'bf16', true);
  if (isFloat(type)) return undefined;
  if (type === 'u16x2' || type === 's16x2') return packedInteger(i);
  const bytes = TYPE_BYTES[type];
  return bytes === 8 ? integer64(i) : bytes === 4 ? integer32(i) : bytes === 2 ? integer16(i) : undefined;
}

function floatOperation(i: Arithmetic): LaneOperation | undefined {
  const { ftz, sat, approx } = i;
  const rounding = i.rounding as math.Rounding | undefined;
  switch (i.op) {
    case 'add':
    case 'sub':
    case 'mul':
      return operation('f=ff', math.binary32(i.op, { rounding, ftz, sat }));
    case 'mad':
    case 'fma':
      return operation('f=fff', math.ternary32({ rounding, ftz, sat }));
    case 'div':
      if (approx) return operation('f=ff', (a: number, b: number) => math.divApprox(a, b, ftz));
      if (i.full) return operation('f=ff', (a: number, b: number) => math.divFull(a, b, ftz));
      return operation('f=ff', math.binary32('div', { rounding, ftz }));
    case 'abs':
      return operation('f=f', (a: number) => math.abs32(a, ftz));
    case 'neg':
      return operation('f=f', (a: number) => math.neg32(a, ftz));
    case 'min':
    case 'max':
      return operation('f=ff', math.minMaxFunction(i.op, { ftz, nan: i.nan, xorsignAbs: i.xorsignAbs }));
    case 'copysign':
      return operation('f=ff', math.copysign);
    case 'sqrt':
      if (approx) return operation('f=f', (a: number) => math.sqrtApprox(a, ftz));
      return operation('f=f', math.unary32('sqrt', { rounding, ftz }));
    case 'rcp':
      if (approx) return operation('f=f', (a: number) => math.rcpApprox(a, ftz));
      return operation('f=f', math.unary32('rcp', { rounding, ftz }));
    case 'rsqrt':
      return operation('f=f', (a: number) => math.rsqrtApprox(a, ftz));
    case 'ex2':
      return operation('f=f', (a: number) => math.ex2Approx(a, ftz));
    case 'lg2':
      return operation('f=f', (a: number) => math.lg2Approx(a, ftz));
    case 'sin':
      return operation('f=f', (a: number) => math.sinApprox(a, ftz));
    case 'cos':
      return operation('f=f', (a: number) => math.cosApprox(a, ftz));
    case 'tanh':
      return operation('f=f', (a: number) => math.tanhApprox(a));
    default:
      return undefined;
  }
}

function doubleOperation(i: Arithmetic): LaneOperation | undefined {
  const mode = (i.rounding ?? 'rn') as math.Rounding;
  switch (i.op) {
    case 'add':
      return operation('d=dd', (a: number, b: number) => math.add64(a, b, mode));
    case 'sub':
      return operation('d=dd', (a: number, b: number) => math.sub64(a, b, mode));
    case 'mul':
      return operation('d=dd', (a: number, b: number) => math.mul64(a, b, mode));
    case 'div':
      return operation('d=dd', (a: number, b: number) => math.div64(a, b, mode));
    case 'mad':
    case 'fma':
      return operation('d=ddd', (a: number, b: number, c: number) => math.fma64(a, b, c, mode));
    case 'abs':
      return operation('d=d', (a: number) => Math.abs(a));
    case 'neg':
      return operation('d=d', (a: number) => -a);
    case 'min':
    case 'max':
      return operation('d=dd', math.minMaxFunction(i.op));
    case 'copysign':
      return operation('d=dd', math.copysign);
    case 'sqrt':
      return operation('d=d', (a: number) => math.sqrt64(a, mode));
    case 'rcp':
      return i.approx ? operation('d=d', math.rcpApproxF64) : operation('d=d', (a: number) => math.rcp64(a, mode));
    case 'rsqrt':
      return operation('d=d', i.ftz ? math.rsqrtApproxF64Ftz : math.rsqrtApproxF64);
    default:
      return undefined;
  }
}

function halfOperation(i: Arithmetic, type: math.HalfType, packed: boolean): LaneOperation | undefined {
  const { ftz, sat, relu } = i;
  const one = (f: N1): LaneOperation => operation('i=i', packed ? math.packed1(f) : f);
  const two = (f: N2): LaneOperation => operation('i=ii', packed ? math.packed2(f) : f);
  switch (i.op) {
    case 'add':
    case 'sub':
    case 'mul':
      return two(math.binaryHalf(i.op, type, { ftz, sat }));
    case 'fma': {
      const f = math.fmaHalf(type, { ftz, sat, relu });
      return operation('i=iii', packed ? math.packed3(f) : f);
    }
    case 'min':
    case 'max':
      return two(math.minMaxHalf(i.op, type, { ftz, nan: i.nan, xorsignAbs: i.xorsignAbs }));
    case 'abs':
      return one((a) => math.absHalf(a, type, ftz));
    case 'neg':
      return one((a) => math.negHalf(a, type, ftz));
    case 'ex2':
      return one(type === 'f16' ? math.ex2F16 : math.ex2Bf16);
    case 'tanh':
      return one(type === 'f16' ? math.tanhF16 : math.tanhBf16);
    default:
      return undefined;
  }
}

function packedInteger(i: Arithmetic): LaneOperation | undefined {
  const signed = i.type === 's16x2';
  switch (i.op) {
    case 'add':
      return operation(
        'i=ii',
        math.packed2((a, b) => (a + b) & 0xffff),
      );
    case 'min':
      return operation('i=ii', math.packed2(signed ? (a, b) => math.minS16(a, b, i.relu) : math.minU16));
    case 'max':
      return operation('i=ii', math.packed2(signed ? (a, b) => math.maxS16(a, b, i.relu) : math.maxU16));
    default:
      return undefined;
  }
}

/** Signed and unsigned (or only) functions of 32-bit operations that need no modifier. */
const INTEGER_32: Readonly<
  Record<string, readonly [signature: string, unsigned: N1 | N2 | N3, signed?: N1 | N2 | N3]>
> = {
  sub: ['i=ii', (a: number, b: number) => (a - b) | 0],
  and: ['i=ii', (a: number, b: number) => a & b],
  or: ['i=ii', (a: number, b: number) => a | b],
  xor: ['i=ii', (a: number, b: number) => a ^ b],
  not: ['i=i', (a: number) => ~a],
  cnot: ['i=i', math.cnot],
  'mul.lo': ['i=ii', Math.imul],
  'mul.hi': ['i=ii', math.mulHiU32, math.mulHiS32],
  'mad.lo': ['i=iii', math.madLo32],
  'mad.hi': ['i=iii', math.madHiU32, math.madHiS32],
  'mul24.lo': ['i=ii', math.mul24LoU32, math.mul24LoS32],
  'mul24.hi': ['i=ii', math.mul24HiU32, math.mul24HiS32],
  'mad24.lo': [
    'i=iii',
    (a: number, b: number, c: number) => (math.mul24LoU32(a, b) + c) | 0,
    (a: number, b: number, c: number) => (math.mul24LoS32(a, b) + c) | 0,
  ],
  'mad24.hi': [
    'i=iii',
    (a: number, b: number, c: number) => (math.mul24HiU32(a, b) + c) | 0,
    (a: number, b: number, c: number) => (math.mul24HiS32(a, b) + c) | 0,
  ],
  div: ['i=ii', math.divU32, math.divS32],
  rem: ['i=ii', math.remU32, math.remS32],
  sad: ['i=iii', math.sadU32, math.sadS32],
  abs: ['i=i', math.absS32],
  neg: ['i=i', math.negS32],
  shl: ['i=ii', math.shl32],
  shr: ['i=ii', math.shrU32, math.shrS32],
  popc: ['i=i', math.popc32],
  clz: ['i=i', math.clz32],
  brev: ['i=i', math.brev32],
  bfe: ['i=iii', math.bfeU32, math.bfeS32],
  fns: ['i=iii', math.fns],
};

function integer32(i: Arithmetic): LaneOperation | undefined {
  const signed = isSigned(i.type);
  const mode = (i.variant?.split('.').at(-1) ?? 'clamp') as math.ShiftMode;
  switch (i.op) {
    case 'add':
      return operation('i=ii', i.sat ? math.addSatS32 : (a: number, b: number) => (a + b) | 0);
    case 'min':
      return operation('i=ii', signed ? (a: number, b: number) => math.minS32(a, b, i.relu) : math.minU32);
    case 'max':
      return operation('i=ii', signed ? (a: number, b: number) => math.maxS32(a, b, i.relu) : math.maxU32);
    case 'bfi':
      return operation('i=iiii', math.bfi32 as unknown as AnyLaneFunction);
    case 'lop3':
      return operation('i=iiii', math.lop3 as unknown as AnyLaneFunction);
    case 'shf': {
      const f = i.variant?.startsWith('l.') === true ? math.shfL : math.shfR;
      return operation('i=iii', (a: number, b: number, c: number) => f(a, b, c, mode));
    }
    case 'prmt': {
      const permute = i.variant as math.PermuteMode | undefined;
      return operation('i=iii', (a: number, b: number, c: number) => math.prmt(a, b, c, permute));
    }
    case 'bfind': {
      const shiftamt = i.variant === 'shiftamt';
      return operation('i=i', (a: number) => math.bfind32(a, signed, shiftamt));
    }
    case 'bmsk':
      return operation('i=ii', (a: number, b: number) => math.bmsk(a, b, mode));
    case 'szext':
      return operation('i=ii', (a: number, b: number) => math.szext(a, b, signed, mode));
    case 'dp4a': {
      const second = isSigned(i.secondType ?? 'u32');
      return operation('i=iii', (a: number, b: number, c: number) => math.dp4a(a, b, c, signed, second));
    }
    case 'vabsdiff4': {
      const second = isSigned(i.secondType ?? 'u32');
      return operation('i=iii', (a: number, b: number, c: number) => math.absoluteDifference4(a, b, c, signed, second));
    }
    case 'dp2a': {
      const second = isSigned(i.secondType ?? 'u32');
      const half = i.half === 'hi' ? 'hi' : 'lo';
      return operation('i=iii', (a: number, b: number, c: number) => math.dp2a(a, b, c, signed, second, half));
    }
    case 'sub':
      if (i.sat) return operation('i=ii', math.subSatS32);
      break;
    case 'mad':
      if (i.sat) return operation('i=iii', (a: number, b: number, c: number) => math.madHiS32(a, b, c, true));
      break;
  }
  const row = INTEGER_32[i.half === undefined ? i.op : `${i.op}.${i.half}`];
  if (row === undefined) return undefined;
  return operation(row[0], (signed ? row[2] : undefined) ?? row[1]);
}

const INTEGER_16: Readonly<
  Record<string, readonly [signature: string, unsigned: N1 | N2 | N3, signed?: N1 | N2 | N3]>
> = {
  add: ['i=ii', (a: number, b: number) => (a + b) & 0xffff],
  sub: ['i=ii', (a: number, b: number) => (a - b) & 0xffff],
  and: ['i=ii', (a: number, b: number) => a & b & 0xffff],
  or: ['i=ii', (a: number, b: number) => (a | b) & 0xffff],
  xor: ['i=ii', (a: number, b: number) => (a ^ b) & 0xffff],
  not: ['i=i', (a: number) => ~a & 0xffff],
  cnot: ['i=i', (a: number) => math.cnot(a & 0xffff)],
  'mul.lo': ['i=ii', (a: number, b: number) => Math.imul(a, b) & 0xffff],
  'mul.hi': ['i=ii', math.mulHiU16, math.mulHiS16],
  'mul.wide': ['i=ii', math.mulWideU16, math.mulWideS16],
  'mad.lo': ['i=iii', (a: number, b: number, c: number) => (Math.imul(a, b) + c) & 0xffff],
  'mad.hi': [
    'i=iii',
    (a: number, b: number, c: number) => (math.mulHiU16(a, b) + c) & 0xffff,
    (a: number, b: number, c: number) => (math.mulHiS16(a, b) + c) & 0xffff,
  ],
  'mad.wide': [
    'i=iii',
    (a: number, b: number, c: number) => (math.mulWideU16(a, b) + c) | 0,
    (a: number, b: number, c: number) => (math.mulWideS16(a, b) + c) | 0,
  ],
  div: ['i=ii', math.divU16, math.divS16],
  rem: ['i=ii', math.remU16, math.remS16],
  sad: ['i=iii', math.sadU16, math.sadS16],
  min: ['i=ii', math.minU16, math.minS16],
  max: ['i=ii', math.maxU16, math.maxS16],
  abs: ['i=i', math.absS16],
  neg: ['i=i', math.negS16],
  shl: ['i=ii', math.shl16],
  shr: ['i=ii', math.shrU16, math.shrS16],
};

function integer16(i: Arithmetic): LaneOperation | undefined {
  const row = INTEGER_16[i.half === undefined ? i.op : `${i.op}.${i.half}`];
  return row && operation(row[0], (isSigned(i.type) ? row[2] : undefined) ?? row[1]);
}

type L = bigint;
const INTEGER_64: Readonly<
  Record<string, readonly [signature: string, unsigned: AnyLaneFunction, signed?: AnyLaneFunction]>
> = {
  add: ['l=ll', math.add64i],
  sub: ['l=ll', math.sub64i],
  and: ['l=ll', (a: L, b: L) => a & b],
  or: ['l=ll', (a: L, b: L) => a | b],
  xor: ['l=ll', (a: L, b: L) => a ^ b],
  not: ['l=l', math.not64],
  cnot: ['l=l', (a: L) => (a === 0n ? 1n : 0n)],
  'mul.lo': ['l=ll', math.mulLo64],
  'mul.hi': ['l=ll', math.mulHiU64, math.mulHiS64],
  'mad.lo': ['l=lll', math.madLo64],
  'mad.hi': ['l=lll', (a: L, b: L, c: L) => math.mulHiU64(a, b) + c, (a: L, b: L, c: L) => math.mulHiS64(a, b) + c],
  div: ['l=ll', math.divU64, math.divS64],
  rem: ['l=ll', math.remU64, math.remS64],
  sad: ['l=lll', math.sadU64, math.sadS64],
  min: ['l=ll', math.minU64, math.minS64],
  max: ['l=ll', math.maxU64, math.maxS64],
  abs: ['l=l', math.absS64],
  neg: ['l=l', math.negS64],
  shl: ['l=li', math.shl64],
  shr: ['l=li', math.shrU64, math.shrS64],
  popc: ['i=l', math.popc64],
  clz: ['i=l', math.clz64],
  brev: ['l=l', math.brev64],
  bfe: ['l=lii', math.bfeU64, math.bfeS64],
  bfi: ['l=llii', math.bfi64],
};

function integer64(i: Arithmetic): LaneOperation | undefined {
  if (i.op === 'bfind') {
    const signed = isSigned(i.type);
    const shiftamt = i.variant === 'shiftamt';
    return operation('i=l', ((a: L) => math.bfind64(a, signed, shiftamt)) as AnyLaneFunction);
  }
  const row = INTEGER_64[i.half === undefined ? i.op : `${i.op}.${i.half}`];
  return row && operation(row[0], (isSigned(i.type) ? row[2] : undefined) ?? row[1]);
}

/** and, or, xor, not on predicates: mask words of a whole warp at once. */
function predicateLogic(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step {
  const dst = asm.predicateResult(fn, i.dst[0], i);
  const a = asm.predicate(fn, i.src[0]!, i);
  const b = i.src[1] === undefined ? a : asm.predicate(fn, i.src[1], i);
  const { op } = i;
  return (warp, mask) => {
    const p = warp.predicates;
    const x = lanesWhere(p, a);
    const y = lanesWhere(p, b);
    const value = op === 'and' ? x & y : op === 'or' ? x | y : op === 'xor' ? x ^ y : ~x;
    p[dst] = (p[dst]! & ~mask) | (value & mask);
  };
}

const MIN_NORMAL: Readonly<Record<string, number>> = { f32: 2 ** -126, f64: 2 ** -1022 };

function testProperty(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step {
  const dst = asm.predicateResult(fn, i.dst[0], i);
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const least = MIN_NORMAL[i.type]!;
  const tests: Readonly<Record<string, (x: number) => boolean>> = {
    finite: Number.isFinite,
    infinite: (x) => Math.abs(x) === Number.POSITIVE_INFINITY,
    number: (x) => !Number.isNaN(x),
    notanumber: Number.isNaN,
    normal: (x) => Number.isFinite(x) && Math.abs(x) >= least,
    subnormal: (x) => x !== 0 && Math.abs(x) < least,
  };
  const test = tests[i.variant ?? '']!;
  const { file } = asm;
  const double = i.type === 'f64';
  return (warp, mask) => {
    const at = a.slot + (warp.base & a.mask);
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) !== 0 && test(double ? file.f64[(at >>> 1) + l]! : file.f32[at + l]!)) result |= 1 << l;
    }
    warp.predicates[dst] = (warp.predicates[dst]! & ~mask) | result;
  };
}
