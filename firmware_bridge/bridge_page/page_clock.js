// The page's own clock: never runs backwards, and counts the time that a phone slept.

const JUMP_MS = 1000;
const base = Date.now() - performance.now();
let slept = 0;

/** Milliseconds of no particular epoch. `performance.now` stands still while some phones sleep;
 *  the wall clock then runs ahead of it. */
export function clockMs() {
  const ahead = Date.now() - performance.now() - base;
  if (ahead - slept > JUMP_MS) slept = ahead;
  return performance.now() + slept;
}
