/**
 * Layout of the names of towns on a map; pure. Larger towns have priority, and names never overlap.
 *
 * @typedef {{ names: string[], lons: number[], lats: number[], ranks?: number[] }} TownsFile thousandths of a degree,
 *   and the number of larger towns in the world: without it, all larger ones are in the file
 * @typedef {{ xs: Float64Array, ys: Float64Array, names: string[], ranks: number[] }} Towns as fractions of the
 *   world of Web Mercator, row 0 in the north; the largest town first
 * @typedef {{ left: number, top: number, width: number, height: number }} Window in pixels of the world at a zoom
 * @typedef {{ index: number, x: number, y: number }} Named a town by its index, and its position in pixels of the world
 */
import { downAt } from "./extent.js";

/** Margins around a name, so that most of the map remains visible. */
const [AROUND_PX, ABOVE_PX] = [48, 30];
/** Number of largest towns with names per pixel of the world's width. */
const LARGEST = 1 / 8;

/** @param {...TownsFile} files a town may be in more than one @returns {Towns} */
export function readTowns(...files) {
	/** @type {[file: TownsFile, at: number][]} */
	const byRank = [];
	for (const file of files) {
		for (const at of file.names.keys()) byRank[file.ranks?.[at] ?? at] = [file, at];
	}
	const all = Object.entries(byRank);
	return {
		xs: Float64Array.from(all, ([, [{ lons }, at]]) => lons[at] / 360_000 + 0.5),
		ys: Float64Array.from(all, ([, [{ lats }, at]]) => downAt(lats[at] / 1000)),
		names: all.map(([, [{ names }, at]]) => names[at]),
		ranks: all.map(([rank]) => Number(rank)),
	};
}

/**
 * Returns the towns with names in a part of the world.
 * @param {Towns} towns
 * @param {number} worldSize in pixels
 * @param {Window} window
 * @param {(name: string) => number} widthOf in pixels
 * @returns {Named[]}
 */
export function chooseNames({ xs, ys, names, ranks }, worldSize, { left, top, width, height }, widthOf) {
	/** @type {(Named & { end: number })[]} */
	const chosen = [];
	const middle = left + width / 2;
	for (let index = 0; index < xs.length && ranks[index] < LARGEST * worldSize; index++) {
		const y = ys[index] * worldSize - top;
		if (y < 0 || y > height) continue;
		// The map may have been turned round the world, or show it more than once.
		const from = xs[index] * worldSize;
		const x = from + Math.round((middle - from) / worldSize) * worldSize - left;
		if (x < 0 || x > width) continue;
		const end = x + widthOf(names[index]);
		const isFree = chosen.every(
			(other) => x > other.end + AROUND_PX || end < other.x - AROUND_PX || Math.abs(y - other.y) > ABOVE_PX,
		);
		if (isFree) chosen.push({ index, x, y, end });
	}
	return chosen.map(({ index, x, y }) => ({ index, x: x + left, y: y + top }));
}
