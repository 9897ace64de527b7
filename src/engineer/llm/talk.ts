/**
 * One proposal as a conversation with a model: the prompt, tools that it asks for, an answer that cannot be used and is asked for again, a build that
 * fails and is mended at once. All of it goes over the desk, so all of it is paid once and counted.
 */
import * as z from 'zod';
import type { CallRecord } from '../../archive/index.ts';
import { CandidateError } from '../../kernel/index.ts';
import type { Making, Setting } from '../ports.ts';
import { makingOf } from '../run/records.ts';
import { asData } from './data.ts';
import type { Asking, Desk, PricedModel } from './desk.ts';
import type { Prompts } from './prompts.ts';
import type { Answer, Message, Question, Tool } from './question.ts';
import { type Reply, ReplyRefused, readReply } from './reply.ts';

export interface TalkOptions {
  desk: Desk;
  priced: PricedModel;
  prompts: Prompts;
  prepare: Setting['prepare'];
  maxOutputTokens: number;
  /** Let the model build its kernel before it answers. */
  tools: boolean;
}

/** Unusable answers, and failed builds, that are asked for again in one proposal. */
const secondChances = 1;
/** Builds that a model may ask for in one proposal. */
const mostToolCalls = 4;

const buildInput = z.object({ source: z.string().describe('the whole CUDA file') });
const buildTool: Tool = {
  name: 'build_kernel',
  description:
    'Interprets the host function and compiles the kernels of a whole file. Says what does not build, or the registers, spills and launches.',
  input: buildInput,
};

export class Talk {
  readonly #options: TalkOptions;
  readonly #asking: Asking;
  readonly #calls: CallRecord[] = [];
  readonly #messages: Message[] = [];

  constructor(options: TalkOptions, asking: Asking) {
    this.#options = options;
    this.#asking = asking;
  }

  /** A kernel for the prompt; undefined where none came of it. `base`: the file that edits are made to. */
  async propose(prompt: string, base: string | undefined, signal?: AbortSignal): Promise<Reply | undefined> {
    const { prompts } = this.#options;
    this.#messages.push({ role: 'user', text: prompt });
    for (let chance = 0; ; chance++) {
      const answer = await this.#answer(signal);
      let complaint: string;
      try {
        const reply = readReply(answer, base);
        const fault = chance < secondChances ? await this.#buildFault(reply.source, signal) : undefined;
        if (fault === undefined) return reply;
        complaint = prompts.fill('refused', { reason: `it does not build.\n${asData('messages', fault)}\n` });
      } catch (error) {
        if (!(error instanceof ReplyRefused)) throw error;
        if (answer.finish === 'refused' || chance >= secondChances) return undefined;
        complaint = prompts.fill('refused', { reason: error.message });
      }
      this.#messages.push({ role: 'assistant', text: answer.text }, { role: 'user', text: complaint });
    }
  }

  /** An object of a form, by the same desk. */
  async form<T>(name: string, schema: z.ZodType<T>, prompt: string, signal?: AbortSignal): Promise<T | undefined> {
    const question = { messages: [{ role: 'user' as const, text: prompt }], form: { name, schema } };
    const { text } = await this.#ask(question, signal);
    try {
      const parsed = schema.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }

  /** What the talk took so far. */
  made(): Making {
    return makingOf(this.#calls);
  }

  /** The model's answer after the tools that it asks for. */
  async #answer(signal?: AbortSignal): Promise<Answer> {
    const tools = this.#options.tools ? [buildTool] : [];
    for (let used = 0; ; ) {
      const allowed = used < mostToolCalls ? tools : [];
      const answer = await this.#ask({ messages: [...this.#messages], tools: allowed }, signal);
      if (answer.toolCalls.length === 0 || allowed.length === 0) return answer;
      this.#messages.push({ role: 'assistant', text: answer.text, toolCalls: answer.toolCalls });
      for (const call of answer.toolCalls) {
        used++;
        this.#messages.push({ role: 'tool', call, text: await this.#runTool(call.name, call.input, signal) });
      }
    }
  }

  async #ask(asked: Pick<Question, 'messages' | 'tools' | 'form'>, signal?: AbortSignal): Promise<Answer> {
    const { desk, priced, prompts, maxOutputTokens } = this.#options;
    const nonce = `${this.#asking.nonce}.${this.#calls.length}`;
    const question = { system: prompts.fill('system'), maxOutputTokens, ...asked };
    const { answer, call } = await desk.ask(priced, question, { ...this.#asking, nonce }, signal);
    this.#calls.push(call);
    return answer;
  }

  async #runTool(name: string, input: unknown, signal?: AbortSignal): Promise<string> {
    const parsed = buildInput.safeParse(input);
    if (name !== buildTool.name || !parsed.success)
      return `There is no such tool call: ${buildTool.name} takes { source }.`;
    try {
      const { build, plan } = await this.#options.prepare(parsed.data.source, signal);
      const resources = build.resources.map(
        ({ entry, registers, staticSharedBytes, spillStoreBytes, spillLoadBytes }) =>
          `${entry}: ${registers} registers, ${staticSharedBytes} bytes of static shared memory, ${spillStoreBytes + spillLoadBytes} bytes of spills`,
      );
      return ['It builds.', ...resources, `The plan has ${plan.steps.length} steps.`].join('\n');
    } catch (error) {
      if (!(error instanceof CandidateError)) throw error;
      return asData('messages', error.message);
    }
  }

  /** What is wrong with the build; undefined where nothing is. */
  async #buildFault(source: string, signal?: AbortSignal): Promise<string | undefined> {
    try {
      await this.#options.prepare(source, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof CandidateError)) throw error;
      return error.message;
    }
  }
}
