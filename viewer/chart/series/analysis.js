/**
 * What the server finds out about the series of the chart: a smooth curve, and what is normal for the time of the year.
 *
 * @typedef {import("../../base/api.js").Parameters} Parameters
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./tables.js").Column} Column
 * @typedef {{ times: (string | null)[], values: Column, analysis?: import("../../base/api.js").Analysis }} Analysed
 * @typedef {{ column: Column | null, why: string }} Found as long as the series; null and why where nothing was found
 * @typedef {{ kind: "smooth" | "climatology", parameters: Parameters }} Wish
 */
import { fetchSeries, fetchSeriesOfArea } from "../../base/api.js";
import { effect, signal } from "../../vendor/signals-core.js";
import { Answers } from "./answers.js";
import { classesOf, pointOf, reducer } from "./lines.js";

/** The ways to smooth that docs/reference/series-analysis.md has; the first is none. */
export const CURVES = /** @type {const} */ (["", "whittaker", "savgol"]);

/** How the lines are smoothed. @type {import("@preact/signals-core").Signal<(typeof CURVES)[number]>} */
export const curve = signal(/** @type {(typeof CURVES)[number]} */ (CURVES[0]));
/** Whether the range that is normal for the time of the year is shown. */
export const hasNormal = signal(false);

/** Eight of ten values of all years lie between. */
const NORMAL = ["p10", "p90"];

/** @type {Answers<Found>} */
const answers = new Answers();

/** Values of classes have no curve. @param {Line} line @returns {Wish[]} */
function wishesOf({ phase, layer, side }) {
	if (phase !== "ready" || layer.times.count < 2 || classesOf(side).length > 0) return [];
	/** @type {Wish[]} */
	const smooth = curve.value === "" ? [] : [{ kind: "smooth", parameters: { smooth: curve.value } }];
	const normal = hasNormal.value
		? NORMAL.map((climatology) => /** @type {Wish} */ ({ kind: "climatology", parameters: { climatology } }))
		: [];
	return [...smooth, ...normal];
}

/** @param {Line} line @param {Wish} wish */
const keyOf = (line, { parameters }) => `${line.key} ${reducer.value} ${JSON.stringify(parameters)}`;

/** Asks for what is wished for of lines. @param {import("@preact/signals-core").ReadonlySignal<Line[]>} lines */
export const followAnalyses = (lines) =>
	effect(() => {
		const wanted = lines.value.flatMap((line) =>
			wishesOf(line).map((wish) => ({ key: keyOf(line, wish), line, wish })),
		);
		const kind = reducer.value;
		answers.follow(
			wanted.map(({ key }) => key),
			(missing) =>
				wanted
					.filter(({ key }, index) => missing.includes(key) && wanted.findIndex((each) => each.key === key) === index)
					.map(({ key, line, wish }) => ({
						keys: [key],
						load: async (stopped) => [await load(line, wish, kind, stopped)],
					})),
		);
	});

/**
 * A line's series with an analysis of the server.
 * @param {Line} line @param {Parameters} parameters @param {string} of what is analysed of an area @param {AbortSignal} stopped @returns {Promise<Analysed>}
 */
export async function fetchAnalysed({ place, layer, asked }, parameters, of, stopped) {
	const point = pointOf(place);
	if (point) return fetchSeries(layer, point, parameters, stopped);
	const ofArea = { reducers: of, datetime: asked.parameters.datetime, ...parameters };
	const { times, features } = await fetchSeriesOfArea(layer, asked.geometry, ofArea, stopped);
	return { times, values: features[0].series[of], analysis: features[0].analysis?.[of] };
}

/** @param {Line} line @param {Wish} wish @param {string} of what is analysed of an area @param {AbortSignal} stopped @returns {Promise<Found>} */
async function load(line, { kind, parameters }, of, stopped) {
	const { analysis } = await fetchAnalysed(line, parameters, of, stopped);
	const column = analysis?.[kind] ?? null;
	const isEmpty = !column?.some((value) => value !== null);
	return { column: isEmpty ? null : column, why: analysis?.reasons?.[kind] ?? "" };
}

/** The curve of a line and its normal range, as far as they are there. @param {Line} line */
export function foundOf(line) {
	const found = wishesOf(line).map((wish) => ({
		kind: wish.kind,
		column: answers.get(keyOf(line, wish))?.value?.column,
	}));
	const [low, high] = found.filter(({ kind }) => kind === "climatology").map(({ column }) => column);
	return {
		smooth: found.find(({ kind }) => kind === "smooth")?.column ?? null,
		normal: low && high ? /** @type {[Column, Column]} */ ([low, high]) : null,
	};
}

/** Whether something is still being found out, and why something could not be. @param {Line[]} lines */
export function analysisState(lines) {
	const all = lines.flatMap((line) => wishesOf(line).map((wish) => answers.get(keyOf(line, wish))));
	return {
		isLoading: all.some((answer) => answer?.phase === "loading"),
		why: all.map((answer) => answer?.error?.message ?? answer?.value?.why ?? "").find((why) => why !== "") ?? "",
	};
}
