import type { AssayEvent } from './event.ts';

/** A listener must not throw; what it throws ends the work that emitted. */
type Listener = (event: AssayEvent) => void;

/** Hands each event to every listener, in order of subscription, synchronously. */
export class EventStream {
  readonly #listeners = new Set<Listener>();

  emit(event: AssayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Listens from now on; returns the function that stops it. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
