/**
 * Reuse distances of a stream of keys: how many other distinct keys came between two uses of the same one. A fully
 * associative cache with least-recently-used replacement and room for n keys hits exactly when the distance is below n
 * (Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970). Each use costs a
 * logarithm: a binary indexed tree counts the keys whose last use lies after a given time.
 */
export class StackDistances {
  /** Each key's last time of use, from 1. */
  readonly #last = new Map<number, number>();
  #tree = new Int32Array(1 << 10);
  #now = 0;

  /** Distinct keys so far. */
  get size(): number {
    return this.#last.size;
  }

  has(key: number): boolean {
    return this.#last.has(key);
  }

  keys(): IterableIterator<number> {
    return this.#last.keys();
  }

  /** Distinct other keys used since this one was; -1 when it is new. */
  use(key: number): number {
    if (this.#now + 1 >= this.#tree.length) this.#renumber();
    const last = this.#last.get(key);
    const time = ++this.#now;
    let distance = -1;
    if (last !== undefined) {
      distance = this.#last.size - this.#upTo(last);
      this.#add(last, -1);
    }
    this.#last.set(key, time);
    this.#add(time, 1);
    return distance;
  }

  #upTo(time: number): number {
    let sum = 0;
    for (let i = time; i > 0; i &= i - 1) sum += this.#tree[i]!;
    return sum;
  }

  #add(time: number, amount: number): void {
    for (let i = time; i < this.#tree.length; i += i & -i) this.#tree[i]! += amount;
  }

  /** Numbers the keys' times from 1 again, in their order. */
  #renumber(): void {
    const inOrder = [...this.#last].sort((a, b) => a[1] - b[1]);
    if (inOrder.length * 2 >= this.#tree.length) this.#tree = new Int32Array(this.#tree.length * 4);
    else this.#tree.fill(0);
    this.#now = 0;
    for (const [key] of inOrder) {
      this.#last.set(key, ++this.#now);
      this.#add(this.#now, 1);
    }
  }
}
