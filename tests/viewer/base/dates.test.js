import assert from "node:assert/strict";
import { test } from "node:test";
import {
	dateOf,
	formatDate,
	formatNamed,
	formatShortDate,
	indexesBetween,
	indexOfMoment,
	nearestIndex,
	newestClear,
	ofFullest,
	parseSpan,
	parseTyped,
	resolveDate,
	stepMonths,
	toInstant,
	yearsOf,
} from "../../../viewer/base/dates.js";

/** @param {...string} texts days or instants */
const instants = (...texts) => texts.map((text) => toInstant(text.includes("T") ? text : `${text}T00:00:00Z`));

const DEKADS = instants("2019-12-21", "2020-01-01", "2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11");

/** The dekads of June 2023 as the server returns them: each ends at the start of the next. */
const JUNE = [
	["2023-06-01", "2023-06-11"],
	["2023-06-11", "2023-06-21"],
	["2023-06-21", "2023-07-01"],
].map(([start, end]) => toInstant(`${start}T00:00:00Z`, `${end}T00:00:00Z`));

for (const [text, start, end] of [
	["2020", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"],
	["2020-02", "2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z"],
	["2020-12", "2020-12-01T00:00:00Z", "2021-01-01T00:00:00Z"],
	["2020-06-11", "2020-06-11T00:00:00Z", "2020-06-12T00:00:00Z"],
	["2020-06-11T10:50Z", "2020-06-11T10:50:00.000Z", "2020-06-11T10:50:00.001Z"],
	["2020-06-11T10:50:00", "2020-06-11T10:50:00.000Z", "2020-06-11T10:50:00.001Z"],
	["2020-06-11T00:50:00+02:00", "2020-06-10T22:50:00.000Z", "2020-06-10T22:50:00.001Z"],
]) {
	test(`"${text}" is from ${start} until ${end}`, () => {
		assert.deepEqual(parseSpan(text), { start: Date.parse(start), end: Date.parse(end) });
	});
}

for (const text of [
	"2020-02-30",
	"2021-02-29",
	"2020-06-11T25:00:00Z",
	"2020-06-11 ",
	"11-06-2020",
	"",
	"2020-13",
	"2020-6",
	"20200611",
	"nonsense",
]) {
	test(`"${text}" is no date`, () => {
		assert.equal(parseSpan(text), null);
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

for (const [date, index] of /** @type {[string, number][]} */ ([
	["2023-06-30", 2],
	["2023-06-20", 1],
	["2023-06-20T23:59:59.999Z", 1],
	["2023-07-01T00:30:00+02:00", 2],
	["2023-06-05", 0],
	["2023-06", 0],
	["2023", 0],
])) {
	test(`${date} is in the dekad of ${JUNE[index].text}, of which the layer has data`, () => {
		assert.deepEqual(resolveDate(JUNE, date), { index, exact: true });
	});
}

test("outside of all periods the nearest date is taken and reported", () => {
	assert.deepEqual(resolveDate(JUNE, "2023-05-31"), { index: 0, exact: false });
	assert.deepEqual(resolveDate(JUNE, "2023-07-01"), { index: 2, exact: false });
	assert.deepEqual(resolveDate(JUNE, "2024"), { index: 2, exact: false });
	assert.deepEqual(resolveDate(JUNE, "nonsense"), { index: -1, exact: false });
	assert.deepEqual(resolveDate([], "2024"), { index: -1, exact: false });
});

test("between two periods with a gap the nearest is taken", () => {
	const [first, , last] = JUNE;
	assert.deepEqual(resolveDate([first, last], "2023-06-13"), { index: 1, exact: false });
	assert.equal(indexOfMoment([first, last], Date.parse("2023-06-20")), 1);
	assert.equal(indexOfMoment([first, last], Date.parse("2023-06-10")), 0);
});

test("periods that share a day are named in full, and their names lead back", () => {
	const halves = [
		toInstant("2023-06-01T12:00:00Z", "2023-06-09T12:00:00Z"),
		toInstant("2023-06-09T12:00:00Z", "2023-06-17T12:00:00Z"),
	];
	assert.deepEqual(
		halves.map((_, index) => dateOf(halves, index)),
		["2023-06-01", "2023-06-09T12:00:00Z"],
	);
	for (const index of halves.keys()) assert.equal(resolveDate(halves, dateOf(halves, index)).index, index);
});

test("an interval has all periods that it overlaps", () => {
	assert.deepEqual(indexesBetween(JUNE, "2023-06-05", "2023-06-11"), { first: 0, last: 1 });
	assert.deepEqual(indexesBetween(JUNE, "2023-06-30", undefined), { first: 2, last: 2 });
	assert.deepEqual(indexesBetween(JUNE, "2023-06", "2023"), { first: 0, last: 2 });
	assert.equal(indexesBetween(JUNE, "2023-07-01", undefined), null);
	assert.equal(indexesBetween(JUNE, undefined, "2023-05"), null);
	assert.equal(indexesBetween([], undefined, undefined), null);
});

test("a date is written as precisely as it was named", () => {
	assert.equal(formatNamed("2023-06-30", "en-GB"), "30 June 2023");
	assert.equal(formatNamed("2023-06", "en-GB"), "June 2023");
	assert.equal(formatNamed("2023", "en-GB"), "2023");
	assert.equal(formatNamed("nonsense", "en-GB"), null);
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

test("the fullest date has all there is: sea is no cloud", () => {
	assert.deepEqual(ofFullest([0.25, 0.1, null, 0]), [1, 0.4, null, 0]);
	assert.deepEqual(ofFullest([0, null]), [0, null]);
});

test("the newest clear date is the last with four fifths of what the fullest has", () => {
	assert.equal(newestClear([0.9, 1, 0.79]), 1);
	assert.equal(newestClear([0.25, 0.2, 0.19]), 1);
	assert.equal(newestClear([1, null, 0.8]), 2);
	assert.equal(newestClear([1, null, 0.1]), 0);
	assert.equal(newestClear([1, 0.9, null]), 2, "nobody knows that it is cloudy");
	assert.equal(newestClear([0, 0]), 1);
	assert.equal(
		newestClear([0.5, 0.3, 1, ...Array(9).fill(0.1), 0.4, 0.7, 0.3]),
		13,
		"none of the newest dozen, so the fullest of it",
	);
});

test("a date that is written as a language does is read again, in each of the six", () => {
	for (const locale of ["en-GB", "nl", "fr", "de", "es", "pt-BR"]) {
		for (let month = 0; month < 12; month += 1) {
			const ms = Date.UTC(2024, month, 1 + 2 * month);
			const day = new Date(ms).toISOString().slice(0, 10);
			for (const words of [formatDate(ms, locale), formatShortDate(ms, locale)])
				assert.equal(parseTyped(words, locale), day, `${locale}: ${words}`);
			const named = formatNamed(day.slice(0, 7), locale) ?? "";
			assert.equal(parseTyped(named, locale), day.slice(0, 7), `${locale}: ${named}`);
		}
	}
	assert.equal(parseTyped("4 Brumaire 2024", "fr"), null);
});
