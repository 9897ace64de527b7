/**
 * What a published host function is called with. Its authors' Python often prepares arguments, so a function may take other tensors and scalars
 * than the task's own: those are fitted by name from the task's, and what no name decides is guessed. coverage.ts says which it was.
 */
import type { HostFunction, HostParameter } from '../src/kernel/index.ts';
import type { InitScalar, Signature, SignatureTensor, TensorSpec } from '../src/task/index.ts';

export interface Fitted {
  signature: Signature;
  /** `own`: the task's signature as it is; `fitted`: by the names of parameters; `guessed`: something no name decides. */
  how: 'own' | 'fitted' | 'guessed';
}

/** The signature to call `fn` with. */
export function fitSignature(fn: HostFunction, task: Signature): Fitted {
  if (takesOwn(fn, task)) return { signature: task, how: 'own' };
  const fit = new Fit(task);
  const tensors: SignatureTensor[] = [];
  const scalars: InitScalar[] = [];
  for (const parameter of fn.parameters) {
    if (parameter.isTensor) tensors.push(fit.tensor(parameter.name));
    else if (!parameter.hasDefault) scalars.push({ name: parameter.name, value: fit.scalar(parameter) });
  }
  return { signature: { ...task, tensors, scalars, scalarsBy: 'name' }, how: fit.guessed ? 'guessed' : 'fitted' };
}

const WEIGHT = /weight|^w\d?$|gamma/i;
const BIAS = /bias|^b\d?$|beta/i;

/** As many tensors as the task gives, none of them plainly another, and no scalar that it lacks. */
function takesOwn(fn: HostFunction, task: Signature): boolean {
  const slots = fn.parameters.filter((p) => p.isTensor);
  const needed = task.tensors.filter((t) => !t.name.endsWith('num_batches_tracked'));
  const given = [needed, task.tensors].find((tensors) => tensors.length === slots.length);
  if (!given) return false;
  const another = (a: string, b: string): boolean =>
    (WEIGHT.test(a) && BIAS.test(b)) || (BIAS.test(a) && WEIGHT.test(b));
  if (given.some((t, i) => another(t.name.split('.').pop()!, slots[i]!.name))) return false;
  const rest = fn.parameters.filter((p) => !p.isTensor);
  if (task.scalarsBy === 'position') return rest.length <= task.scalars.length;
  // A `None` of the task's is for its Python to fill in, unless the function says that it may be missing.
  const fits = (p: HostParameter): boolean =>
    task.scalars.some((s) => s.name === p.name && (s.value !== null || /optional/.test(p.type)));
  return rest.every((p) => fits(p) || (p.hasDefault && !task.scalars.some((s) => s.name === p.name)));
}

/** What integer parameters are commonly called, and the size of the first input that they then are. */
const SIZES: readonly (readonly [RegExp, number])[] = [
  [/^(n|b|bs|batch|batch_size|batches|n_batch|rows|m)$/i, 0],
  [
    /^(c|channels|in_channels|c_in|ic|features|in_features|hidden|hidden_size|dim|d|cols|k|num_features|feature_size)$/i,
    1,
  ],
  [/^(h|height|in_h|h_in|input_height|ih|length|seq_len|depth|in_d)$/i, 2],
  [/^(w|width|in_w|w_in|input_width|iw)$/i, 3],
];
const ZERO = /pad|offset|seed|start|index|output_padding/i;
const KERNEL = /kernel|^k[hwd]$|pool|window/i;

class Fit {
  guessed = false;
  private readonly left: SignatureTensor[];
  private readonly task: Signature;

  constructor(task: Signature) {
    this.task = task;
    this.left = [...task.tensors];
  }

  /** By the whole name, by its last part, by order, or like the output. */
  tensor(name: string): SignatureTensor {
    const plain = name.replace(/_+$/, '');
    const at = this.left.findIndex(({ name: own }) => own.replaceAll('.', '_') === plain);
    const part = this.left.findIndex(
      ({ name: own }) => own.endsWith('.weight') === WEIGHT.test(plain) && own.endsWith('.bias') === BIAS.test(plain),
    );
    const found = this.left.splice(at >= 0 ? at : part >= 0 ? part : 0, 1)[0];
    if (found) return { ...found, name };
    this.guessed = true;
    const like: TensorSpec = (/out|result|^y$/i.test(name) ? this.task.outputs[0] : this.task.tensors[0]?.spec) ?? {
      shape: [1],
      dtype: 'float32',
    };
    return { name, role: 'input', spec: like };
  }

  scalar({ name, type }: HostParameter): InitScalar['value'] {
    const own = this.task.scalars.find((s) => s.name === name);
    const isList = /vector|IntArrayRef|ArrayRef|array/.test(type);
    const missing = own?.value === null && !/optional/.test(type);
    if (own && !missing && typeof own.value === 'object' && own.value !== null && !isList) return own.value[0] ?? 0;
    if (own && !missing) return own.value;
    if (/bool/.test(type)) return this.guess(false);
    if (/string/.test(type)) return this.guess('none');
    const value = this.number(name, /float|double/.test(type));
    return isList ? this.guess([value, value]) : value;
  }

  private number(name: string, floating: boolean): number {
    if (floating) return this.guess(/eps/i.test(name) ? 1e-5 : 0.5);
    const shape = this.task.tensors[0]?.spec.shape ?? [];
    if (/numel|total|^size$|elements|^n$/i.test(name)) return shape.reduce((a, b) => a * b, 1);
    const axis = SIZES.find(([pattern]) => pattern.test(name))?.[1];
    if (axis !== undefined && shape[axis] !== undefined) return shape[axis];
    const weight = this.task.tensors.find((t) => t.name.endsWith('weight'))?.spec.shape;
    if (/^(out|oc|c_out)/i.test(name) && weight?.[0]) return weight[0];
    if (KERNEL.test(name)) return weight && weight.length > 2 ? weight.at(-1)! : this.guess(3);
    return this.guess(ZERO.test(name) ? 0 : 1);
  }

  private guess<T>(value: T): T {
    this.guessed = true;
    return value;
  }
}
