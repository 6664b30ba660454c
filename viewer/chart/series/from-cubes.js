/** The series of a point from all cubes of its tile, for a published viewer without a server. */
import {
	cubeTemplate,
	fetchPlaceSets,
	fetchPlaceValues,
	fetchPublishedPlaces,
	fetchTileJson,
	fetchTimes,
	Problem,
} from "../../base/api.js";
import { text } from "../../base/text.js";
import { PATIENT } from "../../ctc1/loader.js";
import { CubeSource, locate } from "../../ctc1/source.js";
import { loader } from "../../map/cubes.js";
import { isWithin } from "../../map/extent.js";

const TILE_CELLS = 256 * 256;

/**
 * Returns the values at all dates, of native cells; null if a cube does not contain them.
 * @param {import("../../base/api.js").Layer} layer
 * @param {import("../../base/permalink.js").Point} point
 * @param {AbortSignal} stopped
 */
export async function seriesOfCubes(layer, point, stopped) {
	const { times } = layer.times.count > 0 ? await fetchTimes(layer, stopped) : { times: [] };
	const { maxzoom } = await fetchTileJson(layer, layer.styles[0].id, null, stopped);
	const source = new CubeSource({ template: cubeTemplate(layer), times: times.length > 0 ? times : [null], loader });
	source.maxZoom = maxzoom;
	const series = { times, values: /** @type {(number | null)[]} */ (times.map(() => null)), isApproximate: false };
	if (isWithin(layer.bbox, point)) await readAll(source, point, series, stopped);
	return series;
}

/**
 * @param {CubeSource} source
 * @param {import("../../base/permalink.js").Point} point
 * @param {{ values: (number | null)[], isApproximate: boolean }} series
 * @param {AbortSignal} stopped
 * @returns {Promise<void>}
 */
function readAll(source, point, series, stopped) {
	const { tile } = locate(point, source.maxZoom);
	const left = new Map(source.windows.map((window) => [source.url(tile, window.datetime, 1), window]));
	/** @type {import("../../ctc1/loader.js").Owner} */
	let owner;
	return new Promise((resolve, reject) => {
		const take = (/** @type {string} */ url) => {
			const window = loader.has(url) ? left.get(url) : undefined;
			if (!window) return;
			left.delete(url);
			for (let index = window.first; index < window.first + window.count; index++) {
				const sample = source.sampleWindow(point, source.maxZoom, index);
				if (!sample || sample.frame < 0) continue;
				const number = sample.cube.numbersAt(sample.frame)[sample.cell];
				series.isApproximate ||= sample.cube.isApproximate;
				if (sample.cube.beyond(number) === 0) series.values[index] = sample.cube.exactValueOf(number);
			}
		};
		// Cubes that were read are not requested any more and may be dropped, because a long series may exceed the memory
		// limit.
		const ask = () => {
			if (left.size === 0) return resolve(undefined);
			const wanted = [...left].map(([url, { count }]) => ({
				...{ url, tile, res: /** @type {const} */ (1), urgency: PATIENT },
				bytes: TILE_CELLS * count,
			}));
			loader.want(owner, wanted);
		};
		owner = {
			onCube: (url) => {
				take(url);
				ask();
			},
			onFailure: (_, { message, status }) => reject(new Problem(message || text("error.status", { status }), status)),
		};
		stopped.addEventListener("abort", () => reject(stopped.reason));
		for (const url of [...left.keys()]) take(url);
		ask();
	}).finally(() => loader.leave(owner));
}

/**
 * The means of an area that is a published place.
 * @param {import("../../base/api.js").Layer} layer
 * @param {import("../../base/api.js").Geometry} area
 * @param {import("../../base/api.js").Parameters} parameters
 * @param {AbortSignal} signal
 * @returns {Promise<import("../../base/api.js").FeaturesSeries>}
 */
export async function seriesOfPlace(layer, area, { reducers, datetime, ...analysis }, signal) {
	const isOfMeans = Object.keys(analysis).length === 0 && String(reducers).split(",").includes("mean");
	for (const set of isOfMeans ? await fetchPlaceSets(signal) : []) {
		const places = await fetchPublishedPlaces(set, signal);
		const number = places.findIndex(({ geometry }) => nearly(geometry) === nearly(area));
		if (number < 0) continue;
		const { times, values } = await fetchPlaceValues(set, layer, null, "mean", signal);
		const series = { mean: values[number] };
		const valid = values[number].map((value) => (value === null ? 0 : 1));
		return { layer: layer.id, units: layer.units ?? "", times, features: [{ id: null, series, valid, total: 1 }] };
	}
	throw new Problem(text("error.needsServer"));
}

/** Corners as exactly as links have them. @param {import("../../base/api.js").Geometry} geometry */
const nearly = ({ coordinates }) =>
	JSON.stringify(coordinates, (_, each) => (typeof each === "number" ? Math.round(each * 1e5) : each));
