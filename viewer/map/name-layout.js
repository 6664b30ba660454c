/**
 * Which names of towns a map has room for; pure. Larger towns come first, and a name never lies on another one.
 *
 * @typedef {Pick<import("../base/api.js").GazetteerFile, "names" | "lons" | "lats">} TownsFile
 * @typedef {{ xs: Float64Array, ys: Float64Array, names: string[] }} Towns in shares of the world of Web Mercator, row 0 in
 *   the north; the largest town first
 * @typedef {{ left: number, top: number, width: number, height: number }} Window in pixels of the world at a zoom
 * @typedef {{ index: number, x: number, y: number }} Named a town by its index, and where it is in pixels of the world
 */
import { downAt } from "./extent.js";

/** Room around a name, so that the names leave most of the map to what it shows. */
const [AROUND_PX, ABOVE_PX] = [48, 30];
/** How many of the largest towns have names on a world of one pixel; twice as many where it is twice as wide. */
const LARGEST = 1 / 8;

/** @param {TownsFile} file @returns {Towns} */
export function readTowns({ names, lons, lats }) {
	return {
		xs: Float64Array.from(lons, (lon) => lon / 360_000 + 0.5),
		ys: Float64Array.from(lats, (lat) => downAt(lat / 1000)),
		// What else a place is called is for those who search it.
		names: names.map((name) => name.split("|")[0]),
	};
}

/**
 * The towns that are named in a part of the world.
 * @param {Towns} towns @param {number} worldSize in pixels @param {Window} window @param {(name: string) => number} widthOf in pixels
 * @returns {Named[]}
 */
export function chooseNames({ xs, ys, names }, worldSize, { left, top, width, height }, widthOf) {
	/** @type {(Named & { end: number })[]} */
	const chosen = [];
	const middle = left + width / 2;
	const count = Math.min(xs.length, LARGEST * worldSize);
	for (let index = 0; index < count; index++) {
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
