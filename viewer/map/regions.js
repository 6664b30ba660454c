/**
 * The regions of the world into which towns are divided as files, as tools/viewer_data makes them; pure.
 *
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {import("../base/permalink.js").Point} Point
 */

const CELL_DEGREES = 5;
const MOST_CELLS = 12;

/**
 * Returns the names of the files of towns in boxes, those nearest to a point first.
 * @param {BBox[]} boxes @param {Point} from @param {string[]} known existing files
 */
export function cellsIn(boxes, from, known) {
	const [there, found] = [new Set(known), new Set()];
	/** @param {number} degrees @param {number} origin */
	const at = (degrees, origin) => Math.floor((degrees + origin) / CELL_DEGREES);
	for (const [west, south, east, north] of boxes) {
		const last = at(east < west ? east + 360 : east, 180);
		for (let column = at(west, 180); column <= last; column++) {
			for (let row = at(south, 90); row <= at(north, 90); row++) found.add(`${column % (360 / CELL_DEGREES)}_${row}`);
		}
	}
	/** @param {string} cell */
	const distance = (cell) => {
		const [column, row] = cell.split("_").map((each) => (Number(each) + 0.5) * CELL_DEGREES);
		return distanceOf(from, { lon: column - 180, lat: row - 90 });
	};
	return [...found]
		.filter((cell) => there.has(cell))
		.sort((one, other) => distance(one) - distance(other))
		.slice(0, MOST_CELLS);
}

/** Returns an approximate distance in degrees of latitude. @param {Point} one @param {Point} other */
export function distanceOf(one, other) {
	const turn = Math.abs(one.lon - other.lon) % 360;
	return Math.hypot(Math.min(turn, 360 - turn) * Math.cos((one.lat * Math.PI) / 180), one.lat - other.lat);
}
