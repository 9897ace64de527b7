/** Arithmetic, comparison, conversion and moves in vectors. What has no vector form is left to single lanes. */
import type { Arithmetic, Compare, Convert, Instruction, Move, Operand, PtxType } from '../../ptx/ir.ts';
import { isSigned, TYPE_BYTES } from '../../ptx/ir.ts';
import type { Directed } from '../scalar/helpers.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { SimdContext } from './context.ts';
import { divApproxVector, ex2Vector, fusedDirected, lg2Vector, rsqrtVector } from './helpers.ts';

/** Pushes vector `w` of an instruction's result. */
type Push = (w: number) => void;

/** A vector form: the result's type (its lanes' width says how many vectors there are) and how to make each. */
interface Form {
  readonly type: PtxType;
  readonly push: Push;
}

/** The vector form of an instruction, or undefined. Emits nothing yet. */
export function vectorForm(context: SimdContext, instruction: Instruction): Form | undefined {
  if (instruction.dst.length !== 1) return undefined;
  const target = instruction.dst[0]!;
  if (target.kind !== 'register' && target.kind !== 'predicate') return undefined;
  switch (instruction.kind) {
    case 'arithmetic':
      return arithmetic(context, instruction);
    case 'compare':
      return compare(context, instruction);
    case 'convert':
      return convert(context, instruction);
    case 'move':
      return move(context, instruction);
    default:
      return undefined;
  }
}

/** Replaces subnormal f32 lanes on the stack by zeros of their sign. */
function flush(context: SimdContext): void {
  const { code } = context;
  context.temp((x) => {
    code.tee(x).splat32(0x80000000).op('v128.and').get(x);
    code.get(x).op('f32x4.abs').splat32(0x00800000).op('f32x4.lt').op('v128.bitselect');
  });
}

/** Clamps lanes to [+0, 1], NaN to +0. */
function saturate(context: SimdContext): void {
  const { code } = context;
  context.temp((x) => {
    code.set(x).get(x).splat32(0x3f800000).get(x).splat32(0x3f800000).op('f32x4.lt').op('v128.bitselect');
    code.get(x).splat32(0).op('f32x4.gt').op('v128.and');
  });
}

const INTEGER_OPS: Readonly<Record<string, string>> = { add: 'add', sub: 'sub', and: 'and', or: 'or', xor: 'xor' };

function arithmetic(context: SimdContext, instruction: Arithmetic): Form | undefined {
  const { type } = instruction;
  if (type === 'f32') return float(context, instruction);
  if (type === 'f64') return double(context, instruction);
  if (type === 'pred') return predicate(context, instruction);
  if (/^(u|s|b)(32|64)$/.test(type)) return integer(context, instruction);
  return undefined;
}

function predicate(context: SimdContext, instruction: Arithmetic): Form | undefined {
  const { code } = context;
  const [a, b] = instruction.src as [Operand, Operand];
  if (instruction.op === 'not')
    return {
      type: 'pred',
      push(w) {
        context.push(a, 'pred', w);
        code.op('v128.not');
      },
    };
  if (instruction.op !== 'and' && instruction.op !== 'or' && instruction.op !== 'xor') return undefined;
  const operator = `v128.${instruction.op}` as PlainOp;
  return {
    type: 'pred',
    push(w) {
      context.push(a, 'pred', w);
      context.push(b, 'pred', w);
      code.op(operator);
    },
  };
}

/** The constant amount of a shift. */
function constantAmount(context: SimdContext, operand: Operand | undefined): number | undefined {
  const bits = context.scalar.constantOf(operand);
  return bits === undefined ? undefined : Number(BigInt.asUintN(32, bits));
}

function integer(context: SimdContext, instruction: Arithmetic): Form | undefined {
  const { code } = context;
  const { type, op } = instruction;
  const size = 8 * TYPE_BYTES[type];
  const shape = size === 64 ? 'i64x2' : 'i32x4';
  const signed = isSigned(type);
  const [a, b, c] = instruction.src as [Operand, Operand, Operand];
  if (instruction.carryOut || instruction.sat || instruction.relu) return undefined;
  const form = (push: Push, result: PtxType = type): Form => ({ type: result, push });
  const binary = (operator: PlainOp): Form =>
    form((w) => {
      context.push(a, type, w);
      context.push(b, type, w);
      code.op(operator);
    });
  const simple = INTEGER_OPS[op];
  if (simple) return binary((op === 'add' || op === 'sub' ? `${shape}.${simple}` : `v128.${simple}`) as PlainOp);
  switch (op) {
    case 'not':
      return form((w) => {
        context.push(a, type, w);
        code.op('v128.not');
      });
    case 'neg':
      return form((w) => {
        context.push(a, type, w);
        code.op(`${shape}.neg` as PlainOp);
      });
    case 'abs':
      if (size !== 32) return undefined;
      return form((w) => {
        context.push(a, type, w);
        code.op('i32x4.abs');
      });
    case 'min':
    case 'max':
      return size === 32 ? binary(`i32x4.${op}_${signed ? 's' : 'u'}` as PlainOp) : undefined;
    case 'mul':
    case 'mad': {
      if (instruction.half === 'hi') return undefined;
      if (instruction.half === 'wide') {
        if (size !== 32) return undefined;
        const result: PtxType = signed ? 's64' : 'u64';
        return form((w) => {
          context.push(a, type, w >> 1);
          context.push(b, type, w >> 1);
          code.op(`i64x2.extmul_${(w & 1) === 0 ? 'low' : 'high'}_i32x4_${signed ? 's' : 'u'}` as PlainOp);
          if (op === 'mad') {
            context.push(c, result, w);
            code.op('i64x2.add');
          }
        }, result);
      }
      return form((w) => {
        context.push(a, type, w);
        context.push(b, type, w);
        code.op(`${shape}.mul` as PlainOp);
        if (op === 'mad') {
          context.push(c, type, w);
          code.op(`${shape}.add` as PlainOp);
        }
      });
    }
    case 'shl':
    case 'shr': {
      const amount = constantAmount(context, b);
      if (amount === undefined) return undefined;
      const arithmeticShift = op === 'shr' && signed;
      if (amount >= size && !arithmeticShift) return form(() => code.splat32(0));
      return form((w) => {
        context.push(a, type, w);
        code.i32(Math.min(amount, size - 1));
        code.op(`${shape}.${op === 'shl' ? 'shl' : signed ? 'shr_s' : 'shr_u'}` as PlainOp);
      });
    }
    case 'bfe': {
      const [position, length] = [constantAmount(context, b), constantAmount(context, c)];
      if (position === undefined || length === undefined || size !== 32) return undefined;
      if (length === 0 || position + length > 32) return undefined;
      return form((w) => {
        context.push(a, type, w);
        code
          .i32(32 - position - length)
          .op('i32x4.shl')
          .i32(32 - length);
        code.op(signed ? 'i32x4.shr_s' : 'i32x4.shr_u');
      });
    }
    default:
      return undefined;
  }
}

const directed = (instruction: Arithmetic): Directed | undefined =>
  instruction.rounding === 'rz' || instruction.rounding === 'rm' || instruction.rounding === 'rp'
    ? instruction.rounding
    : undefined;

function float(context: SimdContext, instruction: Arithmetic): Form | undefined {
  const { code } = context;
  const { unit } = context.scalar;
  const mode = directed(instruction);
  const { op, ftz } = instruction;
  const [a, b, c] = instruction.src as [Operand, Operand, Operand];
  const source = (operand: Operand, w: number): void => {
    context.push(operand, 'f32', w);
    if (ftz) flush(context);
  };
  const form = (push: Push, finish = true): Form => ({
    type: 'f32',
    push(w) {
      push(w);
      if (!finish) return;
      if (ftz) flush(context);
      if (instruction.sat) saturate(context);
    },
  });
  const operator = (name: string): void => {
    code.op(`f32x4.${name}` as PlainOp);
  };
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      if (mode) return undefined;
      return form((w) => {
        source(a, w);
        source(b, w);
        if (instruction.approx) code.call(divApproxVector(unit));
        else operator(op);
      });
    case 'fma':
    case 'mad': {
      if (!mode && !unit.fused) return undefined;
      return form((w) => {
        source(a, w);
        source(b, w);
        source(c, w);
        if (mode) code.call(fusedDirected(unit, mode));
        else operator('relaxed_madd');
      });
    }
    case 'neg':
    case 'abs':
      return form((w) => {
        source(a, w);
        operator(op);
      }, false);
    case 'min':
    case 'max': {
      if (instruction.xorsignAbs || instruction.src.length > 2) return undefined;
      return form((w) => {
        context.temp((x) =>
          context.temp((y) => {
            source(a, w);
            code.set(x);
            source(b, w);
            code.set(y);
            if (instruction.nan) {
              code.get(x).get(y);
              operator(op);
              return;
            }
            // The other operand where one is NaN.
            code.get(y).get(x).get(y);
            operator(op);
            code.get(x).get(y).get(y).op('f32x4.eq').op('v128.bitselect');
            code.get(x).get(x).op('f32x4.ne').op('v128.bitselect');
          }),
        );
      }, false);
    }
    case 'sqrt':
      if (mode) return undefined;
      return form((w) => {
        source(a, w);
        operator('sqrt');
      });
    case 'rcp':
      if (mode) return undefined;
      return form((w) => {
        code.splat32(0x3f800000);
        source(a, w);
        operator('div');
      });
    case 'rsqrt':
      return form((w) => {
        source(a, w);
        code.call(rsqrtVector(unit));
      }, false);
    case 'ex2':
    case 'lg2':
      return form((w) => {
        source(a, w);
        code.call(op === 'ex2' ? ex2Vector(unit) : lg2Vector(unit));
      });
    default:
      return undefined;
  }
}

function double(context: SimdContext, instruction: Arithmetic): Form | undefined {
  const { code } = context;
  if (directed(instruction) || instruction.approx) return undefined;
  const { op } = instruction;
  const [a, b, c] = instruction.src as [Operand, Operand, Operand];
  const all = (operands: readonly Operand[], w: number): void => {
    for (const operand of operands) context.push(operand, 'f64', w);
  };
  const form = (operands: readonly Operand[], operator: PlainOp): Form => ({
    type: 'f64',
    push(w) {
      all(operands, w);
      code.op(operator);
    },
  });
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      return form([a, b], `f64x2.${op}`);
    case 'fma':
    case 'mad':
      return context.scalar.unit.fused ? form([a, b, c], 'f64x2.relaxed_madd') : undefined;
    case 'neg':
    case 'abs':
    case 'sqrt':
      return form([a], `f64x2.${op}`);
    default:
      return undefined;
  }
}

const UNSIGNED: Readonly<Record<string, string>> = { lo: 'lt', ls: 'le', hi: 'gt', hs: 'ge' };
const OPPOSITE: Readonly<Record<string, string>> = { ltu: 'ge', leu: 'gt', gtu: 'le', geu: 'lt' };

function compare(context: SimdContext, instruction: Compare): Form | undefined {
  const { code } = context;
  const { type } = instruction;
  if (instruction.op === 'selp') {
    if (TYPE_BYTES[type] < 4) return undefined;
    const [a, b, p] = instruction.src as [Operand, Operand, Operand];
    const lanes: PtxType = TYPE_BYTES[type] === 8 ? (type === 'f64' ? 'f64' : 'b64') : type === 'f32' ? 'f32' : 'b32';
    return {
      type: lanes,
      push(w) {
        context.push(a, lanes, w);
        context.push(b, lanes, w);
        if (TYPE_BYTES[lanes] === 8) {
          context.push(p, 'pred', w >> 1);
          code.op((w & 1) === 0 ? 'i64x2.extend_low_i32x4_s' : 'i64x2.extend_high_i32x4_s');
        } else context.push(p, 'pred', w);
        code.op('v128.bitselect');
      },
    };
  }
  if (instruction.op !== 'setp') return undefined;
  const comparison = pushComparison(context, instruction);
  if (!comparison) return undefined;
  const third = instruction.src[2];
  return {
    type: 'pred',
    push(w) {
      comparison(w);
      if (!instruction.boolean || !third) return;
      context.push(third, 'pred', w);
      code.op(`v128.${instruction.boolean}`);
    },
  };
}

function pushComparison(context: SimdContext, instruction: Compare): Push | undefined {
  const { code } = context;
  const { type } = instruction;
  const comparison = instruction.comparison ?? 'eq';
  const [a, b] = instruction.src as [Operand, Operand];
  if (type === 'f32' || type === 'f64') {
    const shape = type === 'f32' ? 'f32x4' : 'f64x2';
    const single = (w: number): void => {
      const push = (operand: Operand): void => {
        context.push(operand, type, w);
        if (instruction.ftz && type === 'f32') flush(context);
      };
      const op = (name: string): void => {
        code.op(`${shape}.${name}` as PlainOp);
      };
      const opposite = OPPOSITE[comparison];
      if (opposite) {
        push(a);
        push(b);
        op(opposite);
        code.op('v128.not');
      } else if (comparison === 'ne' || comparison === 'equ') {
        context.temp((x) =>
          context.temp((y) => {
            push(a);
            code.set(x);
            push(b);
            code.set(y).get(x).get(y);
            op('lt');
            code.get(x).get(y);
            op('gt');
            code.op('v128.or');
          }),
        );
        if (comparison === 'equ') code.op('v128.not');
      } else if (comparison === 'num' || comparison === 'nan') {
        for (const operand of [a, b])
          context.temp((x) => {
            context.push(operand, type, w);
            code.tee(x).get(x);
            op(comparison === 'num' ? 'eq' : 'ne');
          });
        code.op(comparison === 'num' ? 'v128.and' : 'v128.or');
      } else {
        push(a);
        push(b);
        op(comparison === 'neu' ? 'ne' : comparison);
      }
    };
    return type === 'f32' ? single : (w) => pushPair(context, single, w);
  }
  const name = UNSIGNED[comparison] ?? comparison;
  const unsigned = comparison in UNSIGNED || !isSigned(type);
  const equality = name === 'eq' || name === 'ne';
  if (TYPE_BYTES[type] === 8) {
    if (unsigned && !equality) return undefined;
    return (w) =>
      pushPair(
        context,
        (half) => {
          context.push(a, type, half);
          context.push(b, type, half);
          code.op(`i64x2.${name}${equality ? '' : '_s'}` as PlainOp);
        },
        w,
      );
  }
  if (TYPE_BYTES[type] !== 4 && TYPE_BYTES[type] !== 2) return undefined;
  if (!/^[usb]/.test(type) || type.endsWith('x2') || type.startsWith('bf')) return undefined;
  const view = unsigned && isSigned(type) ? (type.replace('s', 'u') as PtxType) : type;
  return (w) => {
    context.push(a, view, w);
    context.push(b, view, w);
    code.op(`i32x4.${name}${equality ? '' : unsigned ? '_u' : '_s'}` as PlainOp);
  };
}

/** Two masks of 64-bit lanes as one of 32-bit lanes. */
function pushPair(context: SimdContext, push: Push, w: number): void {
  push(2 * w);
  push(2 * w + 1);
  context.code.shuffle32([0, 2, 4, 6]);
}

const INTEGRAL: Readonly<Record<string, string>> = { rni: 'nearest', rzi: 'trunc', rmi: 'floor', rpi: 'ceil' };

function convert(context: SimdContext, instruction: Convert): Form | undefined {
  const { code } = context;
  const { to, from, rounding } = instruction;
  const a = instruction.src[0]!;
  const word = (type: PtxType): boolean => type === 's32' || type === 'u32';
  if (word(from) && to === 'f32') {
    if ((rounding !== undefined && rounding !== 'rn') || instruction.sat) return undefined;
    return {
      type: 'f32',
      push(w) {
        context.push(a, from, w);
        code.op(`f32x4.convert_i32x4_${from === 's32' ? 's' : 'u'}`);
      },
    };
  }
  if (from === 'f32' && word(to)) {
    const integral = INTEGRAL[rounding ?? 'rzi'];
    if (!integral) return undefined;
    return {
      type: to,
      push(w) {
        context.push(a, 'f32', w);
        if (instruction.ftz) flush(context);
        if (integral !== 'trunc') code.op(`f32x4.${integral}` as PlainOp);
        code.op(`i32x4.trunc_sat_f32x4_${to === 's32' ? 's' : 'u'}`);
      },
    };
  }
  if (from === 'f32' && to === 'f32') {
    const integral = rounding === undefined ? undefined : INTEGRAL[rounding];
    if (rounding !== undefined && !integral) return undefined;
    return {
      type: 'f32',
      push(w) {
        context.push(a, 'f32', w);
        if (instruction.ftz) flush(context);
        if (integral) code.op(`f32x4.${integral}` as PlainOp);
        if (instruction.ftz) flush(context);
        if (instruction.sat) saturate(context);
      },
    };
  }
  if (from === 'f32' && to === 'f64' && !instruction.ftz && !instruction.sat)
    return {
      type: 'f64',
      push(w) {
        context.push(a, 'f32', w >> 1);
        if ((w & 1) === 1) context.temp((x) => code.tee(x).get(x).shuffle32([2, 3, 2, 3]));
        code.op('f64x2.promote_low_f32x4');
      },
    };
  const integers = /^[us](8|16|32|64)$/;
  if (!integers.test(to) || !integers.test(from) || instruction.sat) return undefined;
  if (TYPE_BYTES[to] === 8) {
    if (TYPE_BYTES[from] === 8) return { type: to, push: (w) => context.push(a, to, w) };
    return {
      type: to,
      push(w) {
        context.push(a, from, w >> 1);
        code.op(`i64x2.extend_${(w & 1) === 0 ? 'low' : 'high'}_i32x4_${isSigned(from) ? 's' : 'u'}`);
      },
    };
  }
  const narrow = TYPE_BYTES[to] < 4;
  const seen: PtxType = TYPE_BYTES[from] === 8 ? 'u32' : from;
  return {
    type: narrow ? 'b32' : to,
    push(w) {
      context.push(a, seen, w);
      if (narrow) context.narrow(to);
    },
  };
}

function move(context: SimdContext, instruction: Move): Form | undefined {
  if (instruction.op !== 'mov') return undefined;
  const [a] = instruction.src as [Operand];
  if (a.kind === 'vector' || a.kind === 'special' || a.kind === 'symbol' || a.kind === 'function') return undefined;
  const { type } = instruction;
  if (type !== 'pred' && TYPE_BYTES[type] < 4) return undefined;
  const lanes: PtxType =
    type === 'pred' ? 'pred' : TYPE_BYTES[type] === 8 ? 'b64' : TYPE_BYTES[type] === 4 ? 'b32' : type;
  if (TYPE_BYTES[type] > 8) return undefined;
  return { type: lanes, push: (w) => context.push(a, lanes, w) };
}
