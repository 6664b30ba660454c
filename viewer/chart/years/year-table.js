/**
 * The years at one day, the highest first, each with its seasons: the values at the pointer, and a table for screen
 * readers.
 */
import { make } from "../../base/elements.js";
import { locale, text } from "../../base/text.js";
import { makeRow, makeTable } from "../series/html-table.js";
import { formatNumber } from "../series/series.js";
import { dekadEnd } from "./dekads.js";
import { dayText, SEASON_TEXTS } from "./year-drawing.js";
import { msOf, placesOf, rankOf, valuesAt, yearName } from "./year-lines.js";

/**
 * @typedef {import("./dekads.js").Dekad} Dekad
 * @typedef {import("./year-model.js").Model} Model
 * @typedef {{ day: number, now: number | null, month: number }} At
 */

/** Returns "lowest of 5"; empty for a single year. @param {{ value: number }[]} found @param {number} value */
function rankText(found, value) {
	const [rank, count] = [rankOf(found, value), found.length];
	if (count < 2) return "";
	if (rank === 1) return text("years.highest", { count });
	return found.every((each) => each.value >= value)
		? text("years.lowest", { count })
		: text("years.rank", { rank, count });
}

/** Returns the rank of the year of the map at a day, in words. @param {Model} model @param {At} at */
export function rankedText({ lines, nearness }, { day, now, month }) {
	const dayValues = valuesAt(lines, day, nearness);
	const currentYear = dayValues.find(({ year }) => year === now);
	const of = { year: now === null ? "" : yearName(now, month), day: dayText(msOf({ year: now ?? 2000, day }, month)) };
	if (!currentYear) return text("years.noValue", of);
	const told = text("years.atDay", { ...of, value: formatNumber(currentYear.value, locale()) });
	return [told, rankText(dayValues, currentYear.value)].filter((words) => words !== "").join(", ");
}

/**
 * When the season of the map's year began, peaked and ended, against all years; a line each.
 * @param {Model} model
 * @param {At} at
 */
const seasonTexts = ({ seasons }, { day, now }) =>
	placesOf(seasons, now, day).map(({ days, earlier, later, count }, index) => {
		const part = text(SEASON_TEXTS[index]);
		const key = days === 0 ? "years.asUsual" : days > 0 ? "years.laterBy" : "years.earlierBy";
		const told = text(key, { part, count: Math.abs(days) });
		if (days === 0 || (earlier > 0 && later > 0)) return told;
		return `${told}, ${text(earlier > 0 ? "years.latest" : "years.earliest", { count })}`;
	});

/** @param {Model} model @param {At} at @param {string} heading of the values @param {(year: number) => void} compare */
export function makeYearTable(model, at, heading, compare) {
	const { lines, nearness, seasons } = model;
	const { day, now, month } = at;
	const found = valuesAt(lines, day, nearness);
	const emptyYears = [...lines.keys()].filter((year) => !found.some((each) => each.year === year));
	const rows = [...found, ...emptyYears.map((year) => ({ year, day, value: null }))].map(
		({ year, day: near, value }) => {
			const name = yearName(year, month);
			const away =
				near === day ? [] : [make("span", { class: "years-away" }, dayText(msOf({ year, day: near }, month)))];
			const title = text("years.compare", { year: name });
			const button = { class: "link", title, "aria-label": title, onclick: () => compare(year) };
			const seasonsOfYear = seasons.filter((season) => season.year === year);
			const dates = [0, 1, 2].map((index) =>
				seasonsOfYear.map((season) => dayText(Date.parse(season.dates[index]))).join("\n"),
			);
			const cells = seasons.length > 0 ? [...dates, seasonsOfYear.map(({ length }) => length).join("\n")] : [];
			const words = value === null ? "–" : formatNumber(value, locale());
			return makeRow([year === now ? name : make("button", button, name), [words, ...away], ...cells], {
				"aria-current": year === now ? "date" : false,
			});
		},
	);
	const ofSeasons = /** @type {const} */ ([...SEASON_TEXTS, "years.days"]);
	const heads = [text("years.year"), heading, ...(seasons.length > 0 ? ofSeasons.map((key) => text(key)) : [])];
	const table = makeTable(heads, rows, rankedText(model, at));
	table.caption?.append(...seasonTexts(model, at).map((words) => make("span", {}, words)));
	return table;
}

/** "11–20 June 2022: 0.61 (mean of 2 dates)". @param {Dekad} dekad */
export function dekadText({ time, value, count }) {
	const parts = /** @type {const} */ ({ day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
	const days = new Intl.DateTimeFormat(locale(), parts).formatRange(Date.parse(time), dekadEnd(time) - 1);
	if (value === null) return text("years.emptyDekad", { days });
	return text("years.dekad", { days, value: formatNumber(value, locale()), count });
}

/** Returns the heat map for screen readers. @param {import("./dekads.js").DekadRow[]} rows @param {number} month */
export const makeDekadTable = (rows, month) =>
	makeTable(
		[],
		rows.map(({ year, cells }) =>
			makeRow([yearName(year, month), ...cells.map((cell) => (cell ? dekadText(cell) : ""))]),
		),
		text("years.dekads"),
	);
