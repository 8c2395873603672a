// Asking again and again, for what no envelope tells. Only while somebody looks.

/** Calls now and then so often, never twice at once. @param {number} every milliseconds @param {() => Promise<void>} call @returns {() => void} the way to stop */
export function often(every, call) {
  let timer;
  let ended = false;
  const turn = async () => {
    if (!document.hidden) await call();
    if (!ended) timer = setTimeout(turn, every);
  };
  void turn();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
