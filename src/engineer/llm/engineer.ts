/**
 * The engineer that asks a model, one for each model: what it asks by each strategy, and what it makes of the answers. What a strategy is worth is
 * for the search to find out; what an answer is worth, for the judge.
 */
import * as z from 'zod';
import type { Engineer, Making, Proposal, SearchRecord, Setting, Strategy } from '../ports.ts';
import type { Random } from '../search/random.ts';
import { taskBrief } from './brief.ts';
import { asData } from './data.ts';
import type { Desk, PricedModel } from './desk.ts';
import { failureInWords } from './findings.ts';
import { BudgetSpent } from './ledger.ts';
import { byModel, lessonsInWords, llmPrefix, type PastFailure, triedInWords } from './memory.ts';
import { ModelFailure } from './model-failure.ts';
import { profileInWords } from './profile.ts';
import type { PromptName, Prompts } from './prompts.ts';
import { Talk } from './talk.ts';
import { tuneKnobs } from './tune.ts';

/** A verified kernel of another task. */
export interface RelatedKernel {
  task: string;
  /** What the two tasks share, in words. */
  shared: string;
  summary: string;
  source: string;
}

export interface LlmEngineerOptions {
  setting: Setting;
  priced: PricedModel;
  desk: Desk;
  prompts: Prompts;
  maxOutputTokens: number;
  /** Whether the model may build its kernel before it answers. */
  tools: boolean;
  /** Who says what a failure means: our rules, or the model in a call of its own. */
  explain: 'rule' | 'model';
  /** Whether it writes the run's first candidates, because nobody else does. */
  startsFromNothing: boolean;
  related: readonly RelatedKernel[];
  /** Failures of other tasks' runs. */
  pastFailures: readonly PastFailure[];
  /** Stops asking when the run's time is over. */
  deadline?: AbortSignal;
}

/** Times that one failure is mended. */
const mostRepairs = 2;
/** Characters of a kernel that is shown beside another one. */
const longestExample = 24_000;

const explanation = z.object({ cause: z.string(), change: z.string() });

export function createLlmEngineer(options: LlmEngineerOptions): Engineer {
  return new LlmEngineer(options);
}

type StrategyName = 'optimise' | 'rewrite' | 'crossover' | 'innovate' | 'translate' | 'repair';

class LlmEngineer implements Engineer {
  readonly name: string;
  readonly attempts = 1;
  readonly atOnce = 3;
  readonly strategies: readonly (Strategy & { name: StrategyName })[];
  readonly #options: LlmEngineerOptions;
  readonly #task: string;
  readonly #lessons: string;
  readonly #directions: readonly string[];
  /** Why it asks no more. */
  #ended: string | undefined;

  constructor(options: LlmEngineerOptions) {
    const { setting, priced, related, prompts } = options;
    this.#options = options;
    this.name = `${llmPrefix}${priced.model.id}`;
    this.strategies = [
      { name: 'rewrite', parents: 1 },
      { name: 'optimise', parents: 1 },
      ...(related.length > 0 ? [{ name: 'innovate' as const, parents: 1 }] : []),
      { name: 'crossover', parents: 2 },
      { name: 'repair', parents: 1, from: 'failed' },
      { name: 'translate', parents: 0 },
    ];
    this.#task = taskBrief(setting);
    const lessons = lessonsInWords(options.pastFailures);
    this.#lessons = lessons && `\nMistakes that came up often in other tasks:\n${asData('lessons', lessons)}\n`;
    this.#directions = prompts
      .fill('directions')
      .split('\n')
      .filter((line) => line.startsWith('- '))
      .map((line) => line.slice(2));
  }

  async start(signal?: AbortSignal): Promise<readonly Proposal[]> {
    if (!this.#options.startsFromNothing) return [];
    const proposal = await this.#propose('translate', {}, [], [], 'start', signal);
    return proposal ? [proposal] : [];
  }

  canVary(record: SearchRecord, strategy?: string): boolean {
    if (strategy === 'repair') return byModel(record);
    // What was passed over has not been judged: prompts call a parent verified.
    return record.evaluation?.outcome === 'correct' || record.evaluation?.outcome === 'faster';
  }

  async vary(
    strategy: string,
    parents: readonly SearchRecord[],
    random: Random,
    signal?: AbortSignal,
    history: readonly SearchRecord[] = [],
  ): Promise<Proposal | undefined> {
    const name = this.strategies.find((one) => one.name === strategy)?.name;
    if (!name) throw new RangeError(`${this.name} has no strategy "${strategy}"`);
    // Drawn whether they are needed or not, so that what comes after does not depend on the strategy.
    const direction = random.pick(this.#directions.length > 0 ? this.#directions : ['anything']);
    const nonce = String(random.next());
    const [first, second] = parents;
    switch (name) {
      case 'translate':
        // From nothing only while there is nothing.
        if (history.some(({ evaluation }) => evaluation?.microseconds !== undefined)) return undefined;
        return this.#propose(name, {}, [], history, nonce, signal);
      case 'rewrite':
      case 'optimise':
        return first && this.#propose(name, { ...this.#shown(first), direction }, [first], history, nonce, signal);
      case 'crossover':
        if (!first || !second || first.id === second.id) return undefined;
        return this.#propose(
          name,
          {
            ...this.#shown(first),
            other: asData('kernel', second.source),
            otherProfile: asData('profile', profileInWords(second, this.#floor)),
          },
          [first, second],
          history,
          nonce,
          signal,
        );
      case 'innovate':
        return (
          first &&
          this.#propose(name, { ...this.#shown(first), related: this.#related() }, [first], history, nonce, signal)
        );
      case 'repair': {
        if (!first?.evaluation) return undefined;
        const repairs = history.filter((record) => record.strategy === 'repair' && record.parents.includes(first.id));
        if (repairs.length >= mostRepairs) return undefined;
        return this.#propose(name, { kernel: asData('kernel', first.source) }, [first], history, nonce, signal);
      }
    }
  }

  get #floor(): number {
    return this.#options.setting.floor.microseconds;
  }

  #shown(record: SearchRecord): Record<string, string> {
    return { kernel: asData('kernel', record.source), profile: asData('profile', profileInWords(record, this.#floor)) };
  }

  #related(): string {
    const parts: string[] = [];
    let left = longestExample;
    for (const { task, shared, summary, source } of this.#options.related) {
      if (source.length > left && parts.length > 0) break;
      left -= source.length;
      const about = asData('about', `${task} (shares ${shared}): ${summary}`);
      parts.push(`${about}\n${asData('kernel', source.slice(0, longestExample))}`);
    }
    return parts.join('\n\n');
  }

  /** Asks for a kernel; undefined where none came of it, or nothing may be asked any more. */
  async #propose(
    strategy: StrategyName,
    values: Readonly<Record<string, string>>,
    parents: readonly SearchRecord[],
    history: readonly SearchRecord[],
    nonce: string,
    signal?: AbortSignal,
  ): Promise<Proposal | undefined> {
    if (this.#ended !== undefined) return undefined;
    const { desk, priced, prompts, setting, maxOutputTokens, tools, deadline } = this.#options;
    const within = signal && deadline ? AbortSignal.any([signal, deadline]) : (signal ?? deadline);
    const names: PromptName[] = ['system', strategy, 'answer'];
    const used = names.map((name) => prompts.version(name));
    const asking = { engineer: this.name, strategy, nonce, prompt: used.join(' ') };
    const talk = new Talk({ desk, priced, prompts, prepare: setting.prepare, maxOutputTokens, tools }, asking);
    try {
      const findings = strategy === 'repair' ? await this.#findings(parents[0]!, talk, within) : '';
      const tried = triedInWords(history);
      const prompt = prompts.fill(strategy, {
        ...values,
        findings,
        task: this.#task,
        answer: prompts.fill('answer'),
        tried: tried && `\nWhat was tried before in this run:\n${asData('tried', tried)}\n`,
        lessons: this.#lessons,
      });
      const base = parents[0]?.source;
      const reply = await talk.propose(prompt, base, within);
      if (!reply || reply.source === base) return undefined;
      const made: Making = talk.made();
      const knobs = Object.fromEntries(tuneKnobs(reply.source).map(({ name, now }) => [name, now]));
      return {
        ...{ source: reply.source, strategy, summary: reply.summary, made },
        knobs: Object.keys(knobs).length > 0 ? knobs : null,
        parents: [...new Set(parents.map(({ id }) => id))],
      };
    } catch (error) {
      if (within?.aborted) return undefined;
      return this.#failed(error);
    }
  }

  /** What was found of a failed candidate: by rule, and by the model where that was asked for. */
  async #findings(failed: SearchRecord, talk: Talk, signal?: AbortSignal): Promise<string> {
    const byRule = failureInWords(failed.evaluation!);
    if (this.#options.explain === 'rule') return asData('findings', byRule);
    const prompt = this.#options.prompts.fill('explain', {
      kernel: asData('kernel', failed.source),
      findings: asData('findings', byRule),
    });
    const said = await talk.form('explanation', explanation, prompt, signal);
    return asData(
      'findings',
      said ? `${byRule}\nThe cause, as a model sees it: ${said.cause}\nTo be changed: ${said.change}` : byRule,
    );
  }

  /** Says once why nothing came; what no later question would mend ends the asking. */
  #failed(error: unknown): undefined {
    if (error instanceof BudgetSpent) this.#end(error.message);
    else if (error instanceof ModelFailure && (error.kind === 'key' || error.kind === 'request'))
      this.#end(error.message);
    else if (error instanceof ModelFailure) this.#note(`${error.message} The proposal is left out.`);
    else throw error;
    return undefined;
  }

  #end(why: string): void {
    this.#ended = why;
    this.#note(`${why} ${this.name} proposes no more.`);
  }

  #note(message: string): void {
    this.#options.setting.events?.emit({ type: 'note', level: 'warning', message });
  }
}
