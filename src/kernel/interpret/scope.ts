/** Names in force: variables and types, block by block. */

import type { CppType } from './types.ts';
import type { Cell } from './values.ts';

export class Scope {
  readonly parent: Scope | undefined;
  private readonly cells = new Map<string, Cell>();
  private readonly types = new Map<string, CppType>();
  /** Namespaces of the function this scope belongs to; found through the parents. */
  readonly namespace: readonly string[];

  constructor(parent: Scope | undefined, namespace?: readonly string[]) {
    this.parent = parent;
    this.namespace = namespace ?? parent?.namespace ?? [];
  }

  declare(name: string, variable: Cell): void {
    this.cells.set(name, variable);
  }

  declareType(name: string, type: CppType): void {
    this.types.set(name, type);
  }

  find(name: string): Cell | undefined {
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) {
      const found = scope.cells.get(name);
      if (found) return found;
    }
    return undefined;
  }

  findType(name: string): CppType | undefined {
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) {
      const found = scope.types.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** A copy of every variable in reach, for lambdas that capture by value. */
  snapshot(copy: (variable: Cell) => Cell): Scope {
    const flat = new Scope(undefined, this.namespace);
    const chain: Scope[] = [];
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) chain.push(scope);
    for (const scope of chain.reverse()) {
      for (const [name, variable] of scope.cells) flat.cells.set(name, copy(variable));
      for (const [name, type] of scope.types) flat.types.set(name, type);
    }
    return flat;
  }
}
