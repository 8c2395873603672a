// How long to wait.
// @ts-check

export const LONGEST_WAIT = 30_000;
/** Timers can't wait for longer. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Longer each time, and never the same as others. @param {number} attempt from 0 */
export const backOff = (attempt) => Math.min(LONGEST_WAIT, 1000 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);

/** How long a JWT is still good by our clock; undefined for any other token. @param {string} token */
export function goodFor(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Number.isFinite(exp) ? exp * 1000 - Date.now() : undefined;
  } catch {
    return undefined;
  }
}
