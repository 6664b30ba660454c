import assert from "node:assert/strict";
import { test } from "node:test";
import { toInstant } from "../../../viewer/base/dates.js";
import { ticksOf } from "../../../viewer/time/strip/ticks.js";

const DAY_MS = 86_400_000;

/** @param {string} first @param {number} step days @param {number} count */
const every = (first, step, count) =>
	Array.from({ length: count }, (_, index) =>
		toInstant(new Date(Date.parse(first) + index * step * DAY_MS).toISOString()),
	);

/** @param {import("../../../viewer/time/strip/ticks.js").Tick[]} ticks */
const texts = (ticks) => ticks.map(({ text }) => text);

/**
 * The labels of some dates that are shown, each `slotPx` wide.
 * @param {import("../../../viewer/base/dates.js").Instant[]} instants
 * @param {[number, number]} shown
 * @param {number} slotPx
 * @param {string} locale
 */
function ticksAt(instants, [first, last], slotPx, locale) {
	const step = instants[1].ms - instants[0].ms;
	const span = { from: instants[first].ms - step / 2, to: instants[last].ms + step / 2 };
	return ticksOf(instants, span, (slotPx / step) * DAY_MS, locale);
}

const OF_2019 = every("2019-01-01", 5, 73);

test("a year on a wide screen has its months, and its number in the place of January", () => {
	const ticks = ticksAt(OF_2019, [0, 72], 13, "en-GB");

	const months = ["Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"];
	assert.deepEqual(texts(ticks), ["2019", ...months]);
	assert.deepEqual(
		ticks.map(({ isMajor }) => isMajor),
		[true, ...months.map(() => false)],
	);
	assert.deepEqual(
		ticks.slice(0, 3).map(({ ms }) => new Date(ms).toISOString().slice(0, 10)),
		["2019-01-01", "2019-02-01", "2019-03-01"],
	);
});

test("on a phone every second or third month is named", () => {
	assert.deepEqual(texts(ticksAt(OF_2019, [0, 72], 4.5, "en-GB")), ["2019", "Mar", "May", "Jul", "Sept", "Nov"]);
});

test("months are named in the language of the page", () => {
	assert.deepEqual(texts(ticksAt(OF_2019, [0, 72], 13, "fr-BE")).slice(0, 4), ["2019", "févr", "mars", "avr"]);
});

test("where no year begins, the first month tells its own", () => {
	assert.deepEqual(texts(ticksAt(OF_2019, [20, 60], 12, "en-GB")), ["May 2019", "Jun", "Jul", "Aug", "Sept", "Oct"]);
});

test("many years are named at their first dates, and only every second one where they would touch", () => {
	const years = every("2000-01-01", 10, 730);

	assert.deepEqual(texts(ticksAt(years, [0, 729], 1.2, "en-GB")).slice(0, 3), ["2000", "2001", "2002"]);
	assert.deepEqual(texts(ticksAt(years, [0, 729], 1, "en-GB")).slice(0, 3), ["2000", "2002", "2004"]);
});

test("a few weeks have days", () => {
	assert.deepEqual(texts(ticksAt(OF_2019, [6, 11], 80, "en-GB")), [
		"31 Jan",
		"Feb 2019",
		"10 Feb",
		"15 Feb",
		"20 Feb",
		"25 Feb",
	]);
});

test("labels keep their distance, however many dates and however narrow", () => {
	const days = every("1990-01-01", 1, 9000);
	for (const slotPx of [0.05, 0.2, 0.7, 2, 5, 20, 60]) {
		const last = Math.min(8999, Math.round(1000 / slotPx));
		const ticks = ticksAt(days, [0, last], slotPx, "en-GB");
		assert.ok(ticks.length > 0 && ticks.length <= 30, `${ticks.length} labels at ${slotPx} px`);
		for (const [place, { ms }] of ticks.slice(1).entries()) {
			assert.ok(((ms - ticks[place].ms) / DAY_MS) * slotPx >= 30, `labels touch at ${slotPx} px`);
		}
	}
});

test("months stand where they begin, in gaps too, and the first date tells its year", () => {
	const instants = ["2019-03-20", "2019-03-25", "2019-11-05"].map((day) => toInstant(`${day}T00:00:00Z`));
	const span = { from: instants[0].ms - DAY_MS, to: instants[2].ms + DAY_MS };
	const ticks = ticksOf(instants, span, 3, "en-GB");

	assert.deepEqual(texts(ticks), ["2019", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov"]);
	assert.equal(ticks[5].ms, Date.UTC(2019, 7, 1));
});
