import assert from "node:assert/strict";
import { test } from "node:test";
import { addMonths, DAY_MS, parseTyped, toInstant } from "../../../viewer/base/dates.js";
import { dayOf, daysOf, firstDayOfWeek, placeInWeek, weeksOf } from "../../../viewer/time/month.js";
import { inYear, sameTimeOfYears } from "../../../viewer/time/years.js";

const [MONDAY, SUNDAY] = [1, 7];

/** @param {string} day */
const at = (day) => Date.parse(`${day}T00:00:00Z`);

/** @param {...string} days */
const instants = (...days) => days.map((day) => toInstant(day.length > 10 ? day : `${day}T00:00:00Z`));

for (const [first, name] of /** @type {const} */ ([
	[MONDAY, "Mondays"],
	[SUNDAY, "Sundays"],
])) {
	test(`a month is whole weeks that begin on ${name}, for fifty years`, () => {
		for (let month = 0; month < 600; month += 1) {
			const [year, of] = [1980 + Math.floor(month / 12), month % 12];
			const days = weeksOf(year, of, first).flat();
			const inMonth = days.filter((ms) => new Date(ms).getUTCMonth() === of);
			assert.equal(inMonth.length, new Date(Date.UTC(year, of + 1, 0)).getUTCDate());
			assert.equal(days.length % 7, 0);
			assert.ok(days.length - inMonth.length < 14);
			assert.equal(new Date(days[0]).getUTCDay(), first % 7);
			assert.ok(days.every((ms, place) => place === 0 || ms - days[place - 1] === DAY_MS));
			assert.ok(days.every((ms, place) => placeInWeek(ms, first) === place % 7));
		}
	});
}

test("weeks begin as the region has them", () => {
	assert.equal(firstDayOfWeek("nl-BE"), MONDAY);
	assert.equal(firstDayOfWeek("en-US"), SUNDAY);
});

test("the same day a month on, or the last one of a shorter month", () => {
	assert.equal(addMonths(at("2019-01-31"), 1), at("2019-02-28"));
	assert.equal(addMonths(at("2020-03-31"), -1), at("2020-02-29"));
	assert.equal(addMonths(at("2019-12-15"), 1), at("2020-01-15"));
	assert.equal(addMonths(at("2020-02-29"), 12), at("2021-02-28"));
});

test("a day tells its first instant, how many it has, and the largest share", () => {
	const days = daysOf(instants("2019-06-01", "2019-06-02T10:30:00Z", "2019-06-02T11:30:00Z"), [null, 0.2, 0.7]);

	assert.deepEqual(
		[...days],
		[
			[at("2019-06-01"), { index: 0, count: 1, share: null }],
			[at("2019-06-02"), { index: 1, count: 2, share: 0.7 }],
		],
	);
});

test("days before 1970 begin at their midnight too", () => {
	assert.equal(dayOf(Date.parse("1962-03-04T13:00:00Z")), at("1962-03-04"));
});

for (const [typed, day] of [
	["2019-06-04", "2019-06-04"],
	[" 2019-6-4 ", "2019-06-04"],
	["4/6/2019", "2019-06-04"],
	["04.06.2019", "2019-06-04"],
	["4-6-2019", "2019-06-04"],
	["2019-6", "2019-06"],
	["2019", "2019"],
]) {
	test(`"${typed}" is ${day}`, () => {
		assert.equal(parseTyped(typed), day);
	});
}

for (const typed of ["", "June", "2019-13-01", "31/2/2019", "2019-02-29", "4/6/19", "2019-06-04T10:00:00Z"]) {
	test(`"${typed}" is no date`, () => {
		assert.equal(parseTyped(typed), null);
	});
}

test("the same day of other years, and the last of February where there is no 29th", () => {
	assert.equal(inYear(at("2019-03-02"), 2020), at("2020-03-02"));
	assert.equal(inYear(at("2020-02-29"), 2019), at("2019-02-28"));
});

test("each year has the date nearest to the same day, itself included", () => {
	const dates = instants("2018-05-20", "2018-06-04", "2019-05-27", "2019-06-10", "2020-06-01", "2020-06-11");

	assert.deepEqual(sameTimeOfYears(dates, 3), [
		{ year: 2018, index: 1, days: -6 },
		{ year: 2019, index: 3, days: 0 },
		{ year: 2020, index: 5, days: 1 },
	]);
});

test("years without a date around then are left out, and the turn of the year is none", () => {
	const dates = instants("2017-12-30", "2018-07-01", "2019-01-03", "2020-12-28");

	assert.deepEqual(
		sameTimeOfYears(dates, 2).map(({ year, index }) => [year, index]),
		[
			[2018, 0],
			[2019, 2],
		],
	);
});
