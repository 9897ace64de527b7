/** Matrix instructions of a whole warp: `exchange(first)` works on the registers that the warp's threads have saved in frames. */
import type { Matrix } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import { emitFragmentAccess } from './access.ts';
import { emitProduct } from './product.ts';
import { emitRows } from './rows.ts';

export type { FragmentAccess } from './access.ts';
export { accessElements } from './fragment-access.ts';

/** Types of A whose products are compiled. */
const COMPILED_TYPES: ReadonlySet<string> = new Set(['f16', 'bf16', 'tf32', 'f32', 'f64', 's8', 'u8']);

/** Throws {@link CannotCompile} for what only the interpreter can do. */
export function emitMatrix(unit: Unit, number: number, instruction: Matrix): FunctionBuilder {
  const multiplies = instruction.operation === 'mma';
  if (multiplies && !COMPILED_TYPES.has(instruction.types.a))
    throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  switch (instruction.operation) {
    case 'mma':
      return emitProduct(unit, number, instruction);
    case 'ldmatrix':
    case 'stmatrix':
      return emitRows(unit, number, instruction);
    default:
      return emitFragmentAccess(unit, number, instruction);
  }
}
