/** What the steps tell a race detector. */
import type { Atomic, Instruction, Scope, Space } from '../ptx/ir.ts';
import type { Warp } from './warp.ts';

export interface RaceDetector {
  /** An access of the lanes of `mask`, resolved to `env.physical`. `weak`: neither volatile nor a synchronising access. */
  access(
    warp: Warp,
    mask: number,
    bytes: number,
    kind: 'read' | 'write' | 'atomic',
    weak: boolean,
    space: Space,
    at: Instruction | Atomic,
  ): void;
  fence(warp: Warp, mask: number, scope: Scope): void;
}
