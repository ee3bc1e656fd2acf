// SPDX-License-Identifier: Apache-2.0

// The items of `now` with those of `order` in the order they had there; the others, which are new, where the server put
// them relative to the top: before the first known one when they came before it, else at the end of what is known.
export function keepOrder<T extends {id: string}>(order: string[], now: T[]): T[] {
  const byId = new Map(now.map(item => [item.id, item]));
  const known = order.map(id => byId.get(id)).filter((item): item is T => item !== undefined);
  const knownIds = new Set(known.map(item => item.id));
  const firstKnown = now.findIndex(item => knownIds.has(item.id));
  const fresh = now.filter(item => !knownIds.has(item.id));
  const above = fresh.filter(item => firstKnown < 0 || now.indexOf(item) < firstKnown);
  return [...above, ...known, ...fresh.filter(item => !above.includes(item))];
}
