/** A peer that asks to come back later at the first attempt of every second thing it is handed. */
export function firstFails(): (thing: string) => boolean {
  const known = new Set<string>();
  return (thing) => {
    if (known.has(thing)) return false;
    known.add(thing);
    return known.size % 2 === 0;
  };
}
