/**
 * Statistics of many areas: requested in parts as large as the server accepts, with progress.
 *
 * @typedef {import("../base/api.js").FeatureSeries} FeatureSeries
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("./place-sets.js").Shape} Shape
 * @typedef {{ stopped: AbortSignal, onPart?: (done: number) => void }} Course
 */
import { fetchSeriesOfAreas, fetchSeriesOfPoints, Problem } from "../base/api.js";
import { asOneDate } from "./place-blocks.js";
import { countCorners } from "./shapes/geometry.js";

/** How the server names times whose dates are one value. */
const STEPS = { date: null, dekad: "dekad", month: "P1M", season: null, year: "P1Y" };
/** Limits of one request. */
const [MOST_SHAPES, MOST_CORNERS] = [250, 50_000];

/**
 * Returns the series of all shapes, in their order; null for a shape that is too large by itself, if others are not.
 * Points have a mean and no other statistic.
 * @param {Layer} layer
 * @param {Shape[]} shapes
 * @param {import("../base/api.js").Parameters} parameters `reducers`, `datetime`, an analysis
 * @param {Course} course
 * @param {import("./place-sets.js").Span} [over] a span with dates that are combined into one value
 * @returns {Promise<{ times: (string | null)[], features: (FeatureSeries | null)[] }>}
 */
export async function loadStatistics(layer, shapes, parameters, { stopped, onPart = () => {} }, over = "date") {
	/** @type {(FeatureSeries | null)[]} */
	const features = shapes.map(() => null);
	/** @type {(string | null)[]} */
	let times = [];
	let done = 0;
	const parts = partsOf(shapes);
	for (let part = parts.shift(); part; part = parts.shift()) {
		try {
			const asked = part.map((at) => shapes[at]);
			const answer = await askPart(layer, asked, { step: STEPS[over], ...parameters }, stopped);
			times = answer.times;
			for (const [index, at] of part.entries()) features[at] = answer.features[index];
		} catch (error) {
			if (!(error instanceof Problem) || error.limit === undefined) throw error;
			const half = Math.ceil(part.length / 2);
			if (part.length > 1) {
				parts.unshift(part.slice(0, half), part.slice(half));
				continue;
			}
			// If no shape was possible so far, the others are not requested.
			if (features.every((feature) => feature === null)) throw error;
		}
		done += part.length;
		onPart(done);
	}
	return over === "season"
		? { times: times.slice(0, 1), features: features.map((each) => each && asOneDate(each)) }
		: { times, features };
}

/** Returns numbers of shapes for each request: points, or outlines. @param {Shape[]} shapes @returns {number[][]} */
function partsOf(shapes) {
	const isPoint = (/** @type {number} */ at) => shapes[at].geometry.type === "Point";
	/** @type {number[][]} */
	const parts = [];
	let corners = Number.POSITIVE_INFINITY;
	for (const at of shapes.keys()) {
		const part = parts.at(-1) ?? [];
		const more = countCorners(shapes[at].geometry);
		if (corners + more > MOST_CORNERS || part.length >= MOST_SHAPES || isPoint(part[0]) !== isPoint(at)) {
			parts.push([at]);
			corners = more;
		} else {
			part.push(at);
			corners += more;
		}
	}
	return parts;
}

/**
 * @param {Layer} layer
 * @param {Shape[]} shapes
 * @param {import("../base/api.js").Parameters} parameters
 * @param {AbortSignal} stopped
 */
function askPart(layer, shapes, { reducers, ...parameters }, stopped) {
	if (shapes[0].geometry.type !== "Point") {
		return fetchSeriesOfAreas(layer, shapes, { reducers, ...parameters }, stopped);
	}
	const points = shapes.map(({ geometry }) => {
		const [lon, lat] = /** @type {number[]} */ (geometry.coordinates);
		return { lon, lat };
	});
	return fetchSeriesOfPoints(layer, points, stopped, parameters);
}
