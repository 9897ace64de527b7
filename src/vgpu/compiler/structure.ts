/**
 * From a control-flow graph to WebAssembly's nested blocks, by the dominator tree (Norman Ramsey, "Beyond Relooper",
 * ICFP 2022): a node is emitted inside its dominator; nodes with several forward predecessors ("merges") get a block
 * to branch out of, loop headers get a loop. Graphs with an irreducible loop are emitted as a dispatch loop: one
 * br_table over a state variable, slower but always possible.
 */
import { type DominatorTree, dominates, dominatorTree, type Graph } from '../analysis/dominators.ts';
import type { FunctionBuilder, Label } from './wasm/encoder.ts';

/** How control leaves a node. `leave` ends the region: the emitter branches out by itself. */
export type Exit =
  | { readonly kind: 'jump'; readonly to: number }
  | { readonly kind: 'branch'; readonly taken: number; readonly otherwise: number }
  | { readonly kind: 'switch'; readonly targets: readonly number[]; readonly otherwise: number }
  | { readonly kind: 'leave' };

export interface StructureEmitter {
  readonly code: FunctionBuilder;
  exitOf(node: number): Exit;
  /** Straight-line code of a node. For `leave`, it must end in an unconditional branch out. */
  body(node: number): void;
  /** Pushes the i32 that decides a branch (non-zero: taken) or the index of a switch. */
  selector(node: number): void;
  /** Called before each jump to the header of a loop. */
  backEdge(from: number, to: number): void;
}

/** Emits all nodes reachable from `entry`. */
export function emitStructured(graph: Graph, entry: number, emitter: StructureEmitter): void {
  const tree = dominatorTree(graph, entry);
  if (isReducible(graph, tree)) new Structurer(graph, tree, emitter).emit(entry);
  else emitDispatchLoop(graph, tree, emitter);
}

/** True when every retreating edge goes to a node that dominates its source. */
export function isReducible(graph: Graph, tree: DominatorTree): boolean {
  for (const node of tree.order)
    for (const next of graph[node]!)
      if (tree.position[next]! <= tree.position[node]! && !dominates(tree, next, node)) return false;
  return true;
}

class Structurer {
  private readonly labels = new Map<number, Label>();
  private readonly merges = new Set<number>();
  private readonly headers = new Set<number>();

  constructor(
    graph: Graph,
    private readonly tree: DominatorTree,
    private readonly emitter: StructureEmitter,
  ) {
    const forward = new Int32Array(graph.length);
    for (const node of tree.order)
      for (const next of graph[node]!)
        if (tree.position[next]! <= tree.position[node]!) this.headers.add(next);
        else if (++forward[next]! > 1) this.merges.add(next);
    // Cases of a switch are branched to, whatever their number of predecessors.
    for (const node of tree.order) {
      const exit = emitter.exitOf(node);
      if (exit.kind === 'switch') for (const next of graph[node]!) if (!this.isBack(node, next)) this.merges.add(next);
    }
  }

  private isBack(from: number, to: number): boolean {
    return this.tree.position[to]! <= this.tree.position[from]!;
  }

  emit(node: number): void {
    const merges = this.tree.children[node]!.filter((child) => this.merges.has(child));
    if (!this.headers.has(node)) {
      this.within(node, merges, merges.length - 1);
      return;
    }
    const { code } = this.emitter;
    const outer = this.labels.get(node);
    this.labels.set(node, code.loop());
    this.within(node, merges, merges.length - 1);
    code.end();
    if (outer) this.labels.set(node, outer);
    else this.labels.delete(node);
  }

  /** Opens a block for each merge child, the last in order outermost; its code follows the block's end. */
  private within(node: number, merges: readonly number[], index: number): void {
    if (index < 0) {
      this.leaf(node);
      return;
    }
    const { code } = this.emitter;
    const merge = merges[index]!;
    this.labels.set(merge, code.block());
    this.within(node, merges, index - 1);
    code.end();
    this.labels.delete(merge);
    this.emit(merge);
  }

  private leaf(node: number): void {
    const { code } = this.emitter;
    this.emitter.body(node);
    const exit = this.emitter.exitOf(node);
    if (exit.kind === 'jump') this.go(node, exit.to);
    else if (exit.kind === 'branch') {
      this.emitter.selector(node);
      if (exit.taken === exit.otherwise) {
        code.op('drop');
        this.go(node, exit.taken);
        return;
      }
      code.if();
      this.go(node, exit.taken);
      code.else();
      this.go(node, exit.otherwise);
      code.end();
      // Neither side falls out, but V8's validator and reader gain by knowing it.
      code.op('unreachable');
    } else if (exit.kind === 'switch') this.table(node, exit);
  }

  private table(node: number, exit: Extract<Exit, { kind: 'switch' }>): void {
    const { code } = this.emitter;
    // Jumps back need their hook, so each gets a small landing block of its own.
    const landings = [...new Set([...exit.targets, exit.otherwise])].filter((to) => this.isBack(node, to));
    const landingLabels = new Map<number, Label>();
    for (const to of landings) landingLabels.set(to, code.block());
    this.emitter.selector(node);
    const label = (to: number): Label => landingLabels.get(to) ?? this.labels.get(to)!;
    code.brTable(exit.targets.map(label), label(exit.otherwise));
    for (const to of landings.reverse()) {
      code.end();
      this.go(node, to);
    }
  }

  private go(from: number, to: number): void {
    const { code } = this.emitter;
    if (this.isBack(from, to)) {
      this.emitter.backEdge(from, to);
      code.br(this.labels.get(to)!);
    } else if (this.merges.has(to)) code.br(this.labels.get(to)!);
    else this.emit(to);
  }
}

function emitDispatchLoop(graph: Graph, tree: DominatorTree, emitter: StructureEmitter): void {
  const { code } = emitter;
  const state = code.local('i32');
  const { order, position } = tree;
  // The thread loop runs this code again, so the state must be set, not assumed zero.
  code.i32(0).set(state);
  const loop = code.loop();
  const cases: Label[] = [];
  for (let index = order.length - 1; index >= 0; index--) cases[index] = code.block();
  code.get(state).brTable(cases, cases[0]!);
  const go = (from: number, to: number): void => {
    if (position[to]! <= position[from]!) emitter.backEdge(from, to);
    code.i32(position[to]!).set(state).br(loop);
  };
  for (let index = 0; index < order.length; index++) {
    code.end();
    const node = order[index]!;
    emitter.body(node);
    const exit = emitter.exitOf(node);
    if (exit.kind === 'jump') go(node, exit.to);
    else if (exit.kind === 'branch') {
      emitter.selector(node);
      code.if();
      go(node, exit.taken);
      code.else();
      go(node, exit.otherwise);
      code.end();
      code.op('unreachable');
    } else if (exit.kind === 'switch') {
      const targets = [...exit.targets, exit.otherwise];
      const labels = targets.map(() => code.block());
      emitter.selector(node);
      // Blocks were opened outermost first; the innermost belongs to the last target.
      code.brTable(labels.slice(0, -1), labels[labels.length - 1]!);
      for (const to of targets.reverse()) {
        code.end();
        go(node, to);
      }
    }
    if (graph[node]!.length === 0 && exit.kind !== 'leave') code.op('unreachable');
  }
  code.end();
  code.op('unreachable');
}
