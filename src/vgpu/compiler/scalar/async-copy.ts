/**
 * cp.async and its groups: a copy is put in its thread's queue (copy-queue.ts) and lands when its group is waited for. Until
 * then its target counts as uninitialised, so that a read too early is found.
 */
import type { AsyncCopy, Instruction, MemoryAccess } from '../../ptx/ir.ts';
import { ARENA } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { ENTRIES_PER_THREAD, ENTRY, poolOffset, QUEUE, THREAD } from '../copy-queue.ts';
import { plainAccess } from '../plain-access.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder, FunctionRef } from '../wasm/encoder.ts';
import type { ScalarContext } from './context.ts';
import { addressOperand, placeFunction, pushAddress64 } from './memory.ts';

export function emitAsyncCopy(context: ScalarContext, instruction: AsyncCopy): void {
  const { code, unit, thread } = context;
  switch (instruction.operation) {
    case 'copy':
      emitCopy(context, instruction);
      return;
    case 'commit':
      code.get(thread).call(commit(unit));
      return;
    case 'wait-all':
      code.get(thread).call(commit(unit)).get(thread).i32(0).call(wait(unit));
      return;
    default: {
      const keep = instruction.src[0];
      if (keep?.kind !== 'immediate') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
      code.get(thread).i32(Number(keep.bits)).call(wait(unit));
    }
  }
}

const ends = new WeakMap<AsyncCopy, { readonly target: MemoryAccess; readonly source: MemoryAccess; bytes: number }>();

function endsOf(instruction: AsyncCopy): {
  readonly target: MemoryAccess;
  readonly source: MemoryAccess;
  bytes: number;
} {
  let known = ends.get(instruction);
  if (!known) {
    const [target, source, size] = instruction.src;
    const bytes = size?.kind === 'immediate' ? Number(size.bits) : 0;
    const legal = bytes === 16 || (instruction.cache !== 'cg' && (bytes === 4 || bytes === 8));
    if (!legal || !target || !source) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
    const vector = bytes === 16 ? 4 : bytes === 8 ? 2 : 1;
    known = {
      target: plainAccess(instruction, { op: 'st', space: 'shared', type: 'b32', vector }, target),
      source: plainAccess(instruction, { op: 'ld', space: 'global', type: 'b32', vector }, source),
      bytes,
    };
    ends.set(instruction, known);
  }
  return known;
}

function emitCopy(context: ScalarContext, instruction: AsyncCopy): void {
  const { code, unit, thread } = context;
  const { target, source, bytes } = endsOf(instruction);
  const given = instruction.src[3];
  code.i32(unit.site(target)).i32(unit.site(source));
  pushAddress64(context, addressOperand(target), true);
  pushAddress64(context, addressOperand(source), true);
  if (!given) code.i32(bytes);
  else if (given.kind === 'predicate') {
    code.i32(0).i32(bytes);
    context.push(given, 'pred');
    code.op('select');
  } else
    context.temp('i32', (wanted) => {
      context.push(given, 'u32');
      code.tee(wanted).i32(bytes).get(wanted).i32(bytes).op('i32.lt_u').op('select');
    });
  code.get(thread).call(start(unit, bytes));
}

/** The copies of a group of lanes whose addresses have these strides in bytes; `context` is lane 0's. */
export function emitCopies(
  context: ScalarContext,
  instruction: AsyncCopy,
  strides: [number, number],
  lanes: number,
): void {
  const { code, unit, thread } = context;
  const { target, source, bytes } = endsOf(instruction);
  const one = start(unit, bytes);
  const group = unit.helper(
    `copy.group.${bytes}.${lanes}`,
    ['i32', 'i32', 'i64', 'i64', 'i64', 'i64', 'i32'],
    [],
    (body) => {
      const lane = body.local('i32');
      const each = body.loop();
      body.get(0).get(1).get(2).get(3).i32(bytes).get(6).get(lane).op('i32.add').call(one);
      body.get(2).get(4).op('i64.add').set(2).get(3).get(5).op('i64.add').set(3);
      body.get(lane).i32(1).op('i32.add').tee(lane).i32(lanes).op('i32.lt_u').brIf(each).end();
    },
  );
  code.i32(unit.site(target)).i32(unit.site(source));
  pushAddress64(context, addressOperand(target), true);
  pushAddress64(context, addressOperand(source), true);
  for (const stride of strides) code.i64(BigInt(stride));
  code.get(thread).call(group);
}

/** start(targetSite, sourceSite, target, source, wanted, thread): both ends checked, and the copy put in flight. */
function start(unit: Unit, bytes: number): FunctionRef {
  return unit.helper(`copy.start.${bytes}`, ['i32', 'i32', 'i64', 'i64', 'i32', 'i32'], [], (code) => {
    const [targetSite, sourceSite, target, source, wanted, thread] = [0, 1, 2, 3, 4, 5];
    const to = code.local('i32');
    const from = code.local('i32');
    if (!unit.options.checked) {
      code.get(target).op('i32.wrap_i64').globalGet(unit.arena).memory('i32.load', ARENA.shared).op('i32.add');
      code.get(source).op('i32.wrap_i64').i32(bytes).get(wanted).get(thread).call(issue(unit));
      return;
    }
    // A shared address in a register of 64 bits must have an empty high word.
    code.get(target).i64(32n).op('i64.shr_u').op('i64.eqz').if('i32');
    code
      .get(targetSite)
      .get(target)
      .get(thread)
      .call(placeFunction(unit, 'shared', 'write', bytes))
      .else();
    code.get(targetSite).get(target).get(thread).call(unit.slowPath).end().set(to);
    // What goes nowhere is not read either.
    code.get(to).globalGet(unit.arena).i32(ARENA.storeSink).op('i32.add').op('i32.eq').if();
    code.op('return').end();
    code.get(wanted).i32(bytes).op('i32.eq').if('i32');
    code
      .get(sourceSite)
      .get(source)
      .get(thread)
      .call(placeFunction(unit, 'global', 'read', bytes));
    code.else().get(wanted).op('i32.eqz').if('i32');
    // Any place will do: nothing is read there.
    code.get(to).else();
    code.get(sourceSite).get(source).get(wanted).get(thread);
    code.call(unit.importHost('pieces', ['i32', 'i64', 'i32', 'i32'], ['i32']));
    code.end().end().tee(from).if();
    code.get(to).get(from).i32(bytes).get(wanted).get(thread).call(issue(unit)).end();
  });
}

/** Pushes the address of the queue's area. */
function pushArea(code: FunctionBuilder, unit: Unit): void {
  code.globalGet(unit.arena).i32(unit.copyQueue()).op('i32.add');
}

/** Pushes the address of an entry whose number is in a local; the area is in another. */
function pushEntry(code: FunctionBuilder, area: number, number: number): void {
  code.get(area).memory('i32.load', QUEUE.pool).get(number).i32(ENTRY.shift).op('i32.shl').op('i32.add');
}

function pushThread(code: FunctionBuilder, area: number, thread: number): void {
  code.get(area).get(thread).i32(THREAD.shift).op('i32.shl').op('i32.add').i32(QUEUE.threads).op('i32.add');
}

/** issue(target, source, bytes, sourceBytes, thread): one more copy in flight. */
function issue(unit: Unit): FunctionRef {
  return unit.helper('copy.issue', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (code) => {
    const [target, source, bytes, sourceBytes, thread] = [0, 1, 2, 3, 4];
    const [area, list, number, entry, shadow] = [0, 0, 0, 0, 0].map(() => code.local('i32')) as [
      number,
      number,
      number,
      number,
      number,
    ];
    pushArea(code, unit);
    code.set(area);
    pushThread(code, area, thread);
    code.set(list);
    code.get(area).memory('i32.load', QUEUE.free).tee(number).if();
    pushEntry(code, area, number);
    code.set(entry);
    code.get(area).get(entry).memory('i32.load', ENTRY.next).memory('i32.store', QUEUE.free);
    code.else();
    code.get(area).memory('i32.load', QUEUE.top).get(area).memory('i32.load', QUEUE.capacity).op('i32.ge_s').if();
    code.call(unit.importHost('growCopies', [], [])).end();
    code.get(area).get(area).memory('i32.load', QUEUE.top).i32(1).op('i32.add').tee(number);
    code.memory('i32.store', QUEUE.top);
    pushEntry(code, area, number);
    code.set(entry).end();
    for (const [local, offset] of [
      [target, ENTRY.target],
      [source, ENTRY.source],
      [bytes, ENTRY.bytes],
      [sourceBytes, ENTRY.sourceBytes],
    ] as const)
      code.get(entry).get(local).memory('i32.store', offset);
    code.get(entry).get(list).memory('i32.load', THREAD.committed).memory('i32.store', ENTRY.group);
    code.get(entry).i32(0).memory('i32.store', ENTRY.next);
    code.get(list).memory('i32.load', THREAD.first).op('i32.eqz').if();
    code.get(list).get(number).memory('i32.store', THREAD.first).else();
    code.get(list).memory('i32.load', THREAD.last).set(entry);
    pushEntry(code, area, entry);
    code.get(number).memory('i32.store', ENTRY.next).end();
    code.get(list).get(number).memory('i32.store', THREAD.last);
    if (!unit.options.checked) return;
    code.get(target).i32(2).op('i32.shr_u').set(shadow);
    bySize(code, bytes, (size) => {
      const [load, store] = SHADOW[size];
      code
        .get(shadow)
        .get(shadow)
        .memory(load, 0, 0)
        .i32(0xf0f0f0f0 | 0)
        .op('i32.and')
        .memory(store, 0, 0);
    });
  });
}

const SHADOW = {
  4: ['i32.load8_u', 'i32.store8'],
  8: ['i32.load16_u', 'i32.store16'],
  16: ['i32.load', 'i32.store'],
} as const;

/** The code for each size that a copy may have. */
function bySize(code: FunctionBuilder, bytes: number, emit: (size: 4 | 8 | 16) => void): void {
  code.get(bytes).i32(16).op('i32.eq').if();
  emit(16);
  code.else().get(bytes).i32(8).op('i32.eq').if();
  emit(8);
  code.else();
  emit(4);
  code.end().end();
}

/** commit(thread): what has been issued since the last commit is a group. */
function commit(unit: Unit): FunctionRef {
  return unit.helper('copy.commit', ['i32'], [], (code) => {
    const area = code.local('i32');
    const list = code.local('i32');
    pushArea(code, unit);
    code.set(area);
    pushThread(code, area, 0);
    code.tee(list).get(list).memory('i32.load', THREAD.committed).i32(1).op('i32.add');
    code.memory('i32.store', THREAD.committed);
  });
}

/** wait(thread, keep): all groups but the last `keep` land. */
function wait(unit: Unit): FunctionRef {
  return unit.helper('copy.wait', ['i32', 'i32'], [], (code) => {
    const [thread, keep] = [0, 1];
    const [area, list, number, entry, limit, target, source, bytes, taken] = [0, 0, 0, 0, 0, 0, 0, 0, 0].map(() =>
      code.local('i32'),
    ) as [number, number, number, number, number, number, number, number, number];
    pushArea(code, unit);
    code.set(area);
    pushThread(code, area, thread);
    code.tee(list).memory('i32.load', THREAD.committed).get(keep).op('i32.sub').set(limit);
    const done = code.block();
    const each = code.loop();
    code.get(list).memory('i32.load', THREAD.first).tee(number).op('i32.eqz').brIf(done);
    pushEntry(code, area, number);
    code.tee(entry).memory('i32.load', ENTRY.group).get(limit).op('i32.ge_s').brIf(done);
    for (const [local, offset] of [
      [target, ENTRY.target],
      [source, ENTRY.source],
      [bytes, ENTRY.bytes],
      [taken, ENTRY.sourceBytes],
    ] as const)
      code.get(entry).memory('i32.load', offset).set(local);
    code.get(taken).get(bytes).op('i32.eq').if();
    bySize(code, bytes, (size) => {
      code.get(target).get(source);
      if (size === 16) code.memory('v128.load', 0, 2).memory('v128.store', 0, 2);
      else if (size === 8) code.memory('i64.load', 0, 2).memory('i64.store', 0, 2);
      else code.memory('i32.load').memory('i32.store');
    });
    code.else();
    code.get(target).get(source).get(taken).memoryCopy();
    code.get(target).get(taken).op('i32.add').i32(0).get(bytes).get(taken).op('i32.sub').memoryFill();
    code.end();
    if (unit.options.checked) {
      // All words of the target are owned by shared memory: whole nibbles.
      code.get(target).i32(2).op('i32.shr_u').set(source);
      bySize(code, bytes, (size) => {
        const [load, store] = SHADOW[size];
        code.get(source).get(source).memory(load, 0, 0).i32(0x0f0f0f0f).op('i32.or').memory(store, 0, 0);
      });
    }
    // The entry can be used again.
    code.get(list).get(entry).memory('i32.load', ENTRY.next).memory('i32.store', THREAD.first);
    code.get(entry).i32(0).memory('i32.store', ENTRY.target);
    code.get(entry).get(area).memory('i32.load', QUEUE.free).memory('i32.store', ENTRY.next);
    code.get(area).get(number).memory('i32.store', QUEUE.free);
    code.br(each).end().end();
  });
}

/** Emits the start of a block: nothing in flight. */
export function resetCopies(code: FunctionBuilder, unit: Unit): void {
  const area = code.local('i32');
  const { threads } = unit;
  pushArea(code, unit);
  code
    .tee(area)
    .i32(0)
    .i32(QUEUE.threads + (threads << THREAD.shift))
    .memoryFill();
  code
    .get(area)
    .i32(threads * ENTRIES_PER_THREAD)
    .memory('i32.store', QUEUE.capacity);
  code.get(area).get(area).i32(poolOffset(threads)).op('i32.add').memory('i32.store', QUEUE.pool);
}

/** Emits the exit of `count` threads from one in a local on: copies that they have not waited for are reported. */
export function emitLeftovers(
  unit: Unit,
  code: FunctionBuilder,
  thread: number,
  count: number,
  exit: Instruction | undefined,
): void {
  if (!unit.flow.kernel.instructions.some((item) => item.kind === 'async' && item.operation === 'copy')) return;
  const report = unit.importHost('leftCopies', ['i32', 'i32'], []);
  const check = unit.helper('copy.leftovers', ['i32', 'i32', 'i32'], [], (body) => {
    const area = body.local('i32');
    pushArea(body, unit);
    body.set(area);
    const each = body.loop();
    pushThread(body, area, 1);
    body.memory('i32.load', THREAD.first).if();
    body.get(0).get(1).call(report).end();
    body.get(1).i32(1).op('i32.add').set(1);
    body.get(2).i32(1).op('i32.sub').tee(2).brIf(each).end();
  });
  code
    .i32(exit ? unit.site(exit) : -1)
    .get(thread)
    .i32(count)
    .call(check);
}
