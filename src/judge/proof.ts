/** Why a candidate is wrong: what every rejection carries. */
import type { Finding } from '../vgpu/index.ts';
import type { RegionPicture } from './region.ts';

/** JSON, for the details of a proof. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Why a candidate is wrong, in a form that a kernel author can act on. */
export interface Proof {
  /** One or two sentences: what is wrong, where, and what to do where that can be known. */
  reason: string;
  details: { readonly [key: string]: Json };
  /** Findings of the device that are the proof. */
  findings?: readonly Finding[];
  /** Which elements of an output are at fault, as a picture of it. */
  picture?: RegionPicture;
}
