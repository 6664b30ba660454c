import assert from "node:assert/strict";
import { test } from "node:test";
import { ticksOf } from "../../../viewer/layers/key-content.js";

/**
 * Returns a style for tests of ticks, which need no colours.
 * @param {[number, number]} range
 * @param {number[]} [labels]
 * @returns {any}
 */
const styleOver = (range, labels = []) => ({ range, labels, isLog: false });

/** Every letter has the same width. @param {string} words */
const widthOf = (words) => 6 * words.length;

/** @param {any} style */
const wordsOf = (style) => ticksOf(style, 162, widthOf).map(({ words }) => words);

test("a bar has five numbers, those of its ends among them", () => {
	assert.deepEqual(wordsOf(styleOver([0, 1])), ["0", "0.25", "0.5", "0.75", "1"]);
	assert.deepEqual(wordsOf(styleOver([0, 4])), ["0", "1", "2", "3", "4"]);
});

test("numbers of a range that is not round are round between its ends", () => {
	assert.deepEqual(wordsOf(styleOver([-0.08, 0.92], [0, 0.2, 0.4, 0.6, 0.8])), ["-0.08", "0.2", "0.4", "0.6", "0.92"]);
});

test("to either side of none there are the same numbers, however little room they have", () => {
	for (const high of [0.5, 0.125, 3, 12_500]) {
		const words = wordsOf(styleOver([-high, high]));

		assert.equal(words[words.length - 1], words[0].replace("-", ""));
		assert.equal(words.length % 2, 1);
		assert.equal(words[(words.length - 1) / 2], "0");
	}
});

test("numbers neither leave their bar nor touch one another", () => {
	for (const range of /** @type {[number, number][]} */ ([
		[0, 1],
		[-0.08, 0.92],
		[250.15, 320.65],
		[-12_345.5, 67_890],
	])) {
		const ticks = ticksOf(styleOver(range), 110, widthOf);
		for (const [index, { words, left }] of ticks.entries()) {
			assert.ok(left >= 0 && left + widthOf(words) <= 110);
			if (index > 0) assert.ok(left >= ticks[index - 1].left + widthOf(ticks[index - 1].words));
		}
	}
});
