/** A construct that the interpreter may run but the compiler does not translate. `auto` then interprets. */
import { CannotRun } from '../executable.ts';

export class CannotCompile extends CannotRun {
  override readonly name: 'CannotRun' = 'CannotRun';

  constructor(
    readonly construct: string,
    readonly line: number,
  ) {
    super(`cannot compile: ${construct} line ${line}`);
  }
}
