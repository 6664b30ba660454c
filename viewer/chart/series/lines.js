/**
 * The series of the chart: of every place, for every side with a different layer. Values loaded by the map are shown
 * immediately, and those of the server when they arrive.
 *
 * @typedef {import("../../base/api.js").Layer} Layer
 * @typedef {import("../../base/state.js").Place} Place
 * @typedef {import("../../base/state.js").Side} Side
 * @typedef {import("./tables.js").Table} Table
 * @typedef {import("./tables.js").Column} Column
 * @typedef {{ place: Place, side: Side, layer: Layer, asked: Asked, key: string }} Subject place and layer of a line
 * @typedef
 *   {{ geometry: Geometry, parameters: { reducers: string, datetime: string | null }, isSimplified: boolean }} Asked
 *   for areas
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef
 *   {Subject & { phase: "loading" | "ready" | "failed", table: Table | null, isFromMap: boolean, error: Error | null }}
 *   Line
 *   `table` exists while it is loading, too, if the map has values
 */
import { fetchSeries, fetchSeriesOfArea, fetchSeriesOfPoints, isStatic } from "../../base/api.js";
import { places, sideA, sideB } from "../../base/state.js";
import { cubesOf } from "../../map/cubes.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { Answers } from "./answers.js";
import { histogramOfClasses } from "./area-histogram.js";
import { seriesOfCubes, seriesOfPlace } from "./from-cubes.js";
import { simplify } from "./simplify.js";
import { AREA_REDUCERS, LINE_REDUCERS, tableOfFeature, tableOfPoint } from "./tables.js";

/** The statistic of areas. */
export const reducer = signal(LINE_REDUCERS[0]);

/**
 * Returns the reducers for areas; for a layer of classes the count of each class. A link may name a percentile in
 * addition to the default ones.
 * @param {Side} side
 */
function reducersOf(side) {
	const classes = histogramOfClasses(classesOf(side));
	return classes ?? [...new Set([...AREA_REDUCERS, reducer.value])].join();
}

/** The classes of a side whose style has classes. @param {Side} side */
export const classesOf = (side) => (side.legend.value?.type === "classes" ? (side.legend.value.classes ?? []) : []);

/**
 * Reductions for areas that were too large for the server, by layer and place: a single year, or a maximum number of
 * vertices of their outlines.
 */
const eased = signal(/** @type {ReadonlyMap<string, { year?: string, corners?: number }>} */ (new Map()));

/** Reduces the request of an area. @param {Subject} of @param {{ year?: string, corners?: number }} how */
export function askForLess({ layer, place }, how) {
	const name = easedName(layer, place);
	eased.value = new Map([...eased.peek(), [name, { ...eased.peek().get(name), ...how }]]);
}

/** @param {Layer} layer @param {Place} place */
const easedName = (layer, { id }) => `${layer.id} ${id}`;

/** @type {Answers<Table>} */
const answers = new Answers();

/**
 * Sides with lines: A, and B if it has another layer.
 * @type {import("@preact/signals-core").ReadonlySignal<Side[]>}
 */
export const sides = computed(() => {
	const other = sideB.value;
	const isOther = other?.layer.value && other.layer.value.id !== sideA.layer.value?.id;
	return isOther ? [sideA, other] : [sideA];
});

/** @param {Place} place */
export const pointOf = ({ geometry }) =>
	geometry.type === "Point" ? { lon: geometry.coordinates[0], lat: geometry.coordinates[1] } : null;

/** @type {import("@preact/signals-core").ReadonlySignal<Subject[]>} */
const subjects = computed(() =>
	sides.value.flatMap((side) => {
		const layer = side.layer.value;
		if (!layer || layer.variable === null) return [];
		return places.value.map((place) => {
			const asked = askedOf(place, side, layer);
			return { place, side, layer, asked, key: keyOf(layer, asked) };
		});
	}),
);

/** @param {Place} place @param {Side} side @param {Layer} layer @returns {Asked} */
function askedOf(place, side, layer) {
	const { year = null, corners = 0 } = eased.value.get(easedName(layer, place)) ?? {};
	const { geometry } = place;
	const parameters = { reducers: reducersOf(side), datetime: year };
	return { geometry: corners > 0 ? simplify(geometry, corners) : geometry, parameters, isSimplified: corners > 0 };
}

/** @param {Layer} layer @param {Asked} asked */
const keyOf = (layer, { geometry, parameters }) =>
	JSON.stringify([layer.id, layer.revision, geometry, geometry.type === "Point" ? "" : parameters]);

/** @type {import("@preact/signals-core").ReadonlySignal<Line[]>} */
export const lines = computed(() =>
	subjects.value.map((subject) => {
		const { phase = "loading", value = null, error = null } = answers.get(subject.key) ?? {};
		const loaded = value ? null : loadedTable(subject);
		return { ...subject, phase, table: value ?? loaded, isFromMap: loaded !== null, error };
	}),
);

/** Returns the values of a point that the map has loaded. @param {Subject} subject @returns {Table | null} */
function loadedTable({ place, side, layer }) {
	const point = pointOf(place);
	const loaded = point && side.loadedTimes.value.size > 0 ? cubesOf(side)?.seriesAt(point) : null;
	return loaded ? tableOfPoint({ ...loaded, units: layer.units }) : null;
}

/** Repeats failed requests. */
export function retryFailed() {
	answers.forget(lines.peek().flatMap(({ phase, key }) => (phase === "failed" ? [key] : [])));
	follow();
}

/** Requests the series of all places when they or the layers change. */
export const followPlaces = () => effect(follow);

/** One question for each area, and one for all points of a layer. */
const follow = () =>
	answers.follow(subjects.value, load, ({ place, layer, key }) => (pointOf(place) ? layer.id : `area ${key}`));

/**
 * @param {Subject[]} group points of one layer, or one area
 * @param {AbortSignal} stopped
 * @returns {Promise<Table[]>}
 */
async function load(group, stopped) {
	const [{ layer, asked }] = group;
	const { geometry, parameters, isSimplified } = asked;
	const points = group.flatMap((subject) => pointOf(subject.place) ?? []);
	if (isStatic && points.length > 0) {
		const found = points.map((point) => seriesOfCubes(layer, point, stopped));
		return (await Promise.all(found)).map((series) => tableOfPoint({ ...series, units: layer.units }));
	}
	if (points.length === 1) return [tableOfPoint(await fetchSeries(layer, points[0], {}, stopped))];
	const answer =
		points.length > 1
			? await fetchSeriesOfPoints(layer, points, stopped)
			: await (isStatic ? seriesOfPlace : fetchSeriesOfArea)(layer, geometry, parameters, stopped);
	return answer.features.map((feature) => tableOfFeature(answer, feature, points.length > 1, isSimplified));
}
