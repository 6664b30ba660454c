import assert from "node:assert/strict";
import { test } from "node:test";
import { toInstant } from "../../../viewer/base/dates.js";
import { framesOf, nearestClear, nextFrame, rangeOf, yearRange } from "../../../viewer/time/frames.js";

const DEKADS = ["2020-01-01", "2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11", "2020-02-21"].map((day) =>
	toInstant(`${day}T10:30:00Z`),
);
const ALL = { first: 0, last: 5 };
const UNKNOWN = [null, null, null, null, null, null];

test("a range has both of the days that name it", () => {
	assert.deepEqual(rangeOf(DEKADS, "2020-01-11", "2020-02-11"), { first: 1, last: 4 });
	assert.deepEqual(rangeOf(DEKADS, "2020-01-12", undefined), { first: 2, last: 5 });
	assert.deepEqual(rangeOf(DEKADS, undefined, "2020-01-21T10:29:59Z"), { first: 0, last: 1 });
	assert.deepEqual(rangeOf(DEKADS, undefined, undefined), ALL);
});

test("a range of months and years has all of their dates", () => {
	assert.deepEqual(rangeOf(DEKADS, "2020-02", "2020-02"), { first: 3, last: 5 });
	assert.deepEqual(rangeOf(DEKADS, "2020-01-11", "2020-01"), { first: 1, last: 2 });
	assert.deepEqual(rangeOf(DEKADS, "2020", "2020"), ALL);
});

test("a range without dates is all of them", () => {
	assert.deepEqual(rangeOf(DEKADS, "2020-01-12", "2020-01-20"), ALL);
	assert.deepEqual(rangeOf(DEKADS, "2031-01-01", undefined), ALL);
	assert.deepEqual(rangeOf(DEKADS, "2020-02-11", "2020-01-11"), ALL);
});

test("every second date of those clear enough is played", () => {
	const shares = [1, 0.2, 0.6, null, 0.59, 0.9];

	assert.deepEqual(framesOf({ range: ALL, step: 1, least: 0, shares }), [0, 1, 2, 3, 4, 5]);
	assert.deepEqual(framesOf({ range: ALL, step: 1, least: 0.6, shares }), [0, 2, 3, 5]);
	assert.deepEqual(framesOf({ range: ALL, step: 2, least: 0.6, shares }), [0, 3]);
	assert.deepEqual(framesOf({ range: { first: 1, last: 4 }, step: 1, least: 1, shares }), [3]);
});

test("a date with just the least share is played", () => {
	for (const least of [0.1, 0.3, 0.6, 0.7, 0.9]) {
		const shares = [(100 - Math.round(100 * (1 - least))) / 100];

		assert.deepEqual(framesOf({ range: { first: 0, last: 0 }, step: 1, least, shares }), [0]);
	}
});

test("a year is played alone if it has half a dozen dates", () => {
	const next = [...DEKADS, toInstant("2021-01-01T10:30:00Z")];

	assert.deepEqual(yearRange(next, 2020), { first: 0, last: 5 });
	assert.deepEqual(yearRange(next, 2021), { first: 0, last: 6 });
	assert.deepEqual(yearRange([], 2021), { first: 0, last: -1 });
});

test("frames follow each other, from dates that are none too", () => {
	const frames = [1, 3, 5];
	const onwards = { isReversed: false, isLooping: false };
	const back = { isReversed: true, isLooping: false };

	assert.deepEqual(
		[0, 1, 2, 4, 5].map((index) => nextFrame(frames, index, onwards)),
		[1, 3, 3, 5, null],
	);
	assert.deepEqual(
		[6, 5, 2, 1].map((index) => nextFrame(frames, index, back)),
		[5, 3, 1, null],
	);
});

test("a loop begins again at the other end", () => {
	assert.equal(nextFrame([1, 3, 5], 5, { isReversed: false, isLooping: true }), 1);
	assert.equal(nextFrame([1, 3, 5], 1, { isReversed: true, isLooping: true }), 5);
});

test("nothing follows a single frame", () => {
	assert.equal(nextFrame([3], 3, { isReversed: false, isLooping: true }), null);
	assert.equal(nextFrame([], 3, { isReversed: false, isLooping: true }), null);
});

test("the nearest clear date may be earlier or later, never the date itself, and must be known", () => {
	assert.equal(nearestClear(DEKADS, 2, [1, 0.2, 1, 0.5, 1, 1], 0.3), 3);
	assert.equal(nearestClear(DEKADS, 2, [1, 0.4, 0, 0.1, 1, 1], 0.3), 1);
	assert.equal(nearestClear(DEKADS, 2, [1, null, 0, null, 1, 1], 0.3), 0);
	assert.equal(nearestClear(DEKADS, 2, UNKNOWN, 0.3), -1);
});
