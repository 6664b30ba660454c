import assert from "node:assert/strict";
import { test } from "node:test";
import {
	cumulate,
	cutYears,
	daily,
	msOf,
	nearnessOf,
	placesOf,
	rankOf,
	seasonsOf,
	usualOf,
	valuesAt,
	yearDayOf,
	yearName,
} from "../../../viewer/chart/years/year-lines.js";
import { makeRandom } from "../random.js";

const DAY_MS = 86_400_000;
const dateOf = (/** @type {number} */ ms) => new Date(ms).toISOString().slice(0, 10);
const dayOf = (/** @type {string} */ date) => Date.parse(date) / DAY_MS;

/** Returns every day between two dates. @param {string} from @param {string} to */
const daysOf = (from, to) =>
	Array.from({ length: dayOf(to) - dayOf(from) + 1 }, (_, index) => dateOf(Date.parse(from) + index * DAY_MS));

test("each day of eight years has its own place, whichever month years begin with, and leads back", () => {
	for (let month = 1; month <= 12; month += 1) {
		const places = daysOf("2019-01-01", "2026-12-31").map((date) => {
			const at = yearDayOf(Date.parse(date), month);
			assert.equal(dateOf(msOf(at, month)), date);
			assert.ok(at.day >= 0 && at.day < 366);
			return at.year * 366 + at.day;
		});
		assert.ok(places.every((place, index) => index === 0 || place > places[index - 1]));
	}
});

test("1 March has the same place in leap years and others, and 29 February is the 28th where there is none", () => {
	const [leap, other] = ["2024-03-01", "2023-03-01"].map((date) => yearDayOf(Date.parse(date), 7).day);

	assert.equal(leap, other);
	assert.equal(dateOf(msOf({ year: 2022, day: leap - 1 }, 7)), "2023-02-28");
	assert.equal(dateOf(msOf({ year: 2023, day: leap - 1 }, 7)), "2024-02-29");
});

test("a southern season belongs to the year that began in July", () => {
	assert.deepEqual(yearDayOf(Date.parse("2023-01-05"), 7), { year: 2022, day: 188 });
	assert.equal(yearName(2022, 7), "2022/23");
	assert.equal(yearName(1999, 4), "1999/00");
	assert.equal(yearName(2022, 1), "2022");
});

test("acquisitions of one day are one, the mean of those with a value", () => {
	const times = ["2023-05-01T10:00:00Z", "2023-05-01T10:05:00Z", "2023-05-03T10:00:00Z", "2023-05-04T10:00:00Z"];

	const series = daily(times, [0.25, 0.75, null, 0.5]);

	assert.deepEqual(
		series.map(({ day, value }) => [dateOf(day * DAY_MS), value]),
		[
			["2023-05-01", 0.5],
			["2023-05-03", null],
			["2023-05-04", 0.5],
		],
	);
});

test("a date without a value is a gap in its year's line, a day without a date is none", () => {
	const series = daily(["2022-12-31T00:00:00Z", "2023-01-02T00:00:00Z", "2023-01-04T00:00:00Z"], [1, null, 2]);

	const lines = cutYears(series, 1);

	assert.deepEqual([...lines.keys()], [2022, 2023]);
	assert.equal(lines.get(2022)?.[365], 1);
	assert.deepEqual(lines.get(2023)?.slice(0, 5), [undefined, null, undefined, 2, undefined]);
});

test("the sum of a straight line is that of its days, across gaps, leap days and the years' ends", () => {
	const { number } = makeRandom(7);
	const dates = daysOf("2019-06-20", "2024-03-10").filter((_, index) => index % 97 === 0 || number() < 0.2);
	const line = (/** @type {string} */ date) => 0.01 * (dayOf(date) - dayOf("2019-01-01")) + 3;
	const values = dates.map((date, index) => (index % 5 === 2 ? null : line(date)));
	const known = dates.filter((_, index) => values[index] !== null);

	const lines = cumulate(daily(dates, values), 7);

	for (const [year, column] of lines) {
		if (year === 2018) continue;
		let sum = 0;
		for (const date of daysOf(`${year}-07-01`, `${year + 1}-06-30`)) {
			sum += line(date);
			const { day } = yearDayOf(Date.parse(date), 7);
			if (date > /** @type {string} */ (known.at(-1))) assert.equal(column[day], undefined);
			else assert.ok(Math.abs(Number(column[day]) - sum) < 1e-8 * sum, `${date}: ${column[day]} and not ${sum}`);
		}
	}
	assert.deepEqual([...lines.keys()], [2018, 2019, 2020, 2021, 2022, 2023]);
});

test("a sum ends before a gap of more than 60 days, and does not begin a month after its year", () => {
	const lines = cumulate(daily(["2021-03-01", "2021-12-30", "2022-01-10", "2022-04-01"], [9, 2, 4, 4]), 1);

	assert.ok(lines.get(2021)?.every((value) => value === undefined));
	const sums = lines.get(2022)?.filter((value) => value !== undefined) ?? [];
	assert.equal(sums.length, 10);
	const between = Array.from({ length: 10 }, (_, day) => 2 + (2 * (day + 2)) / 11);
	assert.ok(Math.abs(Number(sums[9]) - between.reduce((sum, value) => sum + value, 0)) < 1e-12);
});

test("before the first value of all that value counts, for a month at most", () => {
	const lines = cumulate(daily(["2020-01-11", "2020-01-12"], [0.5, 0.7]), 1);

	assert.deepEqual(lines.get(2020)?.slice(9, 13), [5, 5.5, 6.2, undefined]);
});

test("usual is from the 10th to the 90th percentile of a slot's values, twins counted each", () => {
	const dates = ["2020-02-29", "2021-02-28", "2022-02-25", "2022-02-25", "2023-02-22", "2023-06-15"];
	const values = [4, 1, 3, 2, 5, 8];
	const slots = ["01-01", "02-21", "03-01"];

	const usual = usualOf(dates, values, { slots, values: [null, 3, 8], counts: [0, 5, 1] }, 1);

	const { day } = yearDayOf(Date.parse("2024-02-29"), 1);
	assert.deepEqual(
		[usual?.low, usual?.middle, usual?.high].map((column) => column?.slice(day - 9, day + 2)),
		[
			[null, ...new Array(9).fill(1.4), 8],
			[null, ...new Array(9).fill(3), 8],
			[null, ...new Array(9).fill(4.6), 8],
		],
	);
	assert.equal(usualOf(dates.slice(0, 2), [4, 1], { slots, values: [null, 2.5, null], counts: [0, 2, 0] }, 1), null);
});

test("a season is of the year of its peak, wherever it begins and ends", () => {
	const columns = { start: ["2021-11-03"], peak: ["2022-01-20"], end: ["2022-08-02"], length: [272] };

	const [[northern], [southern]] = [1, 7].map((month) => seasonsOf(columns, month));

	const yearsOf = (/** @type {typeof northern} */ { year, days }) => [year, ...days.map((at) => at.year)];
	assert.deepEqual(yearsOf(northern), [2022, 2021, 2022, 2022]);
	assert.deepEqual(yearsOf(southern), [2021, 2021, 2021, 2022]);
});

test("start, peak and end of a year lie among those of the years' seasons at the same time of the year", () => {
	const columns = {
		start: ["2020-03-10", "2021-03-20", "2021-08-20", "2021-12-28", "2023-03-14", "2024-08-24", "2025-08-28"],
		peak: ["2020-06-01", "2021-06-01", "2021-09-20", "2022-06-11", "2023-06-04", "2024-09-24", "2025-09-26"],
		end: ["2020-07-30", "2021-07-28", "2021-10-30", "2022-08-01", "2023-07-29", "2024-10-30", "2025-11-03"],
		length: [142, 130, 71, 216, 137, 67, 67],
	};
	const seasons = seasonsOf(columns, 1);

	// In days after 31 December, with a 29 February: starts 70, 80, -3, 74; medians 72, 154.5 of 153, 153, 163, 156.
	for (const day of [0, 160, 300])
		assert.deepEqual(placesOf(seasons, 2022, day), [
			{ days: -75, earlier: 0, later: 3, count: 4 },
			{ days: 9, earlier: 3, later: 0, count: 4 },
			{ days: 3, earlier: 3, later: 0, count: 4 },
		]);
	assert.deepEqual(placesOf(seasons, 2021, 150)[1], { days: -2, earlier: 0, later: 2, count: 4 });
	// In autumn: peaks 264, 268, 270 of three years; the other years have none.
	assert.deepEqual(placesOf(seasons, 2021, 250)[1], { days: -4, earlier: 0, later: 2, count: 3 });
	assert.deepEqual(placesOf(seasons, 2025, 10)[1], { days: 2, earlier: 2, later: 0, count: 3 });
	const newYear = ["2021-12-31", "2023-01-01", "2024-01-02"];
	const atTurn = seasonsOf({ start: newYear, peak: newYear, end: newYear, length: [1, 1, 1] }, 1);
	assert.deepEqual(placesOf(atTurn, 2021, 0)[0], { days: -1, earlier: 0, later: 2, count: 3 });
	assert.deepEqual(placesOf(atTurn, 2024, 0)[0], { days: 1, earlier: 2, later: 0, count: 3 });
	assert.deepEqual(placesOf(seasons, 2019, 0), []);
	assert.deepEqual(placesOf(seasons.slice(0, 3), 2021, 150), []);
});

test("years are ranked by the values nearest to a day; equal ones share the better place", () => {
	const dates = ["2019-06-08", "2020-06-10", "2021-06-13", "2022-06-25", "2023-06-11"];
	const lines = cutYears(daily(dates, [0.5, 0.7, 0.5, 0.9, null]), 1);
	const { day } = yearDayOf(Date.parse("2024-06-11"), 1);

	const found = valuesAt(lines, day, 5);

	assert.deepEqual(
		found.map(({ year, value }) => [year, value, rankOf(found, value)]),
		[
			[2020, 0.7, 1],
			[2019, 0.5, 2],
			[2021, 0.5, 2],
		],
	);
});

test("values of years are compared over half the time between acquisitions, five days at least", () => {
	assert.equal(nearnessOf(daily(daysOf("2020-01-01", "2020-02-01"), [])), 5);
	assert.equal(nearnessOf(daily(["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"], [])), 16);
});
