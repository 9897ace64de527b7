/**
 * Which part of a matrix each register of a fragment holds. In every layout of math/fragments.ts a register of the 32
 * lanes holds 8 lines of consecutive elements, one line to each group of four lanes: so it is 128 (f64: 256) bytes that are
 * moved and converted at once. The plan is taken from the layout itself and checked against it element by element.
 */
import * as math from '../../math/index.ts';
import type { Matrix, Operand, PtxType } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import type { Slot } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { OperandSource } from '../syncpoints.ts';
import { operandSource } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';

/**
 * How the elements of a register lie in the matrix, from its origin:
 * - rows: lane 4g + t, element j is row g, column t e + j (A; C of halves)
 * - columns: lane 4g + t, element j is column g, row t e + j (B)
 * - pair: lane 4g + t is row g, column 2t, and the next register has column 2t + 1 (C of 32 and 64 bits)
 */
export type Arrangement = 'rows' | 'columns' | 'pair';

/** One register of a fragment, or two that make up a pair. */
export interface Chunk {
  /** Index of the (first) register in the operand's list. */
  readonly register: number;
  readonly row: number;
  readonly column: number;
}

export interface FragmentPlan {
  readonly layout: math.FragmentLayout;
  readonly type: PtxType;
  readonly arrangement: Arrangement;
  readonly chunks: readonly Chunk[];
  /** Elements of one lane in one register. */
  readonly perRegister: number;
  readonly registers: number;
}

function shapeOf(instruction: Matrix): math.MatrixShape {
  return { m: instruction.shape[0], n: instruction.shape[1], k: instruction.shape[2] };
}

/** The operand type that names a wmma shape: that of A and B, which C's load and store do not tell. */
function wmmaType(instruction: Matrix): string {
  const { k } = shapeOf(instruction);
  if (instruction.operation === 'mma') return instruction.types.a;
  if (instruction.operation === 'load-c' || instruction.operation === 'store-d')
    return k === 8 ? 'tf32' : k === 4 ? 'f64' : 'f16';
  return k === 8 ? 'tf32' : instruction.types.d;
}

function layoutOf(instruction: Matrix, fragment: math.FragmentName): math.FragmentLayout {
  const shape = shapeOf(instruction);
  try {
    if (instruction.op === 'wmma') return math.wmmaFragment(shape, fragment, wmmaType(instruction));
    return math.mmaFragment(shape, fragment, TYPE_BYTES[instruction.types.a] * 8);
  } catch (error) {
    throw new CannotCompile(error instanceof Error ? error.message : String(error), instruction.line);
  }
}

const TYPES: ReadonlySet<PtxType> = new Set<PtxType>(['f16', 'bf16', 'tf32', 's8', 'u8', 'f64', 'f32', 's32']);

/** The plan of one fragment. Throws {@link CannotCompile} for a layout or type that has none. */
export function planFragment(instruction: Matrix, fragment: math.FragmentName, type: PtxType): FragmentPlan {
  if (!TYPES.has(type)) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const layout = layoutOf(instruction, fragment);
  const perRegister = Math.max(1, 4 / TYPE_BYTES[type]);
  const arrangement: Arrangement =
    fragment === 'b' ? 'columns' : fragment === 'a' || perRegister === 2 ? 'rows' : 'pair';
  const registers = layout.elements / perRegister;
  const chunks: Chunk[] = [];
  for (let register = 0; register < registers; register += arrangement === 'pair' ? 2 : 1) {
    const { row, column } = layout.place(0, register * perRegister);
    chunks.push({ register, row, column });
  }
  const plan = { layout, type, arrangement, chunks, perRegister, registers };
  check(plan, instruction);
  return plan;
}

function check(plan: FragmentPlan, instruction: Matrix): void {
  const { layout, arrangement, perRegister } = plan;
  for (const chunk of plan.chunks)
    for (let lane = 0; lane < 32; lane++)
      for (let j = 0; j < (arrangement === 'pair' ? 2 : perRegister); j++) {
        const [g, t] = [lane >> 2, lane & 3];
        const along = arrangement === 'pair' ? 2 * t + j : t * perRegister + j;
        const [row, column] = arrangement === 'columns' ? [along, g] : [g, along];
        const place = layout.place(lane, chunk.register * perRegister + j);
        if (place.row !== chunk.row + row || place.column !== chunk.column + column)
          throw new CannotCompile(`'${instruction.text}'`, instruction.line);
      }
}

/** The registers of an operand, located; constants among them. */
export function fragmentSources(
  unit: Unit,
  instruction: Matrix,
  operand: Operand | undefined,
  plan: { readonly registers: number; readonly type: PtxType },
): OperandSource[] {
  const elements = operand?.kind === 'vector' ? operand.elements : operand === undefined ? [] : [operand];
  if (elements.length !== plan.registers) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const bytes = plan.type === 'f64' ? 8 : 4;
  return elements.map((element) => {
    const source = operandSource(unit, unit.facts, element);
    const fits =
      source?.kind === 'constant' || (source?.kind === 'slot' && !source.negated && source.slot.bytes === bytes);
    if (!source || !fits) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    return source;
  });
}

/** The registers of a result, all different. */
export function fragmentResults(
  unit: Unit,
  instruction: Matrix,
  operand: Operand | undefined,
  plan: { readonly registers: number; readonly type: PtxType },
): Slot[] {
  const elements = operand?.kind === 'vector' ? operand.elements : operand === undefined ? [] : [operand];
  const bytes = plan.type === 'f64' ? 8 : 4;
  const slots = elements.map((element) => {
    const slot = element.kind === 'register' ? unit.frames.slot(element.id, unit.slotBytes(element.id)) : undefined;
    if (slot?.bytes !== bytes) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    return slot;
  });
  if (slots.length !== plan.registers || new Set(slots).size !== slots.length)
    throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  return slots;
}
