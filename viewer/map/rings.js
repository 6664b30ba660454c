/**
 * Cells of a map tile inside a polygon; pure.
 *
 * @typedef {{ z: number, x: number, y: number }} Tile
 */
import { downAt } from "./extent.js";

/**
 * Cells round the world and from pole to pole, both from 0 to 1, of longitude and latitude.
 * @param {number[]} position
 */
const project = ([lon, lat]) => [lon / 360 + 0.5, downAt(lat)];

/**
 * Returns a mask (y, x): 1 for each cell whose centre is inside by the even-odd rule, so that inner rings are holes.
 * @param {number[][][]} rings longitude and latitude; they may go on beyond 180 degrees
 * @param {Tile} tile of Web Mercator @param {number} w cells across @param {number} h cells down
 */
export function insideRings(rings, { z, x, y }, w, h) {
	const isInside = new Uint8Array(w * h);
	const across = 2 ** z;
	for (const turn of [-1, 0, 1]) {
		const lines = rings.map((ring) =>
			ring.map((position) => {
				const [right, down] = project(position);
				return [((right + turn) * across - x) * w, (down * across - y) * h];
			}),
		);
		for (let row = 0; row < h; row++) fillRow(isInside.subarray(row * w, (row + 1) * w), lines, row + 0.5);
	}
	return isInside;
}

/**
 * @param {Uint8Array} cells of a row
 * @param {number[][][]} lines in cells of the tile
 * @param {number} centre of the row
 */
function fillRow(cells, lines, centre) {
	/** @type {number[]} */
	const crossings = [];
	for (const line of lines) {
		for (let at = 0; at < line.length; at++) {
			const [x1, y1] = line[at];
			const [x2, y2] = line[(at + 1) % line.length];
			if (y1 <= centre !== y2 <= centre) crossings.push(x1 + ((centre - y1) / (y2 - y1)) * (x2 - x1));
		}
	}
	crossings.sort((one, other) => one - other);
	for (let at = 0; at + 1 < crossings.length; at += 2) {
		const from = Math.max(0, Math.ceil(crossings[at] - 0.5));
		const to = Math.min(cells.length, Math.ceil(crossings[at + 1] - 0.5));
		if (to > from) cells.fill(1, from, to);
	}
}
