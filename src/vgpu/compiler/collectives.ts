/**
 * Warp-wide exchanges on registers that stopped threads have saved in frames: shfl, vote, match, redux, activemask,
 * elect. Equal to the interpreter's in every lane, poison for absent lanes included.
 */
import type { Warp } from '../ptx/ir.ts';
import { isSigned } from '../ptx/ir.ts';
import type { Slot } from './arena.ts';
import type { FaultReporter } from './faults.ts';
import type { OperandSource } from './syncpoints.ts';

/** What a lane gets from one that is not there. */
const POISON = 0xfbfbfbfb | 0;
const LANES = 32;

/** A collective with its operands and results located. */
export interface Collective {
  readonly instruction: Warp;
  readonly sources: readonly (OperandSource | undefined)[];
  readonly members: OperandSource | undefined;
  readonly results: readonly (Slot | undefined)[];
}

/** The frames of a block: values by slot and thread. */
export class Frames {
  constructor(
    private readonly i32: Int32Array,
    private readonly arena: number,
  ) {}

  word(slot: Slot, thread: number, part = 0): number {
    return this.i32[(this.arena + slot.offset + thread * slot.bytes + 4 * part) >>> 2]!;
  }

  setWord(slot: Slot, thread: number, value: number, part = 0): void {
    this.i32[(this.arena + slot.offset + thread * slot.bytes + 4 * part) >>> 2] = value;
  }

  /** A 32-bit operand of a thread. */
  value(source: OperandSource | undefined, thread: number): number {
    if (!source) return 0;
    if (source.kind === 'constant') return Number(BigInt.asIntN(32, source.bits));
    const value = this.word(source.slot, thread);
    return source.negated ? (value === 0 ? 1 : 0) : value;
  }
}

/**
 * Performs the exchange for the lanes of `mask` of the warp whose first thread is `first`. `present` are the lanes that
 * the warp ever had.
 */
export function exchange(
  collective: Collective,
  frames: Frames,
  first: number,
  mask: number,
  present: number,
  reporter: FaultReporter,
): void {
  const { instruction, sources, results } = collective;
  const set = (index: number, lane: number, value: number): void => {
    const slot = results[index];
    if (!slot) return;
    frames.setWord(slot, first + lane, value);
    if (slot.bytes === 8) frames.setWord(slot, first + lane, 0, 1);
  };
  const each = (visit: (lane: number) => void): void => {
    for (let lane = 0, m = mask; m !== 0; lane++, m >>>= 1) if ((m & 1) !== 0) visit(lane);
  };
  switch (instruction.op) {
    case 'shfl':
      shuffle(collective, frames, first, mask, present, reporter, set);
      return;
    case 'vote': {
      let yes = 0;
      each((lane) => {
        if (frames.value(sources[0], first + lane) !== 0) yes |= 1 << lane;
      });
      const holds =
        instruction.mode === 'all' ? yes === mask : instruction.mode === 'any' ? yes !== 0 : yes === 0 || yes === mask;
      each((lane) => set(0, lane, instruction.mode === 'ballot' ? yes : holds ? 1 : 0));
      return;
    }
    case 'match': {
      const source = sources[0];
      const high = (lane: number): number =>
        source?.kind === 'slot' && source.slot.bytes === 8 ? frames.word(source.slot, first + lane, 1) : 0;
      const equals: number[] = [];
      each((lane) => {
        let equal = 0;
        each((other) => {
          const same =
            frames.value(source, first + lane) === frames.value(source, first + other) && high(lane) === high(other);
          if (same) equal |= 1 << other;
        });
        equals[lane] = equal;
      });
      let all = true;
      each((lane) => {
        if (equals[lane] !== mask) all = false;
      });
      each((lane) => {
        if (instruction.mode === 'any') set(0, lane, equals[lane]!);
        else {
          set(0, lane, all ? mask : 0);
          set(1, lane, all ? 1 : 0);
        }
      });
      return;
    }
    case 'redux': {
      let result: number | undefined;
      const combine = combiner(instruction);
      each((lane) => {
        const value = frames.value(sources[0], first + lane);
        result = result === undefined ? value : combine(result, value);
      });
      each((lane) => set(0, lane, result ?? 0));
      return;
    }
    case 'activemask':
      each((lane) => set(0, lane, mask));
      return;
    case 'elect': {
      const leader = 31 - Math.clz32(mask & -mask);
      each((lane) => {
        set(0, lane, leader);
        set(1, lane, lane === leader ? 1 : 0);
      });
      return;
    }
    case 'warpsync':
      return;
  }
}

function combiner(instruction: Warp): (a: number, b: number) => number {
  const signed = isSigned(instruction.type);
  switch (instruction.mode) {
    case 'add':
      return (a, b) => (a + b) | 0;
    case 'and':
      return (a, b) => a & b;
    case 'or':
      return (a, b) => a | b;
    case 'xor':
      return (a, b) => a ^ b;
    case 'min':
      return signed ? (a, b) => Math.min(a, b) : (a, b) => Math.min(a >>> 0, b >>> 0) | 0;
    default:
      return signed ? (a, b) => Math.max(a, b) : (a, b) => Math.max(a >>> 0, b >>> 0) | 0;
  }
}

const values = new Int32Array(LANES);

function shuffle(
  collective: Collective,
  frames: Frames,
  first: number,
  mask: number,
  present: number,
  reporter: FaultReporter,
  set: (index: number, lane: number, value: number) => void,
): void {
  const { instruction, sources } = collective;
  values.fill(POISON);
  for (let lane = 0; lane < LANES; lane++)
    if (((mask >>> lane) & 1) !== 0) values[lane] = frames.value(sources[0], first + lane);
  for (let lane = 0; lane < LANES; lane++) {
    if (((mask >>> lane) & 1) === 0) continue;
    // PTX ISA 9.7.9.6: c holds the clamp in bits 0-4 and the segment mask in bits 8-12.
    const operand = frames.value(sources[1], first + lane) & 31;
    const control = frames.value(sources[2], first + lane);
    const clamp = control & 31;
    const segment = (control >>> 8) & 31;
    const limit = (lane & segment) | (clamp & ~segment);
    let from: number;
    let valid: boolean;
    switch (instruction.mode) {
      case 'up':
        from = lane - operand;
        valid = from >= limit;
        break;
      case 'down':
        from = lane + operand;
        valid = from <= limit;
        break;
      case 'bfly':
        from = lane ^ operand;
        valid = from <= limit;
        break;
      default:
        from = (lane & segment) | (operand & ~segment);
        valid = from <= limit;
    }
    if (!valid) from = lane;
    if (((mask >>> from) & 1) === 0) {
      reporter.doubt(`${reporter.who(first + lane)} shuffles a value from lane ${from}, which is not there.`);
      const gone = ((present >>> from) & 1) === 0 ? 'does not exist in this warp' : 'has exited or is not in the mask';
      reporter.note(first + lane, {
        kind: 'absent-lane',
        message: `${reporter.who(first + lane)} shuffles a value from lane ${from}, which ${gone}: the value is undefined.`,
        instruction,
      });
    }
    set(0, lane, values[from]!);
    set(1, lane, valid ? 1 : 0);
  }
}
