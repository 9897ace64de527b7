/** Parts of larger instructions as the loads and stores that they are, for the checks of memory and their findings. */
import type { Instruction, MemoryAccess, Operand } from '../ptx/ir.ts';

/** A load or store at the instruction's place in the program. `address` is left out where the caller has computed it. */
export function plainAccess(
  instruction: Instruction,
  access: Pick<MemoryAccess, 'op' | 'space' | 'type' | 'vector'>,
  address?: Operand,
): MemoryAccess {
  return {
    ...access,
    kind: 'memory',
    semantics: 'weak',
    scope: undefined,
    nonCoherent: false,
    clusterWide: false,
    guard: undefined,
    dst: [],
    src: address ? [address] : [],
    text: instruction.text,
    line: instruction.line,
    source: instruction.source,
  };
}
