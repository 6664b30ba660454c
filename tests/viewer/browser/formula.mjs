/**
 * The numbers of the layers of `served.py`, computed from time, row and column: the expected values of scenarios.
 *
 * @typedef {{ row: number, column: number }} Cell
 * @typedef {{ lon: number, lat: number }} Point
 * @typedef {(t: number, row: number, column: number) => number | null} Formula the number; null for nodata
 * @typedef
 *   {{ size: number, dates: string[], scale: number, offset: number, formula: Formula, crs: "ghent" | "dateline" | "polar" }}
 *   Fixture
 */

export const ZOOM = 12;
export const TILE_COLUMN = 2090;
export const TILE_ROW = 1370;
/** Cells of zoom 12 around the world. */
const WORLD_CELLS = 256 * 2 ** ZOOM;
const DAY_MS = 86_400_000;

/** @param {number} step days @param {string} first @param {number} count */
const every = (step, first, count) =>
	Array.from({ length: count }, (_, index) =>
		new Date(Date.parse(first) + index * step * DAY_MS).toISOString().slice(0, 10),
	);

/** Whether a cell is cloudy in the layers with clouds. @param {number} t @param {number} row @param {number} column */
export function isCloud(t, row, column) {
	const turn = (5 * Math.floor(row / 32) + 3 * Math.floor(column / 32) + 7 * t) % 10;
	return turn < (3 * t) % 8 || t % 73 === 11;
}

/** @type {(t: number, row: number, column: number) => number} */
const ramp = (t, row, column) => (row + 2 * column + 5 * t) % 251;

/** @type {Formula} */
const cloudy = (t, row, column) => (isCloud(t, row, column) ? null : ramp(t, row, column));

/** @type {Formula} */
const shorts = (t, row, column) => (isCloud(t, row, column) ? null : ((3 * row + 5 * column + 11 * t) % 7000) - 200);

/** @type {Formula} */
const fractions = (t, row, column) =>
	isCloud(t, row, column) ? null : Math.fround(((7 * row + 3 * column + 13 * t) % 1000) / 1000);

/** @type {Formula} */
const classes = (t, row, column) => ((Math.floor(row / 8) + 2 * Math.floor(column / 8) + t) % 11) + 1;

/**
 * Returns the flag that a cell of `flagged` has instead of a value.
 * @param {number} t
 * @param {number} row
 * @param {number} column
 */
export function flagOf(t, row, column) {
	if (column >= 240) return null;
	if (row < 16) return "snow";
	return isCloud(t, row, column) ? "cloud" : null;
}

/** @type {Formula} */
const flagged = (t, row, column) => (column >= 240 || flagOf(t, row, column) !== null ? null : ramp(t, row, column));

const FEW = every(5, "2019-01-01", 12);
const OF_2019 = every(5, "2019-01-01", 73);
const NDVI = { size: 256, dates: FEW, scale: 0.004, offset: -0.08, crs: /** @type {const} */ ("ghent") };
const AS_IT_IS = { ...NDVI, scale: 1, offset: 0 };

/** By layer, except the composite `rgb`. @type {Record<string, Fixture>} */
export const FIXTURES = {
	ndvi: { ...NDVI, size: 512, dates: OF_2019, formula: cloudy },
	ndvi_years: {
		...NDVI,
		dates: ["2018", "2019", "2020"].flatMap((year) => every(5, `${year}-01-01`, 73)),
		formula: cloudy,
	},
	lai16: { ...NDVI, dates: OF_2019, scale: 0.001, offset: 0, formula: shorts },
	fapar_float: { ...AS_IT_IS, formula: fractions },
	classes: { ...AS_IT_IS, formula: classes },
	flagged: { ...NDVI, formula: flagged },
	static: { ...NDVI, dates: [], formula: ramp },
	one: { ...NDVI, dates: ["2019-06-01"], formula: ramp },
	long: { ...NDVI, size: 64, dates: every(4, "2010-01-01", 1000), formula: cloudy },
	polar: { ...NDVI, size: 400, crs: "polar", formula: ramp },
	dateline: { ...NDVI, size: 300, crs: "dateline", formula: ramp },
};

/** Centres of cells of `polar`, by pyproj. @type {readonly (Cell & Point)[]} */
export const POLAR_CELLS = [
	{ lon: 20.94894, lat: 71.37218, row: 20, column: 30 },
	{ lon: 21.68886, lat: 70.962, row: 100, column: 100 },
	{ lon: 24.66809, lat: 70.30034, row: 200, column: 350 },
	{ lon: 20.55324, lat: 70.10456, row: 300, column: 50 },
	{ lon: 24.62139, lat: 69.46721, row: 380, column: 390 },
];

/**
 * Returns the cell of a layer of Ghent at a point; outside the layer its row or column is not within its size.
 * @param {Point} point
 * @returns {Cell}
 */
export function cellAt({ lon, lat }) {
	const y = Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360));
	const column = Math.floor((lon / 360 + 0.5) * WORLD_CELLS) - 256 * TILE_COLUMN;
	const row = Math.floor((0.5 - y / (2 * Math.PI)) * WORLD_CELLS) - 256 * TILE_ROW;
	return { row, column };
}

/** Returns the centre of a cell of a layer of Ghent. @param {Cell} cell @returns {Point} */
export function centreOf({ row, column }) {
	const [x, y] = [256 * TILE_COLUMN + column + 0.5, 256 * TILE_ROW + row + 0.5].map((cell) => cell / WORLD_CELLS);
	return { lon: x * 360 - 180, lat: (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI };
}

/** Ellipsoid of WGS 84, as in EPSG:3832. */
const [ELLIPSOID_M, ECCENTRICITY] = [6_378_137, 0.0818191908426215];

/** Returns the cell of `dateline` at a point. @param {Point} point @returns {Cell} */
export function datelineCellAt({ lon, lat }) {
	const phi = (lat * Math.PI) / 180;
	const slope = ECCENTRICITY * Math.sin(phi);
	const y = Math.log(Math.tan(Math.PI / 4 + phi / 2) * ((1 - slope) / (1 + slope)) ** (ECCENTRICITY / 2));
	const x = ((((lon - 150) % 360) + 360) % 360) * (Math.PI / 180);
	return {
		row: Math.floor((-1_800_000 - y * ELLIPSOID_M) / 1000),
		column: Math.floor((x * ELLIPSOID_M - 3_200_000) / 1000),
	};
}

/**
 * Returns the number in a cell; null if there is none.
 * @param {string} layer
 * @param {number} t index of the date
 * @param {Cell} cell
 */
export function numberAt(layer, t, { row, column }) {
	const { size, formula } = FIXTURES[layer];
	const isInside = row >= 0 && row < size && column >= 0 && column < size;
	return isInside ? formula(t, row, column) : null;
}

/**
 * Significant digits of values in answers of the server: those of a float32 are shortest decimals, others are exact.
 */
const FLOAT32_DIGITS = 7;
const DIGITS = 12;

/** Returns a value without floating-point noise. @param {number} value @param {number} [digits] */
export const exact = (value, digits = DIGITS) => Number(value.toPrecision(digits));

/**
 * Returns the value in a cell as in answers of the server; null if there is none.
 * @param {string} layer
 * @param {number} t
 * @param {Cell} cell
 */
export function valueAt(layer, t, cell) {
	const { scale, offset, formula } = FIXTURES[layer];
	const number = numberAt(layer, t, cell);
	const digits = formula === fractions ? FLOAT32_DIGITS : DIGITS;
	return number === null ? null : exact(number * scale + offset, digits);
}

/** Returns the fraction of the cells of a layer that have a value at a date. @param {string} layer @param {number} t */
export function validShare(layer, t) {
	const { size } = FIXTURES[layer];
	let valid = 0;
	for (let row = 0; row < size; row += 1) {
		for (let column = 0; column < size; column += 1) valid += numberAt(layer, t, { row, column }) === null ? 0 : 1;
	}
	return valid / size ** 2;
}

/**
 * Returns the number of a cell at a date if gaps are filled: the last existing one; null if there is none.
 * @param {string} layer
 * @param {number} t
 * @param {Cell} cell
 */
export function lastNumberAt(layer, t, cell) {
	for (let before = t; before >= 0; before -= 1) {
		const number = numberAt(layer, before, cell);
		if (number !== null) return number;
	}
	return null;
}
