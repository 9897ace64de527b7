/**
 * Reverse postorder and dominator tree of a small graph, by the iterative algorithm of Cooper, Harvey and Kennedy
 * ("A Simple, Fast Dominance Algorithm", 2001), which is the fastest in practice at the sizes of kernels.
 */

/** Successors by node; nodes are dense numbers. */
export type Graph = readonly (readonly number[])[];

export interface DominatorTree {
  /** Reachable nodes in reverse postorder; the entry is first. */
  readonly order: readonly number[];
  /** Position in {@link order} by node; -1 when unreachable. */
  readonly position: Int32Array;
  /** Immediate dominator by node; -1 for the entry and for unreachable nodes. */
  readonly immediate: Int32Array;
  /** Nodes immediately dominated, by node, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  readonly predecessors: readonly (readonly number[])[];
}

export function dominatorTree(graph: Graph, entry: number): DominatorTree {
  const order = reversePostorder(graph, entry);
  const position = new Int32Array(graph.length).fill(-1);
  for (let index = 0; index < order.length; index++) position[order[index]!] = index;
  const predecessors: number[][] = graph.map(() => []);
  for (const node of order) for (const next of graph[node]!) predecessors[next]!.push(node);

  const immediate = new Int32Array(graph.length).fill(-1);
  immediate[entry] = entry;
  for (let changed = true; changed; ) {
    changed = false;
    for (let index = 1; index < order.length; index++) {
      const node = order[index]!;
      let dominator = -1;
      for (const before of predecessors[node]!) {
        if (immediate[before] === -1) continue;
        dominator = dominator === -1 ? before : intersect(before, dominator, immediate, position);
      }
      if (immediate[node] !== dominator) {
        immediate[node] = dominator;
        changed = true;
      }
    }
  }
  immediate[entry] = -1;
  const children: number[][] = graph.map(() => []);
  for (let index = 1; index < order.length; index++) children[immediate[order[index]!]!]!.push(order[index]!);
  return { order, position, immediate, children, predecessors };
}

/** True when every path from the entry to `node` passes `above`. */
export function dominates(tree: DominatorTree, above: number, node: number): boolean {
  let current = node;
  while (current !== -1 && tree.position[current]! > tree.position[above]!) current = tree.immediate[current]!;
  return current === above;
}

function intersect(a: number, b: number, immediate: Int32Array, position: Int32Array): number {
  let left = a;
  let right = b;
  while (left !== right) {
    while (position[left]! > position[right]!) left = immediate[left]!;
    while (position[right]! > position[left]!) right = immediate[right]!;
  }
  return left;
}

function reversePostorder(graph: Graph, entry: number): number[] {
  const state = new Uint8Array(graph.length);
  const postorder: number[] = [];
  const stack: { node: number; next: number }[] = [{ node: entry, next: 0 }];
  state[entry] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const successors = graph[top.node]!;
    if (top.next < successors.length) {
      // Last successor first, so that the fall-through side comes out right after its branch.
      const node = successors[successors.length - 1 - top.next++]!;
      if (state[node] === 0) {
        state[node] = 1;
        stack.push({ node, next: 0 });
      }
    } else {
      postorder.push(top.node);
      stack.pop();
    }
  }
  return postorder.reverse();
}
