/** Special registers (PTX ISA 10) as WebAssembly: 32 bits wide, and clocks of 64 bits. */
import { clockStart, GRID_ID, MULTIPROCESSORS } from '../../machine-facts.ts';
import type { SpecialRegister } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { ScalarContext } from './context.ts';

const AXIS: Readonly<Record<string, 0 | 1 | 2>> = { x: 0, y: 1, z: 2 };

export function isClock(register: SpecialRegister): boolean {
  return register.startsWith('clock') || register.startsWith('globaltimer');
}

/** Pushes a clock as i64: it counts the thread-instructions that have run since the thread's block began, from where it stood then. */
export function pushClock(context: ScalarContext, register: SpecialRegister): void {
  const { code, arena, budget } = context;
  if (budget < 0) throw new CannotCompile(`%${register}`, context.kernel.entry.ptxLine);
  code.get(arena).memory('i64.load', ARENA.blockStart).get(budget).op('i64.sub');
  const { start, betweenBlocks } = clockStart(register);
  code.i64(start).op('i64.add');
  if (betweenBlocks !== 0n) {
    pushBlock(context);
    code.op('i64.extend_i32_u').i64(betweenBlocks).op('i64.mul').op('i64.add');
  }
  if (register.endsWith('_hi')) code.i64(32n).op('i64.shr_u');
}

/** Pushes the linear index of the thread's block. */
function pushBlock({ code, arena }: ScalarContext): void {
  const load = (offset: number): void => {
    code.get(arena).memory('i32.load', offset);
  };
  load(ARENA.ctaid + 8);
  load(ARENA.nctaid + 4);
  code.op('i32.mul');
  load(ARENA.ctaid + 4);
  code.op('i32.add');
  load(ARENA.nctaid);
  code.op('i32.mul');
  load(ARENA.ctaid);
  code.op('i32.add');
}

export function pushSpecial(context: ScalarContext, register: SpecialRegister): void {
  const { code, thread, arena } = context;
  const { block } = context.unit.options;
  const [name = '', axisName = ''] = register.split('.');
  const axis = AXIS[axisName] ?? 0;
  const threads = block[0] * block[1] * block[2];
  const lane = (): void => {
    code.get(thread).i32(31).op('i32.and');
  };
  switch (name) {
    case 'tid': {
      if (block[axis] === 1) {
        code.i32(0);
        return;
      }
      const below = axis === 0 ? 1 : axis === 1 ? block[0] : block[0] * block[1];
      code.get(thread);
      if (below > 1) code.i32(below).op('i32.div_u');
      if (below * block[axis] < threads) code.i32(block[axis]).op('i32.rem_u');
      return;
    }
    case 'ntid':
      code.i32(block[axis]);
      return;
    case 'ctaid':
      code.get(arena).memory('i32.load', ARENA.ctaid + 4 * axis);
      return;
    case 'nctaid':
      code.get(arena).memory('i32.load', ARENA.nctaid + 4 * axis);
      return;
    case 'laneid':
      lane();
      return;
    case 'warpid':
      code.get(thread).i32(5).op('i32.shr_u');
      return;
    case 'nwarpid':
      code.i32(Math.ceil(threads / 32));
      return;
    case 'WARP_SZ':
      code.i32(32);
      return;
    case 'lanemask_eq':
      code.i32(1);
      lane();
      code.op('i32.shl');
      return;
    case 'lanemask_lt':
      code.i32(1);
      lane();
      code.op('i32.shl').i32(1).op('i32.sub');
      return;
    case 'lanemask_le':
      code.i32(2);
      lane();
      code.op('i32.shl').i32(1).op('i32.sub');
      return;
    case 'lanemask_ge':
      code.i32(-1);
      lane();
      code.op('i32.shl');
      return;
    case 'lanemask_gt':
      code.i32(-2);
      lane();
      code.op('i32.shl');
      return;
    case 'dynamic_smem_size':
      code.get(arena).memory('i32.load', ARENA.dynamicShared);
      return;
    case 'smid':
      pushBlock(context);
      code.i32(MULTIPROCESSORS).op('i32.rem_u');
      return;
    case 'nsmid':
      code.i32(MULTIPROCESSORS);
      return;
    case 'gridid':
      code.i32(GRID_ID);
      return;
    case 'reserved_smem_offset_1':
      code.i32(context.unit.reservedShared?.start ?? 0);
      return;
    default:
      throw new CannotCompile(`%${register}`, context.kernel.entry.ptxLine);
  }
}
