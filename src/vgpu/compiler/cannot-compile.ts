/** A construct that the interpreter may run but the compiler does not translate. `auto` then interprets. */
export class CannotCompile extends Error {
  override readonly name = 'CannotCompile';

  constructor(
    readonly construct: string,
    readonly line: number,
  ) {
    super(`Cannot compile: ${construct}, PTX line ${line}. Use the interpreter for this kernel.`);
  }
}
