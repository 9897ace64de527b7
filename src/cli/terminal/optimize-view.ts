/** The live view of `assay optimize`: what the events say, as a log above and a few status lines below. */
import type { AssayEvent } from '../../events/index.ts';
import type { Colours } from './colour.ts';
import { clock, printable, significant, time, wrap } from './format.ts';
import type { Painter } from './painter.ts';

export class OptimizeView {
  readonly #painter: Painter;
  readonly #colours: Colours;
  readonly #budgetSeconds: number | undefined;
  readonly #started = performance.now();
  #title = '';
  #floor = '';
  #generation = 0;
  #judged = 0;
  #correct = 0;
  #passedOver = 0;
  readonly #rejected = new Map<string, number>();
  #best = 'none yet';
  readonly #underWay = new Map<string, string>();
  readonly #summaries = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;

  constructor(painter: Painter, colours: Colours, budgetSeconds?: number) {
    this.#painter = painter;
    this.#colours = colours;
    this.#budgetSeconds = budgetSeconds;
    this.#timer = setInterval(() => this.#paint(), 500);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#painter.clear();
  }

  on(event: AssayEvent): void {
    const { good, bad, warning, faint } = this.#colours;
    switch (event.type) {
      case 'task.traced':
        this.#title = `${event.task}: ${event.operators.join(', ')}`;
        this.#log(`task    ${this.#title}`);
        this.#log(
          faint(
            `        ${event.inputs.join(', ')} -> ${event.outputs.join(', ')}   (traced in ${clock(event.ms / 1000)})`,
          ),
        );
        break;
      case 'task.floor':
        this.#floor = `${time(event.microseconds)} on ${event.gpu} (${event.limitedBy})`;
        this.#log(`floor   ${this.#floor}: no kernel can be faster`);
        break;
      case 'task.degenerate':
        this.#log(warning(wrap(`degenerate at ${event.operator}: ${event.reason}`, this.#painter.width, '        ')));
        break;
      case 'run.started':
        this.#log(`run     ${event.run}${event.resumed ? ' (resumed)' : ''}, engineer ${event.engineer}`);
        break;
      case 'generation.started':
        this.#generation = event.generation;
        break;
      case 'candidate.proposed':
        this.#summaries.set(event.candidate, event.summary);
        break;
      case 'candidate.building':
        this.#underWay.set(event.candidate, 'building');
        break;
      case 'check.passed':
        this.#underWay.set(event.candidate, `passed ${event.check}`);
        break;
      case 'candidate.rejected':
        this.#settle(event.candidate);
        this.#rejected.set(event.check, (this.#rejected.get(event.check) ?? 0) + 1);
        this.#log(`${bad('reject')}  ${this.#number(event.candidate)} by ${event.check}: ${event.reason}`);
        break;
      case 'candidate.accepted':
        this.#settle(event.candidate);
        this.#correct++;
        break;
      case 'candidate.passed-over':
        this.#underWay.delete(event.candidate);
        this.#passedOver++;
        break;
      case 'candidate.best': {
        const { percentOfFloor, summary } = event;
        const share = percentOfFloor === undefined ? '' : `, ${significant(percentOfFloor)} % of the speed of light`;
        this.#best = `${time(event.time.microseconds)} ${event.time.kind}${share}: ${summary}`;
        this.#log(`${good('best')}    ${this.#number(event.candidate)} ${this.#best}`);
        break;
      }
      case 'note':
        this.#log(event.level === 'warning' ? warning(event.message) : event.message);
        break;
      case 'run.finished':
        break;
    }
    this.#paint();
  }

  #settle(candidate: string): void {
    this.#underWay.delete(candidate);
    this.#judged++;
  }

  /** `#12` for the twelfth candidate of the run. */
  #number(candidate: string): string {
    return `#${candidate.split('-').at(-1)}`;
  }

  #log(line: string): void {
    this.#painter.log(wrap(printable(line).replaceAll('\\x1b', '\u001b'), this.#painter.width, '        '));
  }

  #paint(): void {
    const elapsed = clock((performance.now() - this.#started) / 1000);
    const rejected = [...this.#rejected].map(([check, count]) => `${check} ${count}`).join(', ') || 'none';
    const now = [...this.#underWay].map(([candidate, doing]) => {
      return `${this.#number(candidate)} ${doing}: ${this.#summaries.get(candidate) ?? ''}`;
    });
    this.#painter.status(
      [
        '',
        `${this.#title}   floor ${this.#floor}`,
        `generation ${this.#generation}   judged ${this.#judged}   correct ${this.#correct}   passed over ${this.#passedOver}   rejected: ${rejected}   ${elapsed}${this.#budgetSeconds === undefined ? '' : ` of ${clock(this.#budgetSeconds)}`}`,
        `best  ${this.#best}`,
        ...(now.length > 0 ? now.map((line) => `now   ${line}`) : ['now   -']),
      ].map(printable),
    );
  }
}
