/**
 * One region for groups of lanes in lockstep: `region(first, end) -> point`, like its scalar twin, which runs the threads
 * left over at the end. Where the lanes of a group would part (a branch on a varying predicate that they do not all take
 * alike, or addresses that wrap around), their registers are saved to the frames and scalar code runs those threads, from
 * that block to the next synchronisation.
 */
import type { Instruction, MemoryAccess } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { regionSuccessors } from '../cfg.ts';
import { definitions, uses } from '../operands.ts';
import { emitCopies, emitLeftovers } from '../scalar/async-copy.ts';
import { reinterpret, ScalarContext } from '../scalar/context.ts';
import { emitInstruction } from '../scalar/instruction.ts';
import { emitUniform, exitOf, isUniformInstruction, regionShape } from '../scalar/region.ts';
import { emitStructured } from '../structure.ts';
import type { SyncPoints } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import { vectorForm } from './arithmetic.ts';
import { type Classification, isUniform } from './classify.ts';
import { SimdContext } from './context.ts';
import { emitVectorAccess, isContiguous, isVectorAccess } from './memory.ts';
import { Pins } from './pins.ts';
import { emitRunLoad, findRuns } from './runs.ts';
import { emitScattered, isScattered } from './scattered.ts';

export interface SimdOptions {
  readonly lanes: number;
  readonly classification: Classification;
  /** The scalar function that runs threads from a block on. */
  scalarFrom(block: number): FunctionRef;
}

export function emitSimdRegion(
  unit: Unit,
  points: SyncPoints,
  entry: number,
  fresh: boolean,
  scalarRegion: FunctionRef,
  options: SimdOptions,
): FunctionBuilder {
  const { flow, facts, live } = unit;
  const { lanes, classification } = options;
  const code = unit.wasm.function(`simd${entry}`, ['i32', 'i32'], ['i32']);
  const [first, end] = [0, 1];
  const [arena, shared, thread, laneThread, frame4, frame8, result] = [0, 0, 0, 0, 0, 0, 0].map(() =>
    code.local('i32'),
  ) as [number, number, number, number, number, number, number];
  const budget = code.local('i64');
  const scalar = new ScalarContext(unit, code, thread, arena, shared);
  scalar.lanes = lanes;
  const single = new ScalarContext(unit, code, laneThread, arena, shared, true);
  scalar.budget = budget;
  single.budget = budget;
  const context = new SimdContext(scalar, single, classification, lanes);
  const shape = regionShape(unit, points, entry);
  const several = shape.stops.length > 1;
  const anyStop = several ? code.local('i32') : -1;
  const allStop = several ? code.local('i32') : -1;

  code.globalGet(unit.arena).set(arena);
  code.get(arena).memory('i32.load', ARENA.shared).set(shared);
  code.get(arena).memory('i64.load', ARENA.budget).set(budget);
  if (several) code.i32(-1).set(allStop);
  emitUniform(scalar, shape.touched);

  const count = (amount: number): void => {
    if (amount !== 0) code.get(budget).i64(BigInt(amount)).op('i64.sub').set(budget);
  };
  const slotOf = (id: number): { local: number; offset: number; wide: boolean } => {
    const slot = unit.frames.slot(id, unit.slotBytes(id));
    return { local: slot.bytes === 8 ? frame8 : frame4, offset: slot.offset, wide: slot.bytes === 8 };
  };
  const load = (id: number): void => {
    const { local, offset } = slotOf(id);
    if (!context.isVarying(id)) {
      code.get(local).memory(`${facts.localType[id]!}.load`, offset).set(scalar.localOf(id));
      return;
    }
    for (const [w, vector] of context.vectorsOf(id).entries()) {
      code.get(local).memory('v128.load', offset + 16 * w, 2);
      if (context.isPredicate(id)) code.op('i32x4.neg');
      code.set(vector);
    }
  };
  const save = (id: number): void => {
    const { local, offset, wide } = slotOf(id);
    const item = context.classOf(id);
    const vectors = (wide ? 2 : 1) * context.width;
    const type = facts.localType[id]!;
    for (let w = 0; w < vectors; w++) {
      code.get(local);
      if (item === 'varying') {
        code.get(context.vectorsOf(id)[w]!);
        if (context.isPredicate(id)) code.splat32(1).op('v128.and');
      } else {
        // By bits: an affine integer may live in a local of float type.
        code.get(scalar.localOf(id));
        reinterpret(code, type, wide ? 'i64' : 'i32');
        code.op(wide ? 'i64x2.splat' : 'i32x4.splat');
        if (item.stride !== 0) {
          context.pushSteps(item.stride, wide, w);
          code.op(wide ? 'i64x2.add' : 'i32x4.add');
        }
      }
      code.memory('v128.store', offset + 16 * w, 2);
    }
  };
  /** Notes in `next` that all lanes stopped at the point in a local or given as a number. */
  const noteStop = (push: () => void): void => {
    const bytes = 2 * lanes;
    const halves = (): void => {
      push();
      code.i32(0x10001).op('i32.mul').op('i32x4.splat');
    };
    for (let at = 0; at < bytes; at += 16) {
      code.get(arena).get(thread).i32(1).op('i32.shl').op('i32.add');
      halves();
      if (bytes >= 16) code.memory('v128.store', ARENA.next + at, 1);
      else code.memoryLane('v128.store64_lane', 0, ARENA.next);
    }
    code.get(anyStop);
    push();
    code.op('i32.or').set(anyStop).get(allStop);
    push();
    code.op('i32.and').set(allStop);
  };
  const merge = (fill: boolean): void => {
    if (!several) return;
    code.get(result).i32(0).op('i32.lt_s').if();
    code.i32(0xffff).set(anyStop).i32(0).set(allStop).else();
    if (fill) noteStop(() => code.get(result));
    else {
      code.get(anyStop).get(result).op('i32.or').set(anyStop);
      code.get(allStop).get(result).op('i32.and').set(allStop);
    }
    code.end();
  };
  const handOver = (target: FunctionRef, until: () => void): void => {
    code.get(arena).get(budget).memory('i64.store', ARENA.budget);
    code.get(thread);
    until();
    code.call(target).set(result);
    code.get(arena).memory('i64.load', ARENA.budget).set(budget);
  };

  code.get(first).set(thread);
  const rest = code.block();
  const groups = code.loop();
  code.get(thread).i32(lanes).op('i32.add').get(end).op('i32.gt_u').brIf(rest);
  code.get(arena).get(thread).i32(2).op('i32.shl').op('i32.add').set(frame4);
  code.get(arena).get(thread).i32(3).op('i32.shl').op('i32.add').set(frame8);
  if (!fresh) for (const id of live[entry]!.items()) if (facts.uniform[id] === 0 && shape.touched.has(id)) load(id);
  const done = code.block();

  const deopt = (block: number): void => {
    for (const id of live[block]!.items()) if (facts.uniform[id] === 0 && shape.defined.has(id)) save(id);
    handOver(options.scalarFrom(block), () => code.get(thread).i32(lanes).op('i32.add'));
    merge(true);
    code.br(done);
  };
  const stop = (number: number): void => {
    if (number > 0) for (const id of points.points[number - 1]!.saved) if (shape.defined.has(id)) save(id);
    if (several) noteStop(() => code.i32(number));
    code.br(done);
  };
  const isVaryingBranch = (node: number): boolean => {
    const { terminator } = flow.blocks[node]!;
    if (terminator.kind === 'branch') return context.isVarying(terminator.guard.register);
    return terminator.kind === 'switch' && !isUniform(classification.operand(terminator.index));
  };

  emitStructured(
    flow.blocks.map((block) => [...new Set(regionSuccessors(block.terminator))]),
    entry,
    {
      code,
      exitOf: (node) => exitOf(flow.blocks[node]!.terminator),
      body(node) {
        const block = flow.blocks[node]!;
        context.forget();
        if (classification.extensions.has(block.first) && block.first < block.end) {
          pushWraps(context, flow.kernel.instructions[block.first]!);
          code.rarely();
          deopt(node);
          code.end();
        }
        if (!isVaryingBranch(node)) count(block.cost * lanes);
        const runs = unit.options.checked ? findRuns(context, flow, block) : undefined;
        const pins = new Pins(context, flow, live, node);
        for (let index = block.first; index < block.end; index++) {
          const instruction = flow.kernel.instructions[index]!;
          if (isUniformInstruction(unit, instruction)) continue;
          pins.before(index);
          const run = runs?.get(index);
          if (run) emitRunLoad(context, instruction as MemoryAccess, index, run);
          else emitGroupInstruction(context, instruction, budget, laneThread, thread);
          for (const id of definitions(instruction)) context.forget(id);
        }
        const { terminator } = block;
        if (terminator.kind === 'sync' || terminator.kind === 'yield') stop(points.ofBlock[node]!);
        else if (terminator.kind === 'trap') {
          code.i32(unit.site(flow.kernel.instructions[terminator.instruction]!)).get(thread).call(unit.trap);
          stop(0);
        } else if (terminator.kind === 'exit') {
          emitLeftovers(unit, code, thread, lanes, flow.kernel.instructions[block.end]);
          stop(0);
        }
      },
      selector(node) {
        const block = flow.blocks[node]!;
        const { terminator } = block;
        if (terminator.kind === 'switch') {
          if (isVaryingBranch(node)) {
            deopt(node);
            code.i32(0);
          } else scalar.push(terminator.index, 'u32');
          return;
        }
        if (terminator.kind !== 'branch') return;
        const { register, negated } = terminator.guard;
        const push = (local: number): void => {
          code.get(local);
          if (negated) code.op('i32.eqz');
        };
        const countTaken = (local: number): void => {
          if (!block.countTaken) return;
          code.get(budget);
          push(local);
          code.op('i64.extend_i32_u').i64(BigInt(lanes)).op('i64.mul').op('i64.sub').set(budget);
        };
        if (!context.isVarying(register)) {
          countTaken(scalar.localOf(register));
          push(scalar.localOf(register));
          return;
        }
        scalar.temp('i32', (any) => {
          const vectors = context.vectorsOf(register);
          const combine = (operator: 'v128.or' | 'v128.and'): void => {
            vectors.forEach((vector, index) => {
              code.get(vector);
              if (index > 0) code.op(operator);
            });
          };
          combine('v128.or');
          code.op('v128.any_true').tee(any);
          combine('v128.and');
          code.op('i32x4.all_true').op('i32.ne').rarely();
          deopt(node);
          code.end();
          count(block.cost * lanes);
          countTaken(any);
          push(any);
        });
      },
      backEdge() {
        code.get(budget).i64(0n).op('i64.lt_s').rarely();
        code.get(arena).get(budget).memory('i64.store', ARENA.budget);
        code.call(unit.outOfBudget).op('unreachable').end();
      },
    },
  );
  code.end();
  code.get(thread).i32(lanes).op('i32.add').set(thread).br(groups).end().op('unreachable').end();
  code.get(thread).get(end).op('i32.lt_u').if();
  handOver(scalarRegion, () => code.get(end));
  merge(false);
  code.end();
  code.get(arena).get(budget).memory('i64.store', ARENA.budget);
  if (several) code.get(anyStop).i32(-1).get(anyStop).get(allStop).op('i32.eq').op('select');
  else code.i32(shape.stops[0] ?? 0);
  return code;
}

/** Pushes 1 when a 32-bit affine value that is about to be extended to 64 bits wraps around within the group. */
function pushWraps(context: SimdContext, instruction: Instruction): void {
  const { code, scalar, lanes } = context;
  const source = instruction.src.find((operand) => {
    const item = context.classification.operand(operand);
    return item !== 'varying' && item.stride !== 0 && operand.kind === 'register' && TYPE_BYTES[operand.type] === 4;
  });
  const signed =
    instruction.kind === 'convert'
      ? instruction.from === 's32'
      : instruction.kind === 'arithmetic' && instruction.type === 's32';
  const item = source && context.classification.operand(source);
  if (!source || item === undefined || item === 'varying') {
    code.i32(0);
    return;
  }
  const type = signed ? 's32' : 'u32';
  const last = item.stride * (lanes - 1);
  const extend = signed ? 'i64.extend_i32_s' : 'i64.extend_i32_u';
  // extend(base + last) differs from extend(base) + last.
  scalar.push(source, type);
  code.i32(last).op('i32.add').op(extend);
  scalar.push(source, type);
  code.op(extend).i64(BigInt(last)).op('i64.add').op('i64.ne');
}

function emitGroupInstruction(
  context: SimdContext,
  instruction: Instruction,
  budget: number,
  laneThread: number,
  thread: number,
): void {
  const { code, scalar } = context;
  const { guard } = instruction;
  const plain = guard ? ({ ...instruction, guard: undefined } as Instruction) : instruction;
  if (!guard) {
    emitUnguarded(context, instruction, laneThread, thread);
    return;
  }
  if (!context.isVarying(guard.register)) {
    code.get(scalar.localOf(guard.register));
    if (guard.negated) code.op('i32.eqz');
    code.if();
    code.get(budget).i64(BigInt(context.lanes)).op('i64.sub').set(budget);
    context.conditionally(() => emitUnguarded(context, plain, laneThread, thread));
    code.end();
    return;
  }
  // Only the lanes whose guard holds execute it.
  for (const vector of context.vectorsOf(guard.register)) {
    code.get(budget);
    code.get(vector).op('i32x4.bitmask').op('i32.popcnt');
    if (guard.negated) code.set(laneThread).i32(4).get(laneThread).op('i32.sub');
    code.op('i64.extend_i32_u').op('i64.sub').set(budget);
  }
  const form = vectorForm(context, plain);
  const target = plain.dst[0];
  if (
    form &&
    target &&
    (target.kind === 'register' || target.kind === 'predicate') &&
    fits(context, form.type, target.id)
  ) {
    const vectors = context.vectorsOf(target.id);
    const wide = vectors.length > context.width;
    const masks = context.vectorsOf(guard.register);
    for (let w = 0; w < vectors.length; w++) {
      form.push(w);
      context.temp((fresh) => {
        code.set(fresh);
        const mask = (): void => {
          code.get(masks[wide ? w >> 1 : w]!);
          if (wide) code.op((w & 1) === 0 ? 'i64x2.extend_low_i32x4_s' : 'i64x2.extend_high_i32x4_s');
        };
        code.get(guard.negated ? vectors[w]! : fresh).get(guard.negated ? fresh : vectors[w]!);
        mask();
        code.op('v128.bitselect');
        context.set(target.id, form.type, w);
      });
    }
    return;
  }
  laneByLane(context, instruction, laneThread, thread);
}

/** A form's lanes are as wide as the register. */
function fits(context: SimdContext, type: keyof typeof TYPE_BYTES, id: number): boolean {
  if (!context.isVarying(id)) return false;
  return (type !== 'pred' && TYPE_BYTES[type] === 8) === context.isWide(id);
}

function emitUnguarded(context: SimdContext, instruction: Instruction, laneThread: number, thread: number): void {
  const { code, scalar } = context;
  const written = definitions(instruction);
  if (instruction.kind === 'fence' || (instruction.kind === 'system' && instruction.effect === 'none')) return;
  if (usesCarry(instruction)) {
    laneByLane(context, instruction, laneThread, thread);
    return;
  }
  if (instruction.kind === 'memory') {
    const lanes = (): void => laneByLane(context, instruction, laneThread, thread);
    if (emitMemoryForm(context, instruction, lanes)) return;
  }
  if (instruction.kind === 'async' && instruction.operation === 'copy' && instruction.src.length === 3) {
    const [target, source] = instruction.src.map((operand) => context.classification.operand(operand));
    if (target !== 'varying' && source !== 'varying') {
      emitCopies(scalar, instruction, [target!.stride, source!.stride], context.lanes);
      return;
    }
  }
  const sources = uses(instruction);
  const allSame = sources.every((id) => isUniform(context.classOf(id))) && !readsLane(context, instruction);
  if (instruction.kind === 'memory') {
    const own = instruction.space === 'local' || instruction.space === 'generic';
    if (allSame && !own && written.every((id) => !context.isVarying(id))) {
      emitInstruction(scalar, instruction);
      return;
    }
    laneByLane(context, instruction, laneThread, thread);
    return;
  }
  if (instruction.kind === 'atomic') {
    laneByLane(context, instruction, laneThread, thread);
    return;
  }
  // Scalar code keeps uniform and affine registers right: it computes lane 0's value.
  if (written.length > 0 && written.every((id) => !context.isVarying(id))) {
    emitInstruction(scalar, instruction);
    return;
  }
  const form = vectorForm(context, instruction);
  const target = instruction.dst[0];
  if (
    form &&
    target &&
    (target.kind === 'register' || target.kind === 'predicate') &&
    fits(context, form.type, target.id)
  ) {
    const vectors = context.vectorsOf(target.id);
    for (let w = 0; w < vectors.length; w++) {
      form.push(w);
      context.set(target.id, form.type, w);
    }
    return;
  }
  if (allSame && written.length > 0) {
    // Once, then to all lanes.
    const temps = new Map(written.map((id) => [id, code.local(scalar.facts.localType[id]!)] as const));
    // A result may be a source too.
    for (const [id, local] of temps) if (sources.includes(id)) code.get(scalar.localOf(id)).set(local);
    scalar.withLocals(temps, () => emitInstruction(scalar, instruction));
    for (const [id, local] of temps) {
      if (!context.isVarying(id)) {
        code.get(local).set(scalar.localOf(id));
        continue;
      }
      const type = scalar.facts.localType[id]!;
      for (const vector of context.vectorsOf(id)) {
        if (context.isPredicate(id)) code.i32(0).get(local).op('i32.sub').op('i32x4.splat');
        else
          code
            .get(local)
            .op(
              type === 'f32'
                ? 'f32x4.splat'
                : type === 'f64'
                  ? 'f64x2.splat'
                  : type === 'i64'
                    ? 'i64x2.splat'
                    : 'i32x4.splat',
            );
        code.set(vector);
      }
    }
    return;
  }
  laneByLane(context, instruction, laneThread, thread);
}

/** Emits a memory access that has a form for all lanes together; false when it has none. */
function emitMemoryForm(context: SimdContext, instruction: MemoryAccess, otherwise: () => void): boolean {
  const vector = isVectorAccess(context, instruction);
  if (isScattered(context, instruction) && !isContiguous(context, instruction))
    emitScattered(context, instruction, vector ? () => emitVectorAccess(context, instruction) : otherwise);
  else if (vector) emitVectorAccess(context, instruction);
  else return false;
  return true;
}

const usesCarry = (instruction: Instruction): boolean =>
  instruction.kind === 'arithmetic' && (instruction.carryOut || /^(addc|subc|madc)$/.test(instruction.op));

/** True when an operand is a special register that differs between lanes. */
function readsLane(context: SimdContext, instruction: Instruction): boolean {
  return instruction.src.some((operand) => {
    const item = operand.kind === 'special' ? context.classification.operand(operand) : undefined;
    return item !== undefined && !isUniform(item);
  });
}

/** The instruction for each lane in turn, by scalar code on lanes taken out of their vectors. */
function laneByLane(context: SimdContext, instruction: Instruction, laneThread: number, thread: number): void {
  const { code, scalar, lane } = context;
  const written = new Set(definitions(instruction));
  const involved = new Set([...uses(instruction), ...written]);
  const locals = new Map<number, number>();
  const fresh = new Map<number, number>();
  for (const id of involved) {
    if (isUniform(context.classOf(id)) && !written.has(id)) locals.set(id, scalar.localOf(id));
    else {
      const local = code.local(scalar.facts.localType[id]!);
      locals.set(id, local);
      fresh.set(id, local);
    }
  }
  const guarded = instruction.guard !== undefined;
  const results = new Map<number, number>();
  for (let k = 0; k < context.lanes; k++) {
    code.get(thread).i32(k).op('i32.add').set(laneThread);
    for (const [id, local] of fresh) {
      const item = context.classOf(id);
      // A result alone is not read, unless a guard may leave it as it is.
      if (written.has(id) && !uses(instruction).includes(id) && !guarded) continue;
      if (item === 'varying') context.extract(id, k);
      else {
        const wide = context.isWide(id);
        code.get(scalar.localOf(id));
        if (item.stride !== 0 && k > 0) {
          // An integer may live in a local of float type.
          reinterpret(code, scalar.facts.localType[id]!, wide ? 'i64' : 'i32');
          if (wide) code.i64(BigInt(item.stride * k)).op('i64.add');
          else code.i32(item.stride * k).op('i32.add');
          reinterpret(code, wide ? 'i64' : 'i32', scalar.facts.localType[id]!);
        }
      }
      code.set(local);
    }
    if (usesCarry(instruction)) lane.carryLocal = context.carryOf(k);
    lane.withLocals(locals, () => emitInstruction(lane, instruction));
    for (const id of written) {
      const local = locals.get(id)!;
      if (context.isVarying(id)) context.insert(id, k, local);
      else if (k === 0) {
        // Lane 0's value is kept aside: the other lanes may still read the old one.
        const kept = code.local(scalar.facts.localType[id]!);
        code.get(local).set(kept);
        results.set(id, kept);
      }
    }
  }
  for (const [id, kept] of results) code.get(kept).set(scalar.localOf(id));
}
