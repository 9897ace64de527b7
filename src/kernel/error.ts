/**
 * What is wrong with a candidate, as data: a kind, a sentence for people, and the candidate's own line.
 * Everything in this room that concerns what a candidate wrote is thrown as one of these, and nothing else is.
 */

/**
 * - `unsupported`: a construct that the interpreter does not know. Nothing is said about whether it is right.
 * - `refused`: a construct that no candidate may use (files, streams, threads, state between calls, PyTorch's own operators).
 * - `invalid`: the candidate's own fault: it would not compile, or rests on undefined behaviour.
 * - `fails`: it compiles, and fails for these shapes for certain: an exception of its own or of PyTorch's, a launch that the GPU does not accept, the GPU's memory
 *   read by the host. Proof that the candidate is wrong, not only that it cannot be judged.
 * - `compile`: nvcc or ptxas rejects the device code.
 * - `limit`: too many steps, launches, buffers or bytes.
 */
export type CandidateErrorKind = 'unsupported' | 'refused' | 'invalid' | 'fails' | 'compile' | 'limit';

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

export function fails(message: string, line: number): CandidateError {
  return new CandidateError('fails', message, line);
}

export function overLimit(message: string, line: number): CandidateError {
  return new CandidateError('limit', message, line);
}
