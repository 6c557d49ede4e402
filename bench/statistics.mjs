/** @param {number[]} values at least one */
export function median(values) {
  return quantile(values, 0.5);
}

/** Nearest rank. @param {number[]} values at least one */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
