import assert from "node:assert/strict";
import { test } from "node:test";
import { formatInstant, formatPartOfYear, resolveDate, toInstant } from "../../../viewer/base/dates.js";
import { clearestOf, periodsOf, usualSlot } from "../../../viewer/time/periods/members.js";
import { cubesOfPeriods } from "../../../viewer/time/periods/period-cubes.js";

const DAY_MS = 86_400_000;

/**
 * @param {string} first
 * @param {number} count
 * @param {number} step days
 * @param {boolean} [areLong] whether each lasts until the next
 */
const every = (first, count, step, areLong = false) =>
	Array.from({ length: count }, (_, index) => {
		const ms = Date.parse(first) + index * step * DAY_MS;
		const [text, end] = [ms, ms + (areLong ? step : 1) * DAY_MS].map((each) => new Date(each).toISOString());
		return toInstant(text, end);
	});

/**
 * @param {import("../../../viewer/base/dates.js").Instant[]} dates
 * @param {import("../../../viewer/base/dates.js").Slot} slot
 * @param {import("../../../viewer/base/state.js").Method} method
 * @param {boolean} [areFiles]
 */
function cubesOf(dates, slot, method, areFiles) {
	const { instants, members } = periodsOf(dates, slot);
	const partOfYear = instants.map(({ text }) => text.slice(5, 10));
	return cubesOfPeriods({ slot, method, by: "mean", dates, members, partOfYear, years: "" }, instants, areFiles);
}

test("each date is in the periods with which it shares a moment", () => {
	const { instants, members } = periodsOf(every("2024-05-25", 3, 16, true), "month");

	assert.deepEqual(
		instants.map(({ text }) => text),
		["2024-05-01/2024-05-31", "2024-06-01/2024-06-30", "2024-07-01/2024-07-31"],
	);
	// From 25 May to 9 June, from 10 June to 25 June, from 26 June to 11 July.
	assert.deepEqual(members, [[0], [0, 1, 2], [2]]);
});

test("months without dates are no periods", () => {
	const dates = [...every("2023-01-05", 2, 5), ...every("2023-04-01", 1, 1)];

	assert.deepEqual(
		periodsOf(dates, "month").instants.map(({ text }) => text.slice(0, 7)),
		["2023-01", "2023-04"],
	);
});

test("the clearest date is the one with the largest share, of equal ones the newest, of unknown ones the last", () => {
	assert.equal(clearestOf([0, 1, 2, 3], [0.2, 0.9, 0.9, null]), 2);
	assert.equal(clearestOf([4, 5], [null, null, null, null, null, null]), 5);
	assert.equal(clearestOf([4, 5], [null, null, null, null, 0, null]), 4);
});

test("what is usual is of dekads, of dates four weeks apart of months", () => {
	assert.equal(usualSlot(every("2020-01-01", 50, 10)), "dekad");
	assert.equal(usualSlot(every("2020-01-01", 50, 28)), "month");
	assert.equal(usualSlot(every("2020-01-01", 1, 1)), "dekad");
});

test("periods come from the cubes of the years that dates come from; seasons from December on", () => {
	const dates = every("2022-01-01", 146, 5);
	const windowsOf = (/** @type {import("../../../viewer/base/dates.js").Slot} */ slot) =>
		cubesOf(dates, slot, "median")?.windows?.map(({ datetime, count }) => [datetime, count]);

	assert.deepEqual(windowsOf("month"), [
		["2022-01-01/2022-12-31", 12],
		["2023-01-01/2023-12-31", 12],
	]);
	assert.deepEqual(windowsOf("season"), [
		["2021-12-01/2022-11-30", 4],
		["2022-12-01/2023-11-30", 4],
		["2023-12-01/2024-11-30", 1],
	]);
	assert.deepEqual(windowsOf("year"), [
		["2022-01-01/2022-12-31", 1],
		["2023-01-01/2023-12-31", 1],
	]);
});

test("of many dates fewer come together, and of too many none", () => {
	const daily = every("2023-01-01", 365, 1);

	assert.equal(cubesOf(daily, "month", "max")?.windows?.length, 4);
	assert.equal(cubesOf(daily, "season", "max")?.windows?.length, 5);
	assert.equal(cubesOf(daily, "year", "max"), null);
	assert.equal(cubesOf(every("2000-01-01", 1000, 10), "month", "anomaly"), null);
});

test("orders say what is made, and which dates reach further", () => {
	const made = cubesOf(every("2024-05-25", 3, 16, true), "month", "median");

	assert.equal(
		made?.order,
		"#slot=month&reducer=median&also=2024-05-25T00:00:00.000Z~2024-06-01,2024-06-26T00:00:00.000Z~2024-07-01",
	);
	const dates = every("2023-01-01", 73, 10);
	assert.equal(
		cubesOf(dates, "month", "anomaly")?.order,
		"#slot=month&reducer=anomaly&by=mean&of=2023-01-01/2023-12-31,2024-01-01/2024-12-31",
	);
	assert.deepEqual(cubesOf(dates, "month", "usual")?.windows, [
		{ first: 0, count: 24, datetime: "2023-01-01/2023-12-31" },
	]);
});

test("periods are written as people write them, and found by a day in them", () => {
	const words = (/** @type {import("../../../viewer/base/dates.js").Slot} */ slot) =>
		periodsOf(every("2023-12-28", 1, 1), slot).instants.map((each) => [
			formatInstant(each, "en-GB", "short"),
			formatPartOfYear(each, "en-GB", "short"),
		])[0];
	const plain = (/** @type {string[]} */ texts) => texts.map((each) => each.replace(/\s*–\s*/, "–"));

	assert.deepEqual(plain(words("dekad")), ["21–31 Dec 2023", "21–31 Dec"]);
	assert.deepEqual(plain(words("month")), ["Dec 2023", "Dec"]);
	assert.deepEqual(plain(words("season")), ["Dec 2023–Feb 2024", "Dec–Feb"]);
	assert.deepEqual(words("year"), ["2023", ""]);
	assert.equal(formatInstant(toInstant("2023-12-28T00:00:00Z"), "en-GB"), "28 December 2023");
	const { instants } = periodsOf(every("2023-01-01", 73, 5), "month");
	assert.deepEqual(resolveDate(instants, "2023-06-17"), { index: 5, exact: true });
	assert.deepEqual(resolveDate(instants, instants[4].text), { index: 4, exact: true });
	assert.deepEqual(resolveDate(instants, "2023-03-10/2023-03-20"), { index: 2, exact: true });
});

test("files have the periods of their years and quarters, and no others", () => {
	const [years, quarters] = [every("2023-01-01", 140, 5), every("2023-01-01", 700, 1)];

	for (const slot of /** @type {const} */ (["dekad", "month", "year"]))
		assert.deepEqual(cubesOf(years, slot, "anomaly", true), cubesOf(years, slot, "anomaly"));
	assert.deepEqual(cubesOf(quarters, "month", "max", true), cubesOf(quarters, "month", "max"));
	assert.equal(cubesOf(years, "season", "max", true), null);
	// For a year that has just started there is one file, for the last one there are four.
	const begun = cubesOf(every("2023-01-01", 420, 1), "month", "max", true)?.windows ?? [];
	assert.deepEqual(
		begun.map(({ datetime, count }) => [datetime, count]),
		[
			["2023-01-01/2023-03-31", 3],
			["2023-04-01/2023-06-30", 3],
			["2023-07-01/2023-09-30", 3],
			["2023-10-01/2023-12-31", 3],
			["2024-01-01/2024-12-31", 2],
		],
	);
	const long = every("2023-01-05", 50, 16, true);
	assert.deepEqual(cubesOf(long, "month", "median", true), cubesOf(long, "month", "median"));
});
