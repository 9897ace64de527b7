/** setp, set, selp and slct (PTX ISA 9.7.5 to 9.7.7) as WebAssembly. */
import * as math from '../../math/index.ts';
import type { Compare, Operand, PtxType } from '../../ptx/ir.ts';
import { isSigned } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { ScalarContext } from './context.ts';
import { flush, isHalf } from './float.ts';

/** Unsigned comparison names. */
const UNSIGNED: Readonly<Record<string, string>> = { lo: 'lt', ls: 'le', hi: 'gt', hs: 'ge' };
/** Unordered float comparisons are the negation of the opposite ordered one. */
const OPPOSITE: Readonly<Record<string, string>> = { ltu: 'ge', leu: 'gt', gtu: 'le', geu: 'lt' };

/** Pushes 1 when the comparison of the first two sources holds, else 0. */
export function pushComparison(context: ScalarContext, instruction: Compare): void {
  const { code } = context;
  const { type } = instruction;
  const comparison = instruction.comparison ?? 'eq';
  const [a, b] = instruction.src as [Operand, Operand];
  if (isHalf(type)) {
    if (type === 'f16x2' || type === 'bf16x2') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    const decode = type === 'f16' ? math.f16ToNumber : math.bf16ToNumber;
    const compare = math.FLOAT_COMPARISONS[comparison as math.FloatComparison];
    const name = `setp.${comparison}.${type}.${instruction.ftz}`;
    const flushed = (bits: number): number => decode(math.flushHalf(bits, type as math.HalfType, instruction.ftz));
    context.push(a, 'b16');
    context.push(b, 'b16');
    code.call(
      context.unit.importMath(
        name,
        (x: number, y: number) => (compare(flushed(x), flushed(y)) ? 1 : 0),
        ['i32', 'i32'],
        'i32',
      ),
    );
    return;
  }
  const wasm = wasmType(type);
  if (wasm === 'i32' || wasm === 'i64') {
    const name = UNSIGNED[comparison] ?? comparison;
    const unsigned = comparison in UNSIGNED || !isSigned(type);
    const view = unsigned && isSigned(type) ? (type.replace('s', 'u') as PtxType) : type;
    context.push(a, view);
    context.push(b, view);
    code.op(`${wasm}.${name}${name === 'eq' || name === 'ne' ? '' : unsigned ? '_u' : '_s'}` as PlainOp);
    return;
  }
  const push = (operand: Operand): void => {
    context.push(operand, type);
    if (instruction.ftz && type === 'f32') flush(context);
  };
  const op = (name: string): void => {
    code.op(`${wasm}.${name}` as PlainOp);
  };
  const opposite = OPPOSITE[comparison];
  if (opposite !== undefined) {
    push(a);
    push(b);
    op(opposite);
    code.op('i32.eqz');
    return;
  }
  switch (comparison) {
    case 'neu':
      push(a);
      push(b);
      op('ne');
      break;
    case 'ne':
    case 'equ':
      context.temp(wasm, (x) =>
        context.temp(wasm, (y) => {
          push(a);
          code.set(x);
          push(b);
          code.set(y).get(x).get(y);
          op('lt');
          code.get(x).get(y);
          op('gt');
          code.op('i32.or');
        }),
      );
      if (comparison === 'equ') code.op('i32.eqz');
      break;
    case 'num':
    case 'nan':
      for (const operand of [a, b])
        context.temp(wasm, (x) => {
          context.push(operand, type);
          code.tee(x).get(x);
          op(comparison === 'num' ? 'eq' : 'ne');
        });
      code.op(comparison === 'num' ? 'i32.and' : 'i32.or');
      break;
    default:
      push(a);
      push(b);
      op(comparison);
  }
}

/** Combines the i32 on the stack with the third source, if there is one. */
function combine(context: ScalarContext, instruction: Compare): void {
  const third = instruction.src[2];
  if (!instruction.boolean || !third) return;
  context.push(third, 'pred');
  context.code.op(`i32.${instruction.boolean}`);
}

export function emitCompare(context: ScalarContext, instruction: Compare): void {
  const { code } = context;
  switch (instruction.op) {
    case 'setp': {
      const [p, q] = instruction.dst;
      context.temp('i32', (holds) => {
        pushComparison(context, instruction);
        if (!q || q.kind === 'sink') {
          combine(context, instruction);
          context.set(p!, 'pred');
          return;
        }
        context.temp('i32', (first) => {
          // Both results before either is stored: a destination may be the third source.
          code.set(holds).get(holds);
          combine(context, instruction);
          code.set(first).get(holds).op('i32.eqz');
          combine(context, instruction);
          context.set(q, 'pred');
          code.get(first);
          context.set(p!, 'pred');
        });
      });
      return;
    }
    case 'set': {
      const { resultType } = instruction;
      pushComparison(context, instruction);
      combine(context, instruction);
      if (resultType === 'f32') code.op('f32.convert_i32_u');
      else if (resultType === 'u32' || resultType === 's32' || resultType === 'u16' || resultType === 's16') {
        context.temp('i32', (holds) => {
          code.set(holds).i32(0).get(holds).op('i32.sub');
        });
      } else if (resultType === 'f16' || resultType === 'bf16') {
        context.temp('i32', (holds) => {
          code
            .set(holds)
            .i32(resultType === 'f16' ? 0x3c00 : 0x3f80)
            .i32(0)
            .get(holds)
            .op('select');
        });
      } else throw new CannotCompile(`'${instruction.text}'`, instruction.line);
      context.set(instruction.dst[0]!, resultType);
      return;
    }
    case 'selp': {
      const type = isHalf(instruction.type) ? (instruction.type.endsWith('x2') ? 'b32' : 'b16') : instruction.type;
      const [a, b, p] = instruction.src as [Operand, Operand, Operand];
      context.push(a, type);
      context.push(b, type);
      context.push(p, 'pred');
      code.op('select');
      context.set(instruction.dst[0]!, type);
      return;
    }
    case 'slct': {
      const [a, b, c] = instruction.src as [Operand, Operand, Operand];
      context.push(a, instruction.resultType);
      context.push(b, instruction.resultType);
      // c >= 0 selects a; NaN selects b; -0 counts as 0.
      context.push(c, instruction.type);
      if (instruction.type === 'f32') {
        if (instruction.ftz) flush(context);
        code.f32(0).op('f32.ge');
      } else code.i32(0).op('i32.ge_s');
      code.op('select');
      context.set(instruction.dst[0]!, instruction.resultType);
    }
  }
}
