/**
 * Asks at most once in `ms`, and never twice at a time: for what costs something and anybody may ask for.
 * @param now milliseconds, ever rising
 */
export function remembered<Value>(
  ask: () => Promise<Value>,
  ms: number,
  now: () => number = () => performance.now(),
): () => Promise<Value> {
  let [answer, askedAt]: [Promise<Value> | null, number] = [null, 0];
  return () => {
    if (answer && now() - askedAt < ms) return answer;
    const fresh = ask();
    [answer, askedAt] = [fresh, now()];
    fresh.catch(() => {
      if (answer === fresh) answer = null;
    });
    return fresh;
  };
}
