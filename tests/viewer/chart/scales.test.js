import assert from "node:assert/strict";
import { test } from "node:test";
import {
	aloneIn,
	nearestSecond,
	rangeOf,
	stackLabels,
	valueRange,
	wholePeriod,
} from "../../../viewer/chart/series/scales.js";

test("the value axis has a margin on both sides", () => {
	assert.deepEqual(valueRange(0, 1), [-0.08, 1.08]);
});

for (const value of [0, 0.5, -3, 1e6]) {
	test(`a series that is always ${value} is drawn inside its axis`, () => {
		const [low, high] = valueRange(value, value);

		assert.ok(low < value && value < high);
	});
}

test("the value axis is that of what is drawn of the period, of all columns", () => {
	const columns = [
		[9, 0, null, 1, 9],
		[undefined, 0.5, 2, undefined, -9],
	];

	assert.deepEqual(rangeOf(columns, [0, 1, 2, 3, 4], [1, 3]), valueRange(0, 2));
});

test("a period without values has an axis all the same", () => {
	assert.deepEqual(rangeOf([[null, 1]], [0, 10], [0, 5]), [0, 1]);
});

test("the whole period has room at both ends, for a single moment too", () => {
	const [from, to] = wholePeriod([0, 1_000_000_000]);

	assert.ok(from < 0 && to > 1_000_000_000 && to < 1_050_000_000);
	assert.deepEqual(wholePeriod([86_400]), [43_200, 129_600]);
});

for (const [second, index] of [
	[-5, 0],
	[14, 0],
	[15, 0],
	[16, 1],
	[20, 1],
	[99, 2],
]) {
	test(`the moment nearest to ${second} is number ${index}, the earlier of two as near`, () => {
		assert.equal(nearestSecond([10, 20, 30], second), index);
	});
}

test("no moment is nearest of none", () => {
	assert.equal(nearestSecond([], 3), -1);
});

test("labels that have room stay where they are", () => {
	assert.deepEqual(stackLabels([50, 20, 80], 10, 0, 100), [50, 20, 80]);
});

test("labels that would touch are moved apart and stay in their order", () => {
	const placed = /** @type {number[]} */ (stackLabels([50, 52, 51, 99, 98, 2], 10, 0, 100));

	const sorted = [...placed].sort((one, other) => one - other);
	assert.ok(sorted.every((at, index) => index === 0 || at - sorted[index - 1] >= 10));
	assert.ok(sorted[0] >= 5 && sorted[5] <= 95);
	assert.ok(placed[0] < placed[2] && placed[2] < placed[1] && placed[4] < placed[3]);
});

test("labels without room for all are left out", () => {
	assert.equal(stackLabels([1, 2, 3], 10, 0, 29), null);
});

test("values alone between gaps are found, and moments of other series are no gaps", () => {
	const column = [1, null, 2, 3, null, 4, undefined, null, 5, undefined, 6];

	assert.deepEqual(aloneIn(column), [0, 5]);
});
