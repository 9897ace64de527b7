/** The new value of an atomic update, from the old one in a local and the instruction's operands. */
import * as math from '../../math/index.ts';
import type { Atomic, PtxType } from '../../ptx/ir.ts';
import { isSigned } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { ScalarContext } from './context.ts';

/** Pushes the value to store. The i32 or i64 or float local `old` holds the value found. */
export function pushAtomicResult(context: ScalarContext, instruction: Atomic, old: number): void {
  const { code } = context;
  const { type, operation } = instruction;
  const wasm = wasmType(type);
  const op = (name: string): void => {
    code.op(`${wasm}.${name}` as PlainOp);
  };
  const operand = (): void => {
    context.push(instruction.src[1]!, type);
  };
  switch (operation) {
    case 'add':
    case 'and':
    case 'or':
    case 'xor':
      code.get(old);
      operand();
      op(operation);
      return;
    case 'exch':
      operand();
      return;
    case 'cas':
      context.push(instruction.src[2]!, type);
      code.get(old).get(old);
      operand();
      op('eq');
      code.op('select');
      return;
    case 'min':
    case 'max':
      if (wasm === 'f32' || wasm === 'f64') break;
      context.temp(wasm, (b) => {
        operand();
        code.set(b).get(old).get(b).get(old).get(b);
        op(`${operation === 'min' ? 'lt' : 'gt'}_${isSigned(type) ? 's' : 'u'}`);
        code.op('select');
      });
      return;
    case 'inc':
      // old >= b ? 0 : old + 1
      code.i32(0).get(old).i32(1).op('i32.add').get(old);
      operand();
      code.op('i32.ge_u').op('select');
      return;
    case 'dec':
      // old == 0 or old > b ? b : old - 1
      operand();
      code.get(old).i32(1).op('i32.sub').get(old).op('i32.eqz').get(old);
      operand();
      code.op('i32.gt_u').op('i32.or').op('select');
      return;
  }
  throw new CannotCompile(`'${instruction.text}'`, instruction.line);
}

/** atom.add, min, max on halves, by the functions of `math`. */
export function callHalfAtomic(context: ScalarContext, instruction: Atomic, old: number): void {
  const { type, operation } = instruction;
  if (operation !== 'add' && operation !== 'min' && operation !== 'max')
    throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const packed = type === 'f16x2' || type === 'bf16x2';
  const half: math.HalfType = type.startsWith('bf16') ? 'bf16' : 'f16';
  const single = operation === 'add' ? math.binaryHalf('add', half) : math.minMaxHalf(operation, half);
  const register: PtxType = packed ? 'b32' : 'b16';
  context.code.get(old);
  context.push(instruction.src[1]!, register);
  const f = packed ? math.packed2(single) : single;
  context.code.call(context.unit.importMath(`atom.${operation}.${type}`, f, ['i32', 'i32'], 'i32'));
}
