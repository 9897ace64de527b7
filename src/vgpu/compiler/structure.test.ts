import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Exit, emitStructured } from './structure.ts';
import { ModuleBuilder } from './wasm/encoder.ts';
import { compileModule, instantiate } from './wasm/engine.ts';

/** Builds a function that walks the graph, choosing by bits of its argument, and returns a hash of the path. */
function compileWalk(exits: readonly Exit[]): (bits: number) => number {
  const module = new ModuleBuilder();
  const code = module.function('walk', ['i32'], ['i32']);
  const hash = code.local('i32');
  const fuel = code.local('i32');
  code.i32(40).set(fuel);
  const done = code.block();
  const graph = exits.map((exit) =>
    exit.kind === 'jump'
      ? [exit.to]
      : exit.kind === 'branch'
        ? [exit.taken, exit.otherwise]
        : exit.kind === 'switch'
          ? [...new Set([...exit.targets, exit.otherwise])]
          : [],
  );
  emitStructured(graph, 0, {
    code,
    exitOf: (node) => exits[node]!,
    body(node) {
      code
        .get(hash)
        .i32(31)
        .op('i32.mul')
        .i32(node + 1)
        .op('i32.add')
        .set(hash);
      code.get(fuel).i32(1).op('i32.sub').tee(fuel).op('i32.eqz').brIf(done);
      if (exits[node]!.kind === 'leave') code.br(done);
    },
    selector(node) {
      const mask = exits[node]!.kind === 'branch' ? 1 : 3;
      code.get(0).i32(mask).op('i32.and').get(0).i32(1).op('i32.rotl').set(0);
    },
    backEdge() {},
  });
  code.end();
  code.get(hash);
  module.exportFunction('walk', code);
  return instantiate(compileModule(module.finish())).exports.walk as (bits: number) => number;
}

/** The same walk, step by step. */
function walk(exits: readonly Exit[], bits: number): number {
  let state = bits;
  let hash = 0;
  let node = 0;
  for (let fuel = 40; ; ) {
    hash = (Math.imul(hash, 31) + node + 1) | 0;
    if (--fuel === 0) return hash;
    const exit = exits[node]!;
    if (exit.kind === 'leave') return hash;
    if (exit.kind === 'jump') {
      node = exit.to;
      continue;
    }
    const choice = state & (exit.kind === 'branch' ? 1 : 3);
    state = (state << 1) | (state >>> 31);
    if (exit.kind === 'branch') node = choice ? exit.taken : exit.otherwise;
    else node = choice < exit.targets.length ? exit.targets[choice]! : exit.otherwise;
  }
}

test('random graphs, reducible or not, walk the same path structured as step by step', () => {
  const size = fc.integer({ min: 1, max: 9 });
  const graph = size.chain((count) => {
    const node = fc.nat({ max: count - 1 });
    const exit: fc.Arbitrary<Exit> = fc.oneof(
      fc.record({ kind: fc.constant('jump' as const), to: node }),
      fc.record({ kind: fc.constant('branch' as const), taken: node, otherwise: node }),
      fc.record({
        kind: fc.constant('switch' as const),
        targets: fc.array(node, { minLength: 1, maxLength: 4 }),
        otherwise: node,
      }),
      fc.constant({ kind: 'leave' as const }),
    );
    return fc.array(exit, { minLength: count, maxLength: count });
  });
  fc.assert(
    fc.property(graph, fc.integer(), (exits, bits) => {
      assert.equal(compileWalk(exits)(bits), walk(exits, bits));
    }),
    { numRuns: 1500 },
  );
});
