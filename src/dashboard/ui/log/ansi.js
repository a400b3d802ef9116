// @ts-check
// Select Graphic Rendition: the colours and weights in a line's text. Pure: no element is made here.

import { indexed } from './colour.js';

/**
 * @typedef {object} Piece a stretch of text with one look
 * @property {string} text
 * @property {string} classes
 * @property {import('./colour.js').Rgb | null} fg only where no class says it
 * @property {import('./colour.js').Rgb | null} bg
 */

/** The sixteen basic colours as backgrounds; as text colours they are classes in log.css. @type {import('./colour.js').Rgb[]} */
export const BASIC = [
  [0x1f, 0x23, 0x2b], [0xc0, 0x39, 0x2b], [0x2e, 0x8b, 0x45], [0xb5, 0x89, 0x00],
  [0x2a, 0x6f, 0xc9], [0x9b, 0x45, 0xb5], [0x1f, 0x8a, 0x99], [0xd5, 0xd9, 0xe0],
  [0x6b, 0x72, 0x80], [0xe7, 0x5a, 0x4d], [0x4c, 0xb8, 0x66], [0xe0, 0xb0, 0x30],
  [0x5a, 0x9b, 0xf0], [0xc0, 0x77, 0xd8], [0x44, 0xb8, 0xc8], [0xff, 0xff, 0xff],
];

// SGR; other CSI; OSC up to its end; other escapes. The host drops all but the first; a page trusts nobody.
const ESCAPE = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?/g;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** @typedef {number | import('./colour.js').Rgb | null} Colour */
/** @typedef {{bold: boolean, dim: boolean, italic: boolean, under: boolean, inverse: boolean, strike: boolean, fg: Colour, bg: Colour}} Look */

/** @returns {Look} */
const plain = () => ({ bold: false, dim: false, italic: false, under: false, inverse: false, strike: false, fg: null, bg: null });

/**
 * @param {string} text
 * @returns {Piece[]}
 */
export function parse(text) {
  if (!text.includes('\x1b')) return text === '' ? [] : [piece(text, plain())];
  /** @type {Piece[]} */
  const pieces = [];
  const look = plain();
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    if (match.index > from) pieces.push(piece(text.slice(from, match.index), look));
    if (match[1] !== undefined) apply(look, match[1]);
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push(piece(text.slice(from), look));
  return pieces;
}

/** The text alone, for searching and copying. @param {string} text */
export function stripped(text) {
  return text.replace(ESCAPE, '');
}

/** @param {Look} look @param {string} parameters */
function apply(look, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) Object.assign(look, plain());
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 3) look.italic = true;
    else if (code === 4 || code === 21) look.under = true;
    else if (code === 7) look.inverse = true;
    else if (code === 9) look.strike = true;
    else if (code === 22) look.bold = look.dim = false;
    else if (code === 23) look.italic = false;
    else if (code === 24) look.under = false;
    else if (code === 27) look.inverse = false;
    else if (code === 29) look.strike = false;
    else if (code === 39) look.fg = null;
    else if (code === 49) look.bg = null;
    else if (code === 38 || code === 48) i = extended(look, code === 38 ? 'fg' : 'bg', codes, i);
    else {
      const basic = basicColour(code);
      if (basic) look[basic.side] = basic.n;
    }
  }
}

/** @param {number} code @returns {{side: 'fg' | 'bg', n: number} | null} */
function basicColour(code) {
  if (code >= 30 && code <= 37) return { side: 'fg', n: code - 30 };
  if (code >= 40 && code <= 47) return { side: 'bg', n: code - 40 };
  if (code >= 90 && code <= 97) return { side: 'fg', n: code - 82 };
  if (code >= 100 && code <= 107) return { side: 'bg', n: code - 92 };
  return null;
}

/**
 * `5;N` or `2;R;G;B` after 38 or 48. Returns the position of its last number.
 * @param {Look} look @param {'fg' | 'bg'} side @param {number[]} codes @param {number} i
 */
function extended(look, side, codes, i) {
  const byte = (/** @type {number} */ at) => Math.min(255, Math.max(0, codes[at] ?? 0));
  if (codes[i + 1] === 5) {
    const n = byte(i + 2);
    look[side] = n < 16 ? n : indexed(n);
    return i + 2;
  }
  if (codes[i + 1] === 2) {
    look[side] = [byte(i + 2), byte(i + 3), byte(i + 4)];
    return i + 4;
  }
  return i + 1;
}

/** @param {Colour} colour @returns {import('./colour.js').Rgb | null} */
const rgb = (colour) => (typeof colour === 'number' ? BASIC[colour] ?? null : colour);

/** @param {string} text @param {Look} look @returns {Piece} */
function piece(text, look) {
  const classes = [];
  if (look.bold) classes.push('bold');
  if (look.dim) classes.push('dim');
  if (look.italic) classes.push('italic');
  if (look.under) classes.push('under');
  if (look.strike) classes.push('strike');
  let { fg, bg } = look;
  if (look.inverse) {
    [fg, bg] = [bg, fg];
    if (fg === null && bg === null) classes.push('inverse');
    else bg ??= 7;
    if (bg !== null) fg ??= 0;
  }
  const back = rgb(bg);
  // On a background of the command's own, the text needs a colour that is checked against that one.
  if (back) return { text: visible(text), classes: classes.join(' '), fg: rgb(fg) ?? [127, 127, 127], bg: back };
  if (typeof fg === 'number') classes.push(`c${fg}`);
  return { text: visible(text), classes: classes.join(' '), fg: typeof fg === 'number' ? null : fg, bg: null };
}

/**
 * Control characters as pictures, and the ones that turn the direction of text as a mark: nothing acts, nothing hides.
 * @param {string} text
 */
function visible(text) {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
  });
}
