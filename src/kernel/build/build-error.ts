/** A message of the compiler, with the candidate's own line. */
export interface Diagnostic {
  /** 0 where no line of the candidate is known. */
  line: number;
  /** Where in that line, from 1, where the compiler says. */
  column?: number;
  severity: 'error' | 'warning';
  message: string;
}

/** Device code could not be built. `kind` says whose fault it is: the source's, a limit's, or this machine's. */
export class BuildError extends Error {
  constructor(
    readonly kind: 'compile' | 'flag' | 'include' | 'limit' | 'no-compiler' | 'aborted',
    message: string,
    readonly diagnostics: readonly Diagnostic[] = [],
  ) {
    super(message);
    this.name = 'BuildError';
  }
}
