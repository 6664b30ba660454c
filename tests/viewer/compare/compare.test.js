import assert from "node:assert/strict";
import { test } from "node:test";
import { toInstant } from "../../../viewer/base/dates.js";
import { differenceOf, differenceTable, paintDifference } from "../../../viewer/compare/difference.js";
import { movedBy } from "../../../viewer/compare/handle-position.js";
import {
	addYears,
	after,
	apartOf,
	areYearsApart,
	indexYearsAfter,
	otherIndex,
} from "../../../viewer/compare/offset.js";
import { makeRandom } from "../random.js";

/** @param {string} text */
const ms = (text) => Date.parse(text);

test("a date follows another by whole years and what is left", () => {
	const apart = apartOf(ms("2020-03-11"), ms("2018-03-16"));

	assert.equal(apart.years, -2);
	assert.equal(after(ms("2021-07-01"), apart), ms("2019-07-06"));
});

test("29 February follows as 28 February where there is none", () => {
	assert.equal(addYears(ms("2020-02-29"), -1), ms("2019-02-28"));
});

test("what is apart leads back to where it was taken from", () => {
	const random = makeRandom(7);
	for (let round = 0; round < 500; round++) {
		const [from, to] = [random.number() * 2e12, random.number() * 2e12].map(Math.round);
		assert.equal(after(from, apartOf(from, to)), to);
	}
});

const DEKADS = ["2018-06-01", "2019-06-01", "2019-06-11", "2020-06-01"].map((day) => toInstant(`${day}T00:00:00Z`));

for (const [date, expected] of /** @type {[string, string][]} */ ([
	["2020-06-01", "2019-06-01"],
	["2018-06-01", "2019-06-01"],
	["2019-06-11", "2018-06-01"],
])) {
	test(`${date} is compared with ${expected} at first`, () => {
		assert.equal(DEKADS[otherIndex(DEKADS, ms(date))].text.slice(0, 10), expected);
	});
}

test("a year back is the date nearest to it, and none where that is weeks away", () => {
	assert.equal(indexYearsAfter(DEKADS, ms("2020-06-09"), -1), 2);
	assert.equal(indexYearsAfter(DEKADS, ms("2020-07-01"), -1), -1);
	assert.equal(indexYearsAfter(DEKADS, ms("2019-06-01"), 0), 1);
});

test("the same time of two years is told from other dates, and from one date", () => {
	const pairs = [
		["2024-06-11", "2023-06-16"],
		["2024-06-11", "2023-03-11"],
		["2024-06-11", "2024-06-11"],
	];

	assert.deepEqual(
		pairs.map(([one, other]) => areYearsApart(ms(one), ms(other))),
		[true, false, false],
	);
});

test("of one date there is no other", () => {
	assert.equal(otherIndex(DEKADS.slice(0, 1), ms("2018-06-01")), 0);
});

for (const [key, expected] of /** @type {[string, number | null][]} */ ([
	["ArrowRight", 0.52],
	["ArrowLeft", 0.48],
	["PageDown", 0.6],
	["Home", 0],
	["End", 1],
	["x", null],
])) {
	test(`${key} moves the handle to ${expected}`, () => {
		assert.equal(movedBy(key, 0.5), expected);
	});
}

/** Returns a frame of one cube of 2 x 2 cells. @param {number[]} numbers @param {number} scale @returns {any} */
const foundOf = (numbers, scale) => ({
	frame: 0,
	isPreview: false,
	cells: Int32Array.from(numbers.keys()),
	cube: {
		header: { w: 2, h: 2, dtype: "uint8" },
		valueOf: (/** @type {number} */ number) => (number === 255 ? null : number * scale),
		beyond: (/** @type {number} */ number) => (number === 254 ? 1 : 0),
		numbersAt: () => Uint8Array.from(numbers),
		filledAt: () => Uint8Array.from(numbers, (number) => (number === 255 ? 0 : number)),
	},
});

const ALL = { left: 0, top: 0, right: 2, bottom: 2 };

/** Grey by value, from -1 to 1. @type {any} */
const GREYS = {
	range: [-1, 1],
	stops: [
		{ value: -1, rgba: [0, 0, 0, 255] },
		{ value: 1, rgba: [255, 255, 255, 255] },
	],
	classes: [],
	below: [255, 0, 0, 255],
	above: [0, 0, 255, 255],
};

/** Returns red and alpha of each pixel. @param {Uint32Array} words */
const seen = (words) => Array.from(words, (word) => [word & 255, word >>> 24]);

test("a difference is later less earlier in their own scales, hatched where one has no value, and nothing beside both", () => {
	const [earlier, later] = [foundOf([10, 10, 255, 100], 0.01), foundOf([10, 35, 10, 255], 0.02)];
	for (const { cells } of [earlier, later]) cells[3] = -1;
	const words = new Uint32Array(4);

	paintDifference(words, { later, earlier, isFilled: false, reach: ALL }, differenceTable(GREYS));

	const grey = (/** @type {number} */ value) => ((value + 1) / 2) * 255;
	const [first, second, third, fourth] = seen(words);
	assert.ok(Math.abs(first[0] - grey(0.1)) <= 1 && first[1] === 255);
	assert.ok(Math.abs(second[0] - grey(0.6)) <= 1 && second[1] === 255);
	assert.ok(third[1] > 0 && third[1] < 255);
	assert.deepEqual(fourth, [0, 0]);
});

test("a difference with a value that is this or above is painted as far beyond, of two such as none", () => {
	const [earlier, later] = [foundOf([254, 10, 254, 10], 0.001), foundOf([10, 254, 254, 10], 0.001)];
	const words = new Uint32Array(4);

	paintDifference(words, { later, earlier, isFilled: false, reach: ALL }, differenceTable(GREYS));

	const [below, above] = Array.from(words, (word) => [word & 255, (word >> 16) & 255, word >>> 24]);
	assert.deepEqual(
		[below, above],
		[
			[255, 0, 255],
			[0, 255, 255],
		],
	);
	assert.notEqual(words[2] >>> 24, 255);
});

for (const [a, b, expected] of /** @type {[number, number, number | null][]} */ ([
	[0, 0, 0],
	[0, 1, 1],
	[0, -1, -1],
	[1, 0, -1],
	[-1, 1, 1],
	[1, 1, null],
	[-1, -1, null],
])) {
	test(`of values that stand for ${a} and ${b} beyond, the difference stands for ${expected}`, () => {
		const found = differenceOf({ value: 5, beyond: b }, { value: 2, beyond: a });

		assert.deepEqual(found, expected === null ? null : { value: 3, beyond: expected });
	});
}

test("what is beyond the range of a difference has the colours of its ends' beyond", () => {
	const [earlier, later] = [foundOf([0, 200, 0, 0], 0.01), foundOf([200, 0, 100, 0], 0.01)];
	const words = new Uint32Array(4);

	paintDifference(words, { later, earlier, isFilled: false, reach: ALL }, differenceTable(GREYS));

	assert.deepEqual([words[0], words[1]], [0xffff0000, 0xff0000ff]);
});

test("gaps that are filled differ by their last values", () => {
	const [earlier, later] = [foundOf([255, 0, 0, 0], 0.01), foundOf([50, 0, 0, 0], 0.01)];
	const words = new Uint32Array(4);

	paintDifference(words, { later, earlier, isFilled: true, reach: ALL }, differenceTable(GREYS));

	assert.equal(words[0] >>> 24, 255);
});
