/** What calls of the CUDA runtime return. */
import { type IntType, NAMED_TYPES } from '../interpret/types.ts';
import { intValue, type Value } from '../interpret/values.ts';

const ERROR_TYPE = NAMED_TYPES.get('cudaError_t') as IntType;

/** cudaSuccess: what the runtime answers where nothing can fail before the plan runs. */
export const SUCCESS: Value = intValue(0, ERROR_TYPE);
