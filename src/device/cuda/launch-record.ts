/** A launch in the driver's own layout: CUlaunchConfig, its attributes, and the array of pointers to the parameters. */
import type { Dim3 } from '../../kernel/index.ts';
import { constants } from './driver/functions.ts';
import { addressOf } from './driver/library.ts';

export interface LaunchShape {
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly dynamicSharedBytes: number;
  readonly cluster?: Dim3;
  readonly cooperative?: true;
}

/** CUlaunchConfig: seven words, a hole, stream, attributes, their number, a hole. */
const CONFIG = { bytes: 56, stream: 32, attributes: 40, attributeCount: 48 } as const;
/** CUlaunchAttribute: the id, a hole of 4 bytes, a value of 64. */
const ATTRIBUTE = { bytes: 72, value: 8 } as const;

export class LaunchRecord {
  readonly config: Uint8Array;
  /** A `void **`. */
  readonly parameters: BigUint64Array;
  /** What the two point to: lives as long as this object. */
  readonly kept: readonly NodeJS.ArrayBufferView[];

  constructor(shape: LaunchShape, parameters: readonly Uint8Array[], stream: bigint) {
    const attributes = attributesOf(shape);
    const config = new DataView(new ArrayBuffer(CONFIG.bytes));
    [...shape.grid, ...shape.block, shape.dynamicSharedBytes].forEach((word, i) => {
      config.setUint32(i * 4, word, true);
    });
    config.setBigUint64(CONFIG.stream, stream, true);
    if (attributes.length > 0) config.setBigUint64(CONFIG.attributes, addressOf(attributes), true);
    config.setUint32(CONFIG.attributeCount, attributes.length / ATTRIBUTE.bytes, true);
    this.config = new Uint8Array(config.buffer);
    this.parameters = BigUint64Array.from(parameters, addressOf);
    this.kept = [attributes, ...parameters];
  }
}

function attributesOf({ cluster, cooperative }: LaunchShape): Uint8Array {
  const values: [id: number, words: readonly number[]][] = [];
  if (cooperative) values.push([constants.LAUNCH_COOPERATIVE, [1]]);
  if (cluster) values.push([constants.LAUNCH_CLUSTER_DIMENSION, cluster]);
  const view = new DataView(new ArrayBuffer(values.length * ATTRIBUTE.bytes));
  values.forEach(([id, words], i) => {
    view.setUint32(i * ATTRIBUTE.bytes, id, true);
    words.forEach((word, j) => {
      view.setUint32(i * ATTRIBUTE.bytes + ATTRIBUTE.value + j * 4, word, true);
    });
  });
  return new Uint8Array(view.buffer);
}
