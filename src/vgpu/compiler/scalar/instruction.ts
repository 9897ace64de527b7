/** One straight-line instruction as scalar code, its guard included. */
import type { Arithmetic, CallSite, Instruction, Operand } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { emitAsyncCopy } from './async-copy.ts';
import { emitCompare } from './compare.ts';
import type { ScalarContext } from './context.ts';
import { emitConvert, emitMove } from './convert.ts';
import { FLOAT, isFloatValue } from './float.ts';
import { INTEGER } from './integer.ts';
import { emitAtomic, emitMemory } from './memory.ts';

/** `count` is called inside the guard, if there is one: only what is executed counts. */
export function emitInstruction(context: ScalarContext, instruction: Instruction, count?: () => void): void {
  const { guard } = instruction;
  if (!guard) {
    emitUnguarded(context, instruction);
    return;
  }
  const { code } = context;
  code.get(context.localOf(guard.register));
  if (guard.negated) code.op('i32.eqz');
  code.if();
  count?.();
  emitUnguarded(context, instruction);
  code.end();
}

function emitUnguarded(context: ScalarContext, instruction: Instruction): void {
  switch (instruction.kind) {
    case 'arithmetic':
      arithmetic(context, instruction);
      return;
    case 'compare':
      emitCompare(context, instruction);
      return;
    case 'convert':
      emitConvert(context, instruction);
      return;
    case 'move':
      emitMove(context, instruction);
      return;
    case 'memory':
      emitMemory(context, instruction);
      return;
    case 'atomic':
      emitAtomic(context, instruction);
      return;
    case 'async':
      emitAsyncCopy(context, instruction);
      return;
    case 'fence':
      // One thread runs at a time and memory is sequentially consistent: nothing to wait for.
      return;
    case 'control':
      if (instruction.op !== 'call' || !instruction.call) break;
      emitExternalCall(context, instruction, instruction.call);
      return;
    case 'system':
      if (instruction.effect === 'none') return;
      break;
  }
  throw new CannotCompile(`'${instruction.text}'`, instruction.line);
}

/** Arguments to the arena, 8 bytes each; the result comes back in the first place. */
function emitExternalCall(context: ScalarContext, instruction: Instruction, call: CallSite): void {
  const { code, unit } = context;
  const typeOf = (operand: Operand): 'b32' | 'b64' =>
    operand.kind === 'register' && TYPE_BYTES[operand.type] === 8 ? 'b64' : 'b32';
  call.args.forEach((operand, index) => {
    code.get(context.arena);
    const type = typeOf(operand);
    context.push(operand, type);
    if (type === 'b32') code.op('i64.extend_i32_u');
    code.memory('i64.store', ARENA.vector + 8 * index);
  });
  code.i32(unit.site(instruction)).get(context.thread).call(unit.external);
  for (const operand of call.returns) {
    const type = typeOf(operand);
    code.get(context.arena).memory(type === 'b64' ? 'i64.load' : 'i32.load', ARENA.vector);
    context.set(operand, type);
  }
}

function arithmetic(context: ScalarContext, instruction: Arithmetic): void {
  const table = isFloatValue(instruction.type) ? FLOAT : INTEGER;
  const emit = Object.hasOwn(table, instruction.op) ? table[instruction.op] : undefined;
  if (!emit) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  emit(context, instruction);
}
