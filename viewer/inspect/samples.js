/**
 * Points along a line, and the correlation of columns of values; pure.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {{ at: Point, metres: number }} Stop a point on a line, and its distance from the start
 */
import { distance, partsOfWay } from "../areas/shapes/earth.js";
import { toPlace } from "../base/permalink.js";

/**
 * Places along a line, with its corners, as far apart as a step or less.
 * @param {Point[]} line
 * @param {number} step metres
 * @returns {Stop[]}
 */
export function stopsAlong(line, step) {
	/** @type {Stop[]} */
	const stops = [{ at: line[0], metres: 0 }];
	for (let index = 1; index < line.length; index++) {
		const [from, to] = [line[index - 1], line[index]].map(({ lon, lat }) => [lon, lat]);
		const [start, length] = [stops[stops.length - 1].metres, distance(from, to)];
		const count = Math.max(1, Math.ceil(length / step));
		for (const [part, [lng, lat]] of partsOfWay(from, to, count).entries()) {
			const isEnd = part + 1 === count;
			stops.push({ at: isEnd ? line[index] : toPlace({ lng, lat }), metres: start + (length * (part + 1)) / count });
		}
	}
	return stops;
}

/**
 * Compares two columns of values: the correlation coefficient of Pearson, and the least-squares line of the second over
 * the first.
 * @param {number[]} xs
 * @param {number[]} ys
 * @returns {{ count: number, r: number, slope: number, start: number }} NaN if undefined
 */
export function fitOf(xs, ys) {
	const count = xs.length;
	const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / count;
	const [x, y] = [mean(xs), mean(ys)];
	let [xx, xy, yy] = [0, 0, 0];
	for (let at = 0; at < count; at++) {
		xx += (xs[at] - x) ** 2;
		xy += (xs[at] - x) * (ys[at] - y);
		yy += (ys[at] - y) ** 2;
	}
	const slope = xx > 0 ? xy / xx : Number.NaN;
	return { count, r: xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : Number.NaN, slope, start: y - slope * x };
}
