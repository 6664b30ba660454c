/**
 * How much ground a cell on the map covers; pure.
 *
 * @typedef {{ bbox: readonly number[], resolution: readonly number[], crs: string, size: readonly number[] }} Whole
 *   the server's document of a layer
 */

const EQUATOR_M = 40_075_016.686;
const DEGREE_M = EQUATOR_M / 360;
const WEB_MERCATOR = /\b(3857|900913)\b/;
/** If cells are by this factor smaller than the extent and size of the layer imply in metres, they are in degrees. */
const DEGREES_RATIO = 1000;

/** Metres of ground that a pixel of the map covers. @param {number} zoom @param {number} lat degrees */
export const pixelLength = (zoom, lat) => (EQUATOR_M * Math.cos((lat * Math.PI) / 180)) / (256 * 2 ** zoom);

/**
 * Returns the metres on the ground of a cell of a layer from south to north.
 * @param {Whole} layer
 * @param {number} lat in degrees
 */
export function cellLength({ bbox, resolution, crs, size }, lat) {
	const length = resolution[1];
	if (WEB_MERCATOR.test(crs)) return length * Math.cos((lat * Math.PI) / 180);
	const expected = ((bbox[3] - bbox[1]) * DEGREE_M) / size[1];
	return expected / length > DEGREES_RATIO ? length * DEGREE_M : length;
}

/** Formats a length with two digits: "10 m", "1.2 km". @param {number} metres @param {string} locale */
export function formatLength(metres, locale) {
	const [value, unit] = metres >= 1000 ? [metres / 1000, "kilometer"] : [metres, "meter"];
	const format = new Intl.NumberFormat(locale, { style: "unit", unit, maximumSignificantDigits: 2 });
	return format.format(value);
}
