/** Names in force: variables and types, block by block. */

import type { CppType, StructType } from './types.ts';
import type { Cell } from './values.ts';

export class Scope {
  readonly parent: Scope | undefined;
  private readonly cells = new Map<string, Cell>();
  private readonly types = new Map<string, CppType>();
  private readonly packs = new Map<string, readonly Cell[]>();
  private readonly typePacks = new Map<string, readonly CppType[]>();
  /** Namespaces of the function this scope belongs to; found through the parents. */
  readonly namespace: readonly string[];

  /** The struct whose member function this scope belongs to. */
  readonly owner: StructType | undefined;

  constructor(parent: Scope | undefined, namespace?: readonly string[], owner?: StructType) {
    this.parent = parent;
    this.namespace = namespace ?? parent?.namespace ?? [];
    this.owner = owner ?? parent?.owner;
  }

  declare(name: string, variable: Cell): void {
    this.cells.set(name, variable);
  }

  declareType(name: string, type: CppType): void {
    this.types.set(name, type);
  }

  declarePack(name: string, elements: readonly Cell[]): void {
    this.packs.set(name, elements);
  }

  declareTypePack(name: string, types: readonly CppType[]): void {
    this.typePacks.set(name, types);
  }

  findPack(name: string): readonly Cell[] | undefined {
    return this.packs.get(name) ?? this.parent?.findPack(name);
  }

  findTypePack(name: string): readonly CppType[] | undefined {
    return this.typePacks.get(name) ?? this.parent?.findTypePack(name);
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
    const flat = new Scope(undefined, this.namespace, this.owner);
    const chain: Scope[] = [];
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) chain.push(scope);
    for (const scope of chain.reverse()) {
      for (const [name, variable] of scope.cells) flat.cells.set(name, copy(variable));
      for (const [name, type] of scope.types) flat.types.set(name, type);
      for (const [name, cells] of scope.packs) flat.packs.set(name, cells.map(copy));
      for (const [name, types] of scope.typePacks) flat.typePacks.set(name, types);
    }
    return flat;
  }
}
