/**
 * The control-flow graph of a flattened kernel. Blocks end at branches and after synchronisation: a thread that
 * reaches a `sync` or `yield` terminator stops there and is continued by the scheduler, in another region.
 */

import { dominates, dominatorTree, type Graph } from '../analysis/dominators.ts';
import type { Guard, Instruction, Operand } from '../ptx/ir.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { FlatKernel } from './flatten.ts';
import { definitions, uses } from './operands.ts';

export type Terminator =
  | { readonly kind: 'jump'; readonly to: number }
  | { readonly kind: 'branch'; readonly guard: Guard; readonly taken: number; readonly otherwise: number }
  | { readonly kind: 'switch'; readonly index: Operand; readonly targets: readonly number[]; readonly line: number }
  /** Wait for others at `instruction`, then go on in block `next`. */
  | { readonly kind: 'sync'; readonly instruction: number; readonly next: number }
  /** Let other threads run, then go on in block `next`. */
  | { readonly kind: 'yield'; readonly next: number }
  | { readonly kind: 'trap'; readonly instruction: number }
  | { readonly kind: 'exit' };

export interface Block {
  /** Straight-line instructions first .. end-1. */
  readonly first: number;
  readonly end: number;
  terminator: Terminator;
  /**
   * Thread-instructions that a pass through the block counts, those under a guard left out: an instruction whose guard is
   * false is not executed. May be negative, to make up for a branch counted too early.
   */
  cost: number;
  /** The branch at the end must be counted when it is taken; otherwise the costs of blocks have seen to it. */
  countTaken?: boolean;
}

export interface ControlFlow {
  readonly kernel: FlatKernel;
  readonly blocks: readonly Block[];
  readonly entry: number;
}

/** Blocks that a terminator leads to, in this region or in the next. */
export function successors(terminator: Terminator): readonly number[] {
  switch (terminator.kind) {
    case 'jump':
      return [terminator.to];
    case 'branch':
      return [terminator.taken, terminator.otherwise];
    case 'switch':
      return terminator.targets;
    case 'sync':
    case 'yield':
      return [terminator.next];
    default:
      return [];
  }
}

/** Blocks that a thread reaches without waiting. */
export function regionSuccessors(terminator: Terminator): readonly number[] {
  return terminator.kind === 'sync' || terminator.kind === 'yield' ? [] : successors(terminator);
}

/** Instructions at which a thread may have to wait for others. */
export function isSynchronisation(instruction: Instruction): boolean {
  return instruction.kind === 'barrier' || instruction.kind === 'warp' || instruction.kind === 'matrix';
}

const endsBlock = (instruction: Instruction): boolean =>
  (instruction.kind === 'control' && instruction.op !== 'call') ||
  isSynchronisation(instruction) ||
  (instruction.kind === 'system' && instruction.effect === 'nanosleep');

/**
 * @param cuts instructions before which a block must begin, besides the usual ones
 * @param isolate conditional branches get blocks of their own, so that a thread can be made to decide one again
 */
export function buildControlFlow(
  kernel: FlatKernel,
  cuts: ReadonlySet<number> = new Set(),
  isolate = false,
): ControlFlow {
  const { instructions } = kernel;
  const count = instructions.length;
  const leader = new Uint8Array(count + 1);
  leader[0] = 1;
  instructions.forEach((instruction, index) => {
    if (instruction.kind === 'control') for (const target of instruction.targets) leader[target] = 1;
    if (endsBlock(instruction)) leader[index + 1] = 1;
    if (cuts.has(index)) leader[index] = 1;
    if (
      isolate &&
      endsBlock(instruction) &&
      (instruction.guard || (instruction.kind === 'control' && instruction.op === 'brx'))
    )
      leader[index] = 1;
  });
  // Block numbers by leader; running off the end is an exit, so the end is a block too.
  const blockAt = new Int32Array(count + 1).fill(-1);
  let total = 0;
  for (let index = 0; index <= count; index++) if (leader[index] || index === count) blockAt[index] = total++;
  const blocks: Block[] = new Array(total);
  const extra: Block[] = [];
  for (let index = 0; index <= count; index++) {
    if (blockAt[index] === -1) continue;
    let end = index;
    while (end < count && !endsBlock(instructions[end]!) && (end === index || blockAt[end] === -1)) end++;
    // The block runs to its ending instruction, to the next leader, or to the end of the list.
    const last = end < count && endsBlock(instructions[end]!) && (end === index || blockAt[end] === -1);
    let terminator: Terminator;
    let cost = 0;
    for (let at = index; at < end; at++) if (!instructions[at]!.guard) cost++;
    if (index === count) terminator = { kind: 'exit' };
    else if (!last) terminator = { kind: 'jump', to: blockAt[end]! };
    else {
      terminator = terminatorOf(instructions[end]!, end, blockAt);
      const { guard } = instructions[end]!;
      if (!guard) cost++;
      else if (terminator.kind !== 'branch') {
        const number = total + extra.length;
        extra.push({ first: end, end, terminator, cost: 1 });
        terminator = { kind: 'branch', guard, taken: number, otherwise: blockAt[end + 1]! };
      }
    }
    blocks[blockAt[index]!] = { first: index, end, terminator, cost };
  }
  blocks.push(...extra);
  countBranches(blocks, instructions);
  const flow = { kernel, blocks, entry: 0 };
  addYields(flow);
  return flow;
}

/** A conditional branch counts when it is taken: moved into the costs of its successors where they have no other way in. */
function countBranches(blocks: readonly Block[], instructions: readonly Instruction[]): void {
  const entries = new Int32Array(blocks.length);
  entries[0]!++;
  for (const { terminator } of blocks) for (const next of successors(terminator)) entries[next]!++;
  for (const block of blocks) {
    const { terminator } = block;
    // A guarded synchronisation or exit has a block of its own, which counts it.
    if (terminator.kind !== 'branch') continue;
    const instruction = instructions[block.end];
    if (instruction?.kind !== 'control' || instruction.op !== 'bra') continue;
    if (entries[terminator.taken] === 1) blocks[terminator.taken]!.cost++;
    else if (entries[terminator.otherwise] === 1) {
      block.cost++;
      blocks[terminator.otherwise]!.cost--;
    } else block.countTaken = true;
  }
}

function terminatorOf(instruction: Instruction, index: number, blockAt: Int32Array): Terminator {
  if (isSynchronisation(instruction)) return { kind: 'sync', instruction: index, next: blockAt[index + 1]! };
  if (instruction.kind === 'system') return { kind: 'yield', next: blockAt[index + 1]! };
  if (instruction.kind !== 'control') throw new CannotCompile(`'${instruction.op}'`, instruction.line);
  switch (instruction.op) {
    case 'bra': {
      const taken = blockAt[instruction.targets[0]!]!;
      if (!instruction.guard) return { kind: 'jump', to: taken };
      return { kind: 'branch', guard: instruction.guard, taken, otherwise: blockAt[index + 1]! };
    }
    case 'brx':
      return {
        kind: 'switch',
        index: instruction.src[0]!,
        targets: instruction.targets.map((target) => blockAt[target]!),
        line: instruction.line,
      };
    case 'ret':
    case 'exit':
      return { kind: 'exit' };
    case 'trap':
      return { kind: 'trap', instruction: index };
    default:
      throw new CannotCompile(`'${instruction.op}'`, instruction.line);
  }
}

/**
 * Spin-waits: a thread that loops until another thread writes must let the other run. Back edges of loops that are
 * left on a condition computed from what other threads may change (results of atomics, loads that are not weak, any
 * load when the loop holds a fence) become yields.
 */
function addYields(flow: ControlFlow): void {
  const { blocks, kernel } = flow;
  const graph: Graph = blocks.map((block) => successors(block.terminator));
  const tree = dominatorTree(graph, flow.entry);
  const count = blocks.length;
  for (let from = 0; from < count; from++) {
    if (tree.position[from]! < 0) continue;
    for (const header of new Set(graph[from]!)) {
      if (tree.position[header]! > tree.position[from]!) continue;
      const body = loopBody(graph, tree.predecessors, header, from, dominates(tree, header, from));
      if (!waitsForOthers(flow, body)) continue;
      const landing = (blocks as Block[]).length;
      (blocks as Block[]).push({
        first: kernel.instructions.length,
        end: kernel.instructions.length,
        terminator: { kind: 'yield', next: header },
        cost: 0,
      });
      blocks[from]!.terminator = redirect(blocks[from]!.terminator, header, landing);
    }
  }
}

/** Nodes of the loop of a back edge; for an irreducible one, conservatively everything. */
function loopBody(
  graph: Graph,
  predecessors: readonly (readonly number[])[],
  header: number,
  from: number,
  natural: boolean,
): Set<number> {
  if (!natural) return new Set(graph.map((_, node) => node));
  const body = new Set([header]);
  const stack = [from];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (body.has(node)) continue;
    body.add(node);
    stack.push(...predecessors[node]!);
  }
  return body;
}

function waitsForOthers(flow: ControlFlow, body: ReadonlySet<number>): boolean {
  const { blocks, kernel } = flow;
  const inside: Instruction[] = [];
  for (const node of body)
    for (let index = blocks[node]?.first ?? 0; index < (blocks[node]?.end ?? 0); index++)
      inside.push(kernel.instructions[index]!);
  const fenced = inside.some((item) => item.kind === 'fence');
  const shared = inside.filter(
    (item) =>
      item.kind === 'atomic' ||
      (item.kind === 'memory' && item.op === 'ld' && item.space !== 'param' && (item.semantics !== 'weak' || fenced)),
  );
  if (shared.length === 0) return false;
  const tainted = new Set(shared.flatMap(definitions));
  for (let size = -1; size !== tainted.size; ) {
    size = tainted.size;
    for (const item of inside)
      if (uses(item).some((id) => tainted.has(id))) for (const id of definitions(item)) tainted.add(id);
  }
  for (const node of body) {
    const terminator = blocks[node]?.terminator;
    if (terminator?.kind === 'branch' && tainted.has(terminator.guard.register)) return true;
    if (terminator?.kind === 'switch' && terminator.index.kind === 'register' && tainted.has(terminator.index.id))
      return true;
  }
  return false;
}

function redirect(terminator: Terminator, from: number, to: number): Terminator {
  const move = (target: number): number => (target === from ? to : target);
  switch (terminator.kind) {
    case 'jump':
      return { kind: 'jump', to: move(terminator.to) };
    case 'branch':
      return { ...terminator, taken: move(terminator.taken), otherwise: move(terminator.otherwise) };
    case 'switch':
      return { ...terminator, targets: terminator.targets.map(move) };
    case 'sync':
    case 'yield':
      return { ...terminator, next: move(terminator.next) };
    default:
      return terminator;
  }
}
