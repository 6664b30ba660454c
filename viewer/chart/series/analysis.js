/**
 * Analyses of the chart's series by the server: a smooth curve, and the normal range for the time of the year.
 *
 * @typedef {import("../../base/api.js").Parameters} Parameters
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./tables.js").Column} Column
 * @typedef {{ times: (string | null)[], values: Column, analysis?: import("../../base/api.js").Analysis }} Analysed
 * @typedef {{ column: Column | null, why: string }} Found as long as the series; null with the reason if impossible
 * @typedef {{ kind: "smooth" | "climatology", way: string, key: string }} Wish `kind` and `way` are the parameter of
 *   the
 *   server and its value
 */
import { fetchSeries, fetchSeriesOfArea } from "../../base/api.js";
import { effect, signal } from "../../vendor/signals-core.js";
import { Answers } from "./answers.js";
import { classesOf, pointOf, reducer } from "./lines.js";

/** The smoothing methods of docs/reference/series-analysis.md; the first is none. */
export const CURVES = /** @type {const} */ (["", "whittaker", "savgol"]);

/** How the lines are smoothed. @type {import("@preact/signals-core").Signal<(typeof CURVES)[number]>} */
export const curve = signal(/** @type {(typeof CURVES)[number]} */ (CURVES[0]));
/** Whether the range that is normal for the time of the year is shown. */
export const hasNormal = signal(false);

/** Eight of ten values of all years are between them. */
const NORMAL = ["p10", "p90"];

/** @type {Answers<Found>} */
const answers = new Answers();

/** Values of classes have no curve. @param {Line} line @returns {Wish[]} */
function wishesOf({ phase, layer, side, key }) {
	if (phase !== "ready" || layer.times.count < 2 || classesOf(side).length > 0) return [];
	/** @type {[kind: Wish["kind"], ways: readonly string[]][]} */
	const wished = [
		["smooth", curve.value === "" ? [] : [curve.value]],
		["climatology", hasNormal.value ? NORMAL : []],
	];
	return wished.flatMap(([kind, ways]) => ways.map((way) => ({ kind, way, key: `${key} ${reducer.value} ${way}` })));
}

/** Requests the selected analyses of lines. @param {import("@preact/signals-core").ReadonlySignal<Line[]>} lines */
export const followAnalyses = (lines) =>
	effect(() => {
		const of = reducer.value;
		const wanted = lines.value.flatMap((line) => wishesOf(line).map((wish) => ({ ...wish, line })));
		answers.follow(wanted, async ([{ line, kind, way }], stopped) => {
			const { analysis } = await fetchAnalysed(line, { [kind]: way }, of, stopped);
			const column = analysis?.[kind] ?? null;
			const isEmpty = !column?.some((value) => value !== null);
			return [{ column: isEmpty ? null : column, why: analysis?.reasons?.[kind] ?? "" }];
		});
	});

/**
 * Returns the series of a line with an analysis of the server.
 * @param {Line} line
 * @param {Parameters} parameters
 * @param {string} of the analysed statistic of an area
 * @param {AbortSignal} stopped
 * @returns {Promise<Analysed>}
 */
export async function fetchAnalysed({ place, layer, asked }, parameters, of, stopped) {
	const point = pointOf(place);
	if (point) return fetchSeries(layer, point, parameters, stopped);
	const ofArea = { reducers: of, datetime: asked.parameters.datetime, ...parameters };
	const { times, features } = await fetchSeriesOfArea(layer, asked.geometry, ofArea, stopped);
	return { times, values: features[0].series[of], analysis: features[0].analysis?.[of] };
}

/** Returns the curve of a line and its normal range, as far as loaded. @param {Line} line */
export function foundOf(line) {
	const columns = new Map(wishesOf(line).map(({ way, key }) => [way, answers.get(key)?.value?.column]));
	const [low, high] = NORMAL.map((way) => columns.get(way));
	return {
		smooth: columns.get(curve.value) ?? null,
		normal: low && high ? /** @type {[Column, Column]} */ ([low, high]) : null,
	};
}

/** Whether something is still being found out, and why something could not be. @param {Line[]} lines */
export function analysisState(lines) {
	const all = lines.flatMap(wishesOf).map(({ key }) => answers.get(key));
	return {
		isLoading: all.some((answer) => answer?.phase === "loading"),
		why: all.map((answer) => answer?.error?.message ?? answer?.value?.why ?? "").find((why) => why !== "") ?? "",
	};
}
