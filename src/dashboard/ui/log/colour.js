// @ts-check
// Colours that a command chose, made readable on the log's background in both themes. Pure.

/** @typedef {[number, number, number]} Rgb */

/** The log's backgrounds, as in colours.css. @type {{light: Rgb, dark: Rgb}} */
export const BACKGROUND = { light: [0xfb, 0xfb, 0xfc], dark: [0x0f, 0x13, 0x1a] };
/** The least contrast of text, after WCAG 2 AA. */
export const LEAST_CONTRAST = 4.5;

/**
 * The colour of a number from 16 to 255 in the palette of 256.
 * @param {number} n
 * @returns {Rgb}
 */
export function indexed(n) {
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return [grey, grey, grey];
  }
  const level = (/** @type {number} */ step) => (step === 0 ? 0 : 55 + step * 40);
  const cube = n - 16;
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)];
}

/** @param {Rgb} colour */
function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

/** @param {Rgb} one @param {Rgb} other */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05);
}

/**
 * The colour, moved towards black or white until it can be read on the background.
 * @param {Rgb} colour
 * @param {Rgb} background
 * @returns {Rgb}
 */
export function readable(colour, background) {
  const target = luminance(background) > 0.18 ? 0 : 255;
  for (let step = 0; step <= 20; step += 1) {
    const share = step / 20;
    const moved = /** @type {Rgb} */ (colour.map((part) => Math.round(part + (target - part) * share)));
    if (contrast(moved, background) >= LEAST_CONTRAST) return moved;
  }
  return [target, target, target];
}

/** @param {Rgb} colour */
const css = (colour) => `rgb(${colour.join(' ')})`;

/**
 * A text colour for both themes as a CSS value.
 * @param {Rgb} colour
 * @param {Rgb | null} background what the command chose behind it; null for the log's own
 */
export function textColour(colour, background) {
  if (background) return css(readable(colour, background));
  return `light-dark(${css(readable(colour, BACKGROUND.light))}, ${css(readable(colour, BACKGROUND.dark))})`;
}

/** @param {Rgb} colour */
export const backColour = css;
