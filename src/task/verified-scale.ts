/** The scale at which a task is put to the question when nobody chose one. */

/** Elements and operations of one evaluation: some fifty are made, and the whole should take seconds. */
export const VERIFIED_SCALE = 1.5e5;
/** For tasks without products or convolutions, shapes for the flat check alone: a mean over more elements is more degenerate. */
export const LARGER_SCALE = 3e6;
