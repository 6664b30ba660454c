import assert from "node:assert/strict";
import { test } from "node:test";
import {
	dateOf,
	formatDate,
	nearestIndex,
	parseDate,
	resolveDate,
	stepMonths,
	toInstant,
	yearsOf,
} from "../../../viewer/base/dates.js";

/** @param {...string} texts days or instants */
const instants = (...texts) => texts.map((text) => toInstant(text.includes("T") ? text : `${text}T00:00:00Z`));

const DEKADS = instants("2019-12-21", "2020-01-01", "2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11");

test("a day is its midnight in UTC", () => {
	assert.equal(parseDate("2020-06-11"), Date.UTC(2020, 5, 11));
});

for (const text of [
	"2020-02-30",
	"2021-02-29",
	"2020-06-11T25:00:00Z",
	"2020-06-11 ",
	"11-06-2020",
	"",
	"2020-06-11T10:00:00",
]) {
	test(`"${text}" is no date`, () => {
		assert.equal(parseDate(text), null);
	});
}

test("a date that exists is found", () => {
	assert.deepEqual(resolveDate(DEKADS, "2020-01-11"), { index: 2, exact: true });
	assert.deepEqual(resolveDate(DEKADS, "2020-01-11T00:00:00Z"), { index: 2, exact: true });
});

test("a date that does not exist becomes the nearest one", () => {
	assert.deepEqual(resolveDate(DEKADS, "2020-01-14"), { index: 2, exact: false });
	assert.deepEqual(resolveDate(DEKADS, "1990-01-01"), { index: 0, exact: false });
	assert.deepEqual(resolveDate(DEKADS, "2090-01-01"), { index: 5, exact: false });
});

test("of two dates as near the earlier one is taken", () => {
	assert.equal(nearestIndex(DEKADS, Date.UTC(2020, 0, 6)), 1);
});

test("there is no nearest of no dates", () => {
	assert.equal(nearestIndex([], 0), -1);
});

test("an instant is named by its day, and in full where the day has several", () => {
	const passes = instants("2020-06-10", "2020-06-11T10:50:00Z", "2020-06-11T11:05:00Z");

	assert.deepEqual(
		passes.map((_, index) => dateOf(passes, index)),
		["2020-06-10", "2020-06-11T10:50:00Z", "2020-06-11T11:05:00Z"],
	);
});

test("the name of every instant leads back to it", () => {
	const passes = instants("2020-06-10", "2020-06-11T10:50:00Z", "2020-06-11T11:05:00Z", "2020-07-01");
	for (const index of passes.keys()) {
		assert.deepEqual(resolveDate(passes, dateOf(passes, index)), { index, exact: true });
	}
});

test("a step of a month goes to the same day of the month", () => {
	assert.equal(stepMonths(DEKADS, 1, 1), 4);
	assert.equal(stepMonths(DEKADS, 4, -1), 1);
	assert.equal(stepMonths(DEKADS, 3, -1), 0);
});

test("a step of a month moves at least one date, and stops at the ends", () => {
	const yearly = instants("2018-07-01", "2019-07-01", "2020-07-01");

	assert.equal(stepMonths(yearly, 1, 1), 2);
	assert.equal(stepMonths(yearly, 1, -1), 0);
	assert.equal(stepMonths(yearly, 2, 1), 2);
	assert.equal(stepMonths(yearly, 0, -1), 0);
});

test("a step from the 31st does not skip a short month", () => {
	const days = instants("2020-01-31", "2020-02-29", "2020-03-31");

	assert.equal(stepMonths(days, 0, 1), 1);
});

test("years are counted with their first date", () => {
	assert.deepEqual(yearsOf(DEKADS), [
		{ year: 2019, first: 0, count: 1 },
		{ year: 2020, first: 1, count: 5 },
	]);
});

test("dates are written in words, with the time where there is one", () => {
	assert.equal(formatDate(Date.UTC(2020, 5, 11), "en-GB"), "11 June 2020");
	assert.match(formatDate(Date.UTC(2020, 5, 11, 10, 50), "en-GB"), /^11 June 2020.* 10:50 UTC$/);
});
