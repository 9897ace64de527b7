/** What a bench is at, in a line that is rewritten in place: how much is done, what is under way and since when, how long it may take. */
import { clock, printable } from '../terminal/format.ts';
import { Painter } from '../terminal/painter.ts';

export class BenchProgress {
  readonly #painter = new Painter(process.stdout);
  readonly #began = performance.now();
  /** Name of a task -> when it began. */
  readonly #underWay = new Map<string, number>();
  readonly #tasks: number;
  readonly #timer: NodeJS.Timeout;
  #done = 0;

  /** `tasks`: how many are to be done. */
  constructor(tasks: number) {
    this.#tasks = tasks;
    this.#timer = setInterval(() => this.#paint(), 1000);
    this.#timer.unref();
  }

  begin(task: string): void {
    this.#underWay.set(task, performance.now());
    this.#paint();
  }

  /** A task is done: `lines` stay. */
  done(task: string, lines: readonly string[]): void {
    this.#done++;
    this.#underWay.delete(task);
    this.#painter.log(lines.join('\n'));
    this.#paint();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#painter.clear();
  }

  #paint(): void {
    const since = (began: number) => (performance.now() - began) / 1000;
    const left =
      this.#done === 0 ? '' : `, about ${clock((since(this.#began) * (this.#tasks - this.#done)) / this.#done)} left`;
    const tasks = [...this.#underWay].map(([task, began]) => `${clock(since(began))} ${printable(task)}`);
    this.#painter.status([`${this.#done} of ${this.#tasks} done${left}; under way: ${tasks.join(', ')}`]);
  }
}
