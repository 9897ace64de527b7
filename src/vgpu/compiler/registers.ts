/**
 * What is known of each register of a kernel before code is made: the WebAssembly type that holds it, its only
 * definition if there is one, its value if constant, and whether it is the same for all threads of a block and cheap
 * to compute again.
 */
import type { Instruction, Operand, PtxType, SpecialRegister } from '../ptx/ir.ts';
import { isFloat, TYPE_BYTES } from '../ptx/ir.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { FlatKernel } from './flatten.ts';
import { definitions, uses } from './operands.ts';

export type ScalarType = 'i32' | 'i64' | 'f32' | 'f64';

/** The WebAssembly type in which values of a PTX type are computed. */
export function wasmType(type: PtxType): ScalarType {
  if (type === 'f32') return 'f32';
  if (type === 'f64') return 'f64';
  return TYPE_BYTES[type] === 8 ? 'i64' : 'i32';
}

export interface RegisterFacts {
  /** WebAssembly type of the local that holds the register. */
  readonly localType: readonly ScalarType[];
  /** Index of the only instruction that writes the register, unguarded; -1 if there are none or several. */
  readonly soleDefinition: Int32Array;
  /** Bits of registers that only ever hold one constant. */
  readonly constant: ReadonlyMap<number, bigint>;
  /**
   * Registers with one definition that depends on nothing but parameters, launch dimensions and the block's index.
   * They are computed again at the head of each region instead of being kept in frames.
   */
  readonly uniform: Uint8Array;
}

/** Instructions whose result depends on their register operands alone. */
const PURE: ReadonlySet<Instruction['kind']> = new Set(['arithmetic', 'compare', 'convert', 'move']);

const BLOCK_UNIFORM: ReadonlySet<SpecialRegister> = new Set<SpecialRegister>([
  'ntid.x',
  'ntid.y',
  'ntid.z',
  'ctaid.x',
  'ctaid.y',
  'ctaid.z',
  'nctaid.x',
  'nctaid.y',
  'nctaid.z',
  'WARP_SZ',
  'nwarpid',
]);

export function registerFacts(kernel: FlatKernel): RegisterFacts {
  const count = kernel.registers.length;
  const definitionCount = new Int32Array(count);
  const soleDefinition = new Int32Array(count).fill(-1);
  kernel.instructions.forEach((instruction, index) => {
    for (const id of definitions(instruction)) {
      definitionCount[id]!++;
      soleDefinition[id] = definitionCount[id] === 1 && !instruction.guard ? index : -1;
    }
  });
  const constant = new Map<number, bigint>();
  const uniform = new Uint8Array(count);
  kernel.instructions.forEach((instruction) => {
    if (instruction.guard) return;
    const written = definitions(instruction);
    if (written.length !== 1 || soleDefinition[written[0]!] === -1) return;
    const id = written[0]!;
    if (instruction.kind === 'move' && instruction.op === 'mov') {
      const source = instruction.src[0]!;
      if (source.kind === 'immediate' && instruction.dst[0]!.kind !== 'vector') constant.set(id, source.bits);
    }
  });
  // Definitions come before uses in the text nearly always; a second pass catches what jumps about.
  for (let pass = 0; pass < 2; pass++)
    for (const instruction of kernel.instructions) {
      if (instruction.guard || !isUniformSource(instruction, uniform)) continue;
      for (const id of definitions(instruction)) if (soleDefinition[id] !== -1) uniform[id] = 1;
    }
  return { localType: localTypes(kernel), soleDefinition, constant, uniform };
}

function isUniformSource(instruction: Instruction, uniform: Uint8Array): boolean {
  if (instruction.kind === 'memory') {
    const address = instruction.src[0];
    return (
      instruction.op === 'ld' &&
      instruction.space === 'param' &&
      address?.kind === 'address' &&
      address.base.kind === 'variable'
    );
  }
  if (!PURE.has(instruction.kind)) return false;
  if (instruction.kind === 'arithmetic' && (instruction.carryOut || /^(addc|subc|madc)$/.test(instruction.op)))
    return false;
  for (const operand of instruction.src) if (!isUniformOperand(operand)) return false;
  return uses(instruction).every((id) => uniform[id] === 1);
}

function isUniformOperand(operand: Operand): boolean {
  if (operand.kind === 'special') return BLOCK_UNIFORM.has(operand.register);
  if (operand.kind === 'vector') return operand.elements.every(isUniformOperand);
  return true;
}

/** Registers declared .b32 or .b64 may hold floats: the majority of their uses decides, to save reinterpretations. */
function localTypes(kernel: FlatKernel): ScalarType[] {
  const votes = new Int32Array(kernel.registers.length);
  const vote = (operand: Operand, type: PtxType): void => {
    if (operand.kind === 'register')
      votes[operand.id]! += type === 'f32' || type === 'f64' ? 1 : isFloat(type) ? 0 : -1;
    else if (operand.kind === 'vector') for (const element of operand.elements) vote(element, type);
  };
  for (const instruction of kernel.instructions)
    switch (instruction.kind) {
      case 'arithmetic':
      case 'atomic':
        for (const operand of [...instruction.dst, ...instruction.src]) vote(operand, instruction.type);
        break;
      case 'memory':
        for (const operand of [...instruction.dst, ...instruction.src]) vote(operand, instruction.type);
        break;
      case 'compare':
        for (const operand of instruction.src.slice(0, 2)) vote(operand, instruction.type);
        for (const operand of instruction.dst)
          vote(operand, instruction.op === 'selp' ? instruction.type : instruction.resultType);
        break;
      case 'convert':
        for (const operand of instruction.dst) vote(operand, instruction.to);
        for (const operand of instruction.src) vote(operand, instruction.from);
        break;
    }
  return kernel.registers.map((register, id): ScalarType => {
    switch (register.type) {
      case 'f32':
        return 'f32';
      case 'f64':
        return 'f64';
      case 'b32':
        return votes[id]! > 0 ? 'f32' : 'i32';
      case 'b64':
        return votes[id]! > 0 ? 'f64' : 'i64';
      case 'b128':
        throw new CannotCompile(`128-bit register ${register.name}`, kernel.entry.ptxLine);
      default:
        return wasmType(register.type);
    }
  });
}
