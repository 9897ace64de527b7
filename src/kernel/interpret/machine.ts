/** The interpreter's state: the program, the world, and the budgets. The rules of the language are in the files beside it. */

import type { FunctionItem, Statement, StructItem, VariableItem } from '../cpp/ast.ts';
import { parseBody } from '../cpp/statement-parser.ts';
import { overLimit } from '../error.ts';
import type { Program } from './program.ts';
import { Scope } from './scope.ts';
import type { StructType } from './types.ts';
import type { Cell } from './values.ts';
import type { World } from './world.ts';

export class Machine {
  readonly program: Program;
  readonly world: World;
  readonly globals: Scope = new Scope(undefined, []);
  /** Constants of the file, made when first read. */
  readonly constants = new Map<string, Cell>();
  /** Constants being made: one that needs itself is an error. */
  readonly making = new Set<VariableItem>();
  /** Struct types by declaration and template arguments. */
  readonly structs: StructItem[] = [];
  /** Struct types that were made, by declaration and name: one that is being made is found here, incomplete. */
  readonly structTypes = new Map<string, StructType>();
  /** Where a struct inside of a function was declared: its members see the names there. */
  readonly localScopes = new WeakMap<StructItem, Scope>();
  private readonly bodies = new Map<FunctionItem, Statement>();
  private steps = 0;
  private depth = 0;

  constructor(program: Program, world: World) {
    this.program = program;
    this.world = world;
  }

  /** Counts one step of the budget. */
  tick(line: number): void {
    if (++this.steps > this.world.limits.steps) {
      throw overLimit(
        `the host function did not end within ${this.world.limits.steps.toLocaleString('en')} steps: an infinite loop?`,
        line,
      );
    }
  }

  /** Runs `body` one call deeper. */
  within<T>(line: number, body: () => T): T {
    if (++this.depth > this.world.limits.depth) {
      throw overLimit(`calls are nested more than ${this.world.limits.depth} deep: an endless recursion?`, line);
    }
    try {
      return body();
    } finally {
      this.depth--;
    }
  }

  bodyOf(fn: FunctionItem): Statement {
    let body = this.bodies.get(fn);
    if (!body) {
      body = parseBody(fn.body ?? [], fn.names, fn.line);
      this.bodies.set(fn, body);
    }
    return body;
  }
}
