/**
 * One region as a WebAssembly function `region(first, end) -> point`: for each thread from `first` to `end` - 1 it loads
 * the registers that are live at its entry from the frames, runs until the thread exits or stops at a synchronisation
 * point, and saves what is live there. The loop over threads is inside, which is what makes scalar code fast.
 *
 * The result is the number of the point where all the threads stopped, 0 if all exited, or -1 if they differ; where
 * several points can be reached, each thread's own is stored in the arena's `next`.
 */
import type { Instruction } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { regionSuccessors, type Terminator } from '../cfg.ts';
import { definitions, uses } from '../operands.ts';
import { type Exit, emitStructured } from '../structure.ts';
import type { SyncPoints } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import { emitLeftovers } from './async-copy.ts';
import { ScalarContext } from './context.ts';
import { emitInstruction } from './instruction.ts';

/** Blocks that a thread may run from an entry until it stops. */
export function regionBlocks(unit: Unit, entry: number): number[] {
  const seen = new Set([entry]);
  for (const node of seen) for (const next of regionSuccessors(unit.flow.blocks[node]!.terminator)) seen.add(next);
  return [...seen];
}

/** What a region reads, writes and where it ends. */
export interface RegionShape {
  readonly blocks: readonly number[];
  readonly touched: ReadonlySet<number>;
  readonly defined: ReadonlySet<number>;
  /** Points where a thread may stop; 0 is exit. */
  readonly stops: readonly number[];
}

export function regionShape(unit: Unit, points: SyncPoints, entry: number): RegionShape {
  const { flow } = unit;
  const blocks = regionBlocks(unit, entry);
  const touched = new Set<number>();
  const defined = new Set<number>();
  const stops = new Set<number>();
  for (const node of blocks) {
    const block = flow.blocks[node]!;
    for (let index = block.first; index < block.end; index++) {
      const instruction = flow.kernel.instructions[index]!;
      for (const id of uses(instruction)) touched.add(id);
      for (const id of definitions(instruction)) {
        touched.add(id);
        defined.add(id);
      }
    }
    const { terminator } = block;
    if (terminator.kind === 'branch') touched.add(terminator.guard.register);
    else if (terminator.kind === 'switch' && terminator.index.kind === 'register') touched.add(terminator.index.id);
    else if (terminator.kind === 'sync' || terminator.kind === 'yield') {
      const number = points.ofBlock[node]!;
      stops.add(number);
      // Uniform registers are not in the frames, but the scheduler may want to read them there.
      for (const id of points.points[number - 1]!.saved)
        if (unit.facts.uniform[id] === 1) {
          touched.add(id);
          defined.add(id);
        }
    } else if (terminator.kind === 'exit' || terminator.kind === 'trap') stops.add(0);
  }
  return { blocks, touched, defined, stops: [...stops] };
}

/** `fresh`: the threads have not run before, so that nothing is in the frames. */
export function emitRegion(unit: Unit, points: SyncPoints, entry: number, fresh: boolean): FunctionBuilder {
  const { flow, facts, live } = unit;
  const code = unit.wasm.function(`region${entry}`, ['i32', 'i32'], ['i32']);
  const [first, end] = [0, 1];
  const arena = code.local('i32');
  const shared = code.local('i32');
  const thread = code.local('i32');
  const frame4 = code.local('i32');
  const frame8 = code.local('i32');
  const budget = code.local('i64');
  const context = new ScalarContext(unit, code, thread, arena, shared);
  context.budget = budget;
  const shape = regionShape(unit, points, entry);
  const several = shape.stops.length > 1;
  const anyStop = several ? code.local('i32') : -1;
  const allStop = several ? code.local('i32') : -1;

  code.globalGet(unit.arena).set(arena);
  code.get(arena).memory('i32.load', ARENA.shared).set(shared);
  code.get(arena).memory('i64.load', ARENA.budget).set(budget);
  if (several) code.i32(-1).set(allStop);
  emitUniform(context, shape.touched);

  const frame = (id: number): { local: number; offset: number; bytes: 4 | 8 } => {
    const slot = unit.frames.slot(id, unit.slotBytes(id));
    return { local: slot.bytes === 8 ? frame8 : frame4, offset: slot.offset, bytes: slot.bytes };
  };

  code.get(first).set(thread);
  const threads = code.loop();
  code.get(arena).get(thread).i32(2).op('i32.shl').op('i32.add').set(frame4);
  code.get(arena).get(thread).i32(3).op('i32.shl').op('i32.add').set(frame8);
  if (!fresh)
    for (const id of live[entry]!.items()) {
      if (facts.uniform[id] === 1 || !shape.touched.has(id)) continue;
      const { local, offset } = frame(id);
      code.get(local).memory(`${facts.localType[id]!}.load`, offset).set(context.localOf(id));
    }
  const done = code.block();

  const stop = (number: number): void => {
    if (number > 0)
      for (const id of points.points[number - 1]!.saved) {
        if (!shape.defined.has(id)) continue;
        const { local, offset } = frame(id);
        code.get(local).get(context.localOf(id)).memory(`${facts.localType[id]!}.store`, offset);
      }
    if (several) {
      code.get(arena).get(thread).i32(1).op('i32.shl').op('i32.add').i32(number).memory('i32.store16', ARENA.next);
      code.get(anyStop).i32(number).op('i32.or').set(anyStop);
      code.get(allStop).i32(number).op('i32.and').set(allStop);
    }
    code.br(done);
  };

  emitStructured(
    flow.blocks.map((block) => [...new Set(regionSuccessors(block.terminator))]),
    entry,
    {
      code,
      exitOf: (node) => exitOf(flow.blocks[node]!.terminator),
      body(node) {
        const block = flow.blocks[node]!;
        if (block.cost !== 0) code.get(budget).i64(BigInt(block.cost)).op('i64.sub').set(budget);
        for (let index = block.first; index < block.end; index++) {
          const instruction = flow.kernel.instructions[index]!;
          if (isUniformInstruction(unit, instruction)) continue;
          emitInstruction(context, instruction, () => code.get(budget).i64(1n).op('i64.sub').set(budget));
        }
        const { terminator } = block;
        if (terminator.kind === 'sync' || terminator.kind === 'yield') stop(points.ofBlock[node]!);
        else if (terminator.kind === 'trap') {
          code.i32(unit.site(flow.kernel.instructions[terminator.instruction]!)).get(thread).call(unit.trap);
          stop(0);
        } else if (terminator.kind === 'exit') {
          emitLeftovers(unit, code, thread, 1, flow.kernel.instructions[block.end]);
          stop(0);
        }
      },
      selector(node) {
        const { terminator } = flow.blocks[node]!;
        if (terminator.kind === 'branch') {
          const push = (): void => {
            code.get(context.localOf(terminator.guard.register));
            if (terminator.guard.negated) code.op('i32.eqz');
          };
          if (flow.blocks[node]!.countTaken) {
            code.get(budget);
            push();
            code.op('i64.extend_i32_u').op('i64.sub').set(budget);
          }
          push();
        } else if (terminator.kind === 'switch') context.push(terminator.index, 'u32');
      },
      backEdge() {
        code.get(budget).i64(0n).op('i64.lt_s').rarely();
        code.get(arena).get(budget).memory('i64.store', ARENA.budget);
        code.call(unit.outOfBudget).op('unreachable').end();
      },
    },
  );
  code.end();
  code.get(thread).i32(1).op('i32.add').tee(thread).get(end).op('i32.lt_u').brIf(threads).end();
  code.get(arena).get(budget).memory('i64.store', ARENA.budget);
  if (several) code.get(anyStop).i32(-1).get(anyStop).get(allStop).op('i32.eq').op('select');
  else code.i32(shape.stops[0] ?? 0);
  return code;
}

/** How the structurer sees a terminator. */
export function exitOf(terminator: Terminator): Exit {
  switch (terminator.kind) {
    case 'jump':
      return { kind: 'jump', to: terminator.to };
    case 'branch':
      return { kind: 'branch', taken: terminator.taken, otherwise: terminator.otherwise };
    case 'switch':
      return {
        kind: 'switch',
        targets: terminator.targets.slice(0, -1),
        otherwise: terminator.targets[terminator.targets.length - 1]!,
      };
    default:
      return { kind: 'leave' };
  }
}

/** True for instructions whose results are all computed at the head of a region. */
export function isUniformInstruction(unit: Unit, instruction: Instruction): boolean {
  const written = definitions(instruction);
  return written.length > 0 && written.every((id) => unit.facts.uniform[id] === 1);
}

/** Computes the uniform registers of a set, and those they depend on, once. */
export function emitUniform(context: ScalarContext, wanted: ReadonlySet<number>): void {
  const { unit } = context;
  const emitted = new Set<number>();
  const emit = (id: number): void => {
    if (unit.facts.uniform[id] !== 1) return;
    const index = unit.facts.soleDefinition[id]!;
    if (emitted.has(index)) return;
    emitted.add(index);
    const instruction = unit.flow.kernel.instructions[index]!;
    for (const source of uses(instruction)) emit(source);
    emitInstruction(context, instruction);
  };
  for (const id of wanted) emit(id);
}
