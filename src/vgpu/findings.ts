/** Collects findings of one launch: equal faults at one instruction are counted, not repeated. */
import type { Instruction } from './ptx/ir.ts';
import { ownPlaceOf } from './ptx/own-place.ts';
import type { Dim3, Finding, FindingKind } from './types.ts';

export interface FaultSite {
  readonly kind: FindingKind;
  readonly message: string;
  readonly instruction: Instruction | undefined;
  readonly block?: Dim3;
  readonly thread?: Dim3;
  readonly space?: Finding['space'];
  readonly access?: Finding['access'];
  readonly bytes?: number;
  readonly address?: string;
  readonly allocation?: Finding['allocation'];
}

/** More distinct findings than this are not kept: one broken kernel should not fill memory. */
const MAX_FINDINGS = 200;

export class FindingSink {
  readonly #kernel: string;
  readonly #found = new Map<string, Finding>();

  constructor(kernel: string) {
    this.#kernel = kernel;
  }

  get size(): number {
    return this.#found.size;
  }

  report(site: FaultSite): void {
    const { instruction } = site;
    const key = `${site.kind}:${instruction?.line ?? 0}:${site.allocation?.name ?? ''}:${site.access ?? ''}`;
    const known = this.#found.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    if (this.#found.size >= MAX_FINDINGS) return;
    const source = ownPlaceOf(instruction?.source);
    this.#found.set(key, {
      kind: site.kind,
      message: site.message,
      kernel: this.#kernel,
      block: site.block,
      thread: site.thread,
      space: site.space,
      access: site.access,
      bytes: site.bytes,
      address: site.address,
      allocation: site.allocation,
      source: source === undefined ? undefined : { file: source.file, line: source.line },
      ptxLine: instruction?.line ?? 0,
      instruction: instruction?.text ?? '',
      count: 1,
    });
  }

  /** Takes over what another collected for the same launch. */
  take(other: FindingSink): void {
    for (const [key, finding] of other.#found) this.#found.set(key, finding);
  }

  /** Takes over what another sink has collected. */
  adopt(findings: readonly Finding[]): void {
    for (const finding of findings) this.#found.set(`adopted ${this.#found.size}`, finding);
  }

  list(): readonly Finding[] {
    return [...this.#found.values()];
  }
}
