/**
 * What is wrong with a candidate, as data: a kind, a sentence for people, and the candidate's own line.
 * Everything in this room that concerns what a candidate wrote is thrown as one of these, and nothing else is.
 */

/**
 * - `unsupported`: a construct that the interpreter does not know. Nothing is said about whether it is right.
 * - `refused`: a construct that no candidate may use (files, streams, threads, state between calls, PyTorch's own operators).
 * - `invalid`: the candidate's own fault: a failed TORCH_CHECK, a type error, a launch shape that no GPU accepts.
 * - `compile`: nvcc or ptxas rejects the device code.
 * - `limit`: too many steps, launches, buffers or bytes.
 */
export type CandidateErrorKind = 'unsupported' | 'refused' | 'invalid' | 'compile' | 'limit';

export class CandidateError extends Error {
  readonly kind: CandidateErrorKind;
  /** 1-based line of the candidate, 0 where no line can be named. */
  readonly line: number;

  constructor(kind: CandidateErrorKind, message: string, line: number) {
    super(line > 0 ? `line ${line}: ${message}` : message);
    this.name = 'CandidateError';
    this.kind = kind;
    this.line = line;
  }
}

export function unsupported(what: string, line: number): CandidateError {
  return new CandidateError('unsupported', `unsupported: ${what}`, line);
}

export function refused(message: string, line: number): CandidateError {
  return new CandidateError('refused', message, line);
}

export function invalid(message: string, line: number): CandidateError {
  return new CandidateError('invalid', message, line);
}

export function overLimit(message: string, line: number): CandidateError {
  return new CandidateError('limit', message, line);
}
