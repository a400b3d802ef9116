// @ts-check
// How much of something is in use. Pure.

/** @typedef {import('./types.js').Amount} Amount */

/** In use, in percent. @param {Amount} amount */
export const percent = (amount) => (amount.total > 0 ? (Math.max(0, amount.total - amount.available) * 100) / amount.total : 0);

/** The fullest file system's use in percent; null if none is known. @param {import('./types.js').Resources} resources */
export function fullest(resources) {
  const disks = (resources.disks ?? []).filter((disk) => disk.total > 0);
  return disks.length > 0 ? Math.max(...disks.map(percent)) : null;
}
