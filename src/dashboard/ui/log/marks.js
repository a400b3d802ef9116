// @ts-check
// Lines named by an address: `#L123`, `#L120-L140`. Pure.

/**
 * @param {string} hash
 * @returns {{from: number, to: number} | null}
 */
export function marks(hash) {
  const match = /^#L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(hash);
  if (!match) return null;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  const from = Math.min(first, last);
  return from < 1 ? null : { from, to: Math.max(first, last) };
}

/** @param {number} from @param {number} to */
export const marksHash = (from, to) => (from === to ? `#L${from}` : `#L${from}-L${to}`);
