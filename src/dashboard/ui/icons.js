// @ts-check
// Icons of 16 x 16, drawn with strokes; each differs from the others by shape, not by colour.

const SVG = 'http://www.w3.org/2000/svg';

/** Path data; a leading `!` fills the shape. @type {Record<string, string>} */
const PATHS = {
  disc: '!M8 3.500a4.500 4.500 0 1 1 0 9a4.500 4.500 0 0 1 0-9z',
  ring: 'M8 3.500a4.500 4.500 0 1 1 0 9a4.500 4.500 0 0 1 0-9z',
  cross: 'M4 4l8 8M12 4l-8 8',
  turn: 'M13 8a5 5 0 1 1-1.600-3.700M13 2.500v3h-3',
  clock: 'M8 2.500a5.500 5.500 0 1 1 0 11a5.500 5.500 0 0 1 0-11zM8 5v3.200l2.200 1.300',
  arc: 'M8 2.500a5.500 5.500 0 1 1-5.500 5.500',
  check: 'M3 8.500l3.300 3.300L13 4.800',
  alert: 'M8 2.500l6 11H2zM8 6.500v3M8 11.400v.2',
  power: 'M8 2v5.500M4.700 4.200a5.200 5.200 0 1 0 6.600 0',
  stop: '!M4 4h8v8H4z',
  question: 'M5.500 6a2.500 2.500 0 1 1 3.600 2.200c-.8.4-1.100.9-1.100 1.600M8 12.300v.2',
  back: 'M6 4L2.500 7.500L6 11M3 7.500h6.500a3.500 3.500 0 0 1 0 7H7',
  down: 'M8 3v10M3.500 8.500L8 13l4.500-4.500',
  chevron: 'M4 6l4 4l4-4',
  sun: 'M8 5a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z',
  dot: '!M8 6a2 2 0 1 1 0 4a2 2 0 0 1 0-4z',
};

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const data = PATHS[name] ?? PATHS.question ?? '';
  const path = document.createElementNS(SVG, 'path');
  const filled = data.startsWith('!');
  path.setAttribute('d', filled ? data.slice(1) : data);
  if (filled) path.setAttribute('class', 'filled');
  svg.append(path);
  return svg;
}
