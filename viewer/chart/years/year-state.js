/**
 * The state of the tab of years: its line of the chart, the quantity, the first month, and their form in links.
 *
 * @typedef {import("../series/lines.js").Line & { table: import("../series/tables.js").Table }} DrawnLine
 * @typedef {import("./year-model.js").Kind | "dekads"} Show
 */
import { paintedStyle } from "../../base/colours.js";
import { indexOfMoment, nearestIndex } from "../../base/dates.js";
import { until } from "../../base/delays.js";
import { chooseTime, joinLink, sideB } from "../../base/state.js";
import { pause } from "../../time/playback.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { curve, fetchAnalysed } from "../series/analysis.js";
import { Answers } from "../series/answers.js";
import { classesOf } from "../series/lines.js";
import { dekadAt, dekadEnd, dekadRows } from "./dekads.js";
import { msOf, yearDayOf } from "./year-lines.js";
import { modelOf } from "./year-model.js";

/** @template T @typedef {import("@preact/signals-core").ReadonlySignal<T>} Read */
/** @typedef {{ lines: Read<DrawnLine[]>, reducer: Read<string>, isOpen: Read<boolean> }} Chart */
/** @typedef {ReturnType<typeof makeYears>} Years */

/** First month of years at southern places: each contains a whole summer. */
const SOUTHERN_MONTH = 7;
/** Seasons need a curve, whether one is drawn or not. */
const OF_SEASONS = { smooth: "whittaker", phenology: "threshold", climatology: "median", anomaly: "abs" };

export const seasonParameters = () => ({ ...OF_SEASONS, smooth: curve.value || OF_SEASONS.smooth });

/** The first month of years by default. @param {import("../../base/state.js").Place} place */
export const firstMonthOf = ({ geometry }) =>
	/** @type {any[]} */ (geometry.coordinates).flat(9)[1] < 0 ? SOUTHERN_MONTH : 1;

/** Returns the options, as in links. */
function makeChoices() {
	const show = signal(/** @type {Show} */ ("value"));
	const ownMonth = signal(/** @type {number | null} */ (null));
	/** Whether the axis fits the drawing instead of the colour range. */
	const isFit = signal(false);
	joinLink({
		write: () => ({
			years: show.value === "value" ? undefined : show.value,
			from_month: ownMonth.value ?? undefined,
			fit: isFit.value || undefined,
		}),
		read: ({ years = "value", from_month = null, fit = false }) => {
			show.value = years;
			ownMonth.value = from_month && Math.round(from_month);
			isFit.value = fit;
		},
	});
	/** Key of the line that was chosen among several. */
	return { show, ownMonth, isFit, chosen: signal("") };
}

/** @param {Chart} chart */
export function makeYears({ lines, reducer, isOpen }) {
	const choices = makeChoices();
	const { show, ownMonth, chosen } = choices;
	/** Lines with years: classes have no mean, and a single date has no year. */
	const all = computed(() =>
		lines.value.filter(({ side, table }) => !classesOf(side).length && table.times.length > 1),
	);
	const line = computed(() => {
		const first = all.value.findLast(({ side }) => side.id === "a") ?? all.value[0] ?? null;
		return all.value.find(({ key }) => key === chosen.value) ?? first;
	});
	const usualMonth = computed(() => (line.value ? firstMonthOf(line.value.place) : 1));
	const month = computed(() => ownMonth.value ?? usualMonth.value);
	/** @type {Answers<import("../series/analysis.js").Analysed>} */
	const answers = new Answers();
	const questions = computed(() => {
		const of = line.value;
		if (!isOpen.value || !of) return [];
		const parameters = show.value === "dekads" ? { step: "dekad" } : seasonParameters();
		return [{ line: of, parameters, key: JSON.stringify([of.key, reducer.value, parameters]) }];
	});
	effect(() => {
		const of = reducer.value;
		answers.follow(questions.value, async ([{ line, parameters }], stopped) => [
			await fetchAnalysed(line, parameters, of, stopped),
		]);
	});
	const answer = computed(() => questions.value.map(({ key }) => answers.get(key))[0]);
	const model = computed(() => {
		const [found, kind] = [answer.value?.value, show.value];
		if (!found || kind === "dekads") return null;
		return modelOf(found, { kind, month: month.value, hasCurve: curve.value !== "" });
	});
	const rows = computed(() => {
		const found = show.value === "dekads" ? answer.value?.value : null;
		return found ? dekadRows(found.times, found.values, found.analysis?.counts ?? [], month.value) : null;
	});
	const moment = computed(() => line.value?.side.instant.value?.ms ?? null);
	const now = computed(() => (moment.value === null ? null : yearDayOf(moment.value, month.value)));
	/** The dekad of the map's date. */
	const dekad = computed(() => {
		if (!rows.value || moment.value === null) return null;
		const { row, column } = dekadAt(rows.value, moment.value, month.value);
		return rows.value[row]?.cells[column] ?? null;
	});
	const year = computed(() => now.value?.year ?? null);
	/** The colours of the layer; null without a ramp. */
	const style = computed(() => {
		const { legend, colouring } = line.value?.side ?? {};
		return legend?.value?.stops?.length && colouring ? paintedStyle(legend.value, colouring.value) : null;
	});
	return { ...choices, all, line, usualMonth, month, answer, model, rows, moment, now, dekad, year, style };
}

/**
 * Moves the map to the first date from one moment to before another, else to the one nearest to the first.
 * @param {Years} years
 * @param {number} from
 * @param {number} [to]
 */
export function goTo({ line }, from, to = from) {
	const side = line.peek()?.side;
	const instants = side?.timeDomain.peek().instants ?? [];
	const within = instants.findIndex(({ ms }) => ms >= from && ms < to);
	const index = within >= 0 ? within : nearestIndex(instants, from);
	pause();
	if (side && index >= 0 && index !== side.timeIndex.peek()) chooseTime(index, side);
}

/** Moves the map by dates, or by dekads if these are shown. @param {Years} years @param {number} by */
export function step(years, by) {
	const { line, rows, moment } = years;
	const side = line.peek()?.side;
	if (!side) return;
	const all = rows.peek()?.flatMap(({ cells }) => cells.filter((cell) => cell !== null));
	const next = all?.[all.findLastIndex(({ time }) => Date.parse(time) <= Number(moment.peek())) + by];
	pause();
	if (!all) chooseTime(side.timeIndex.peek() + by, side);
	else if (next) goTo(years, Date.parse(next.time), dekadEnd(next.time));
}

/** Moves the map to a day of its year, and by years. @param {Years} years @param {{ day?: number, by?: number }} to */
export function goToDay(years, { day, by = 0 }) {
	const now = years.now.peek();
	if (now) goTo(years, msOf({ year: now.year + by, day: day ?? now.day }, years.month.peek()));
}

/**
 * Compares the map with the same day of another year, by the button that opens comparisons.
 * @param {Years} years
 * @param {number} year
 */
export function compareWith({ now, month }, year) {
	const ms = msOf({ year, day: now.peek()?.day ?? 0 }, month.peek());
	if (!sideB.peek()) document.getElementById("compare-button")?.click();
	void until(() => sideB.value?.timeDomain.value.phase === "ready").then(() => {
		const side = sideB.peek();
		if (side) chooseTime(indexOfMoment(side.timeDomain.peek().instants, ms), side);
	});
}
