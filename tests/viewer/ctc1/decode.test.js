import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { CubeError, decodeCube } from "../../../viewer/ctc1/decode.js";
import { makeRandom } from "../random.js";

const GOLDEN = new URL("../../golden/ctc1/", import.meta.url);
const names = readdirSync(fileURLToPath(GOLDEN)).filter((name) => /\.ctc(\.gz)?$/.test(name));

/** @param {string} name */
function readGolden(name) {
	const bytes = readFileSync(new URL(name, GOLDEN));
	const told = JSON.parse(readFileSync(new URL(name.replace(/\.ctc.*$/, ".json"), GOLDEN), "utf8"));
	return { bytes: new Uint8Array(name.endsWith(".gz") ? gunzipSync(bytes) : bytes), told };
}

/**
 * @typedef
 *   {{ w: number, h: number, bytes: 1 | 2, blocks: import("../../../viewer/ctc1/decode.js").Block[], numbers: number[][], isGap: boolean[][] }}
 *   Made
 */

/**
 * Implements P of docs/design/ctc1-decoding.md literally.
 * @param {number[][]} frames of a block, filled
 * @param {number} t
 * @param {number} y
 * @param {number} x
 * @param {Made} made
 * @param {number} pred
 */
function predicted(frames, t, y, x, { w, bytes }, pred) {
	const at = (/** @type {number} */ time, /** @type {number} */ row, /** @type {number} */ column) =>
		time < 0 ? 0 : frames[time][row * w + column];
	const before = at(t - 1, y, x);
	if (pred === 0) return 0;
	if (pred === 1) return before;
	const change = (/** @type {number} */ row, /** @type {number} */ column) =>
		at(t, row, column) - at(t - 1, row, column);
	const left = x > 0 ? change(y, x - 1) : y > 0 ? change(y - 1, x) : 0;
	const above = y > 0 ? change(y - 1, x) : left;
	return Math.min(256 ** bytes - 1, Math.max(0, before + Math.floor((left + above) / 2)));
}

/** Encodes frames without any optimisation. @param {Made} made @param {object} [more] of the header */
function encode(made, more = {}) {
	const { w, h, bytes, blocks, numbers, isGap } = made;
	const most = 256 ** bytes;
	const header = {
		...{ v: 1, w, h, res: 1, dtype: bytes === 1 ? "uint8" : "uint16", nodata: most - 1, scale: 1, offset: 0 },
		...{ times: numbers.map((_, index) => `t${index}`), valid: numbers.map(() => 1), blocks, ...more },
	};
	const text = JSON.stringify(header);
	const words = text.padEnd(text.length + ((8 - (text.length % 8)) % 8));
	const body = [...Buffer.from("CTC1"), ...Buffer.from(Uint32Array.of(words.length).buffer), ...Buffer.from(words)];
	let first = 0;
	for (const { n, mask, pred } of blocks) {
		const frames = numbers.slice(first, first + n);
		for (let t = 0; mask && t < n; t++) {
			const packed = new Array(Math.ceil((w * h) / 8)).fill(0);
			for (const [cell, gap] of isGap[first + t].entries()) packed[cell >> 3] |= Number(gap) << (cell & 7);
			body.push(...packed);
		}
		for (let t = 0; t < n; t++) {
			const residuals = frames[t].map((number, cell) => {
				const guess = predicted(frames, t, Math.floor(cell / w), cell % w, made, pred);
				return (number - guess + most) % most;
			});
			for (let plane = 0; plane < bytes; plane++) body.push(...residuals.map((r) => (r >> (8 * plane)) & 255));
		}
		first += n;
	}
	return Uint8Array.from(body);
}

/** @param {number} seed @returns {Made} */
function randomCube(seed) {
	const { number, pick } = makeRandom(seed);
	const bytes = pick([/** @type {const} */ (1), /** @type {const} */ (2)]);
	const [w, h] = [pick([1, 2, 7, 8, 9, 16]), pick([1, 2, 5, 8])];
	const kinds = /** @type {const} */ ([0, 1, 2]);
	const blocks = Array.from({ length: pick([1, 2, 3]) }, () => ({
		n: pick([1, 2, 5, 16]),
		mask: pick([/** @type {const} */ (0), /** @type {const} */ (1)]),
		pred: pick([...kinds]),
	}));
	const frames = blocks.flatMap(({ n, mask }) => new Array(n).fill(mask));
	const share = pick([0, 0.5, 1]);
	return {
		w,
		h,
		bytes,
		blocks,
		numbers: frames.map(() => Array.from({ length: w * h }, () => Math.floor(number() * (256 ** bytes - 1)))),
		isGap: frames.map((mask) => Array.from({ length: w * h }, () => mask === 1 && number() < share)),
	};
}

const SMALL = randomCube(3);

describe("golden cubes", () => {
	for (const name of names) {
		const { bytes, told } = readGolden(name);
		if (told.error) {
			test(`${name} is refused, since ${told.error}`, () => {
				assert.throws(() => decodeCube(bytes), CubeError);
			});
			continue;
		}
		test(`${name} has the numbers and values that it must`, () => {
			const cube = decodeCube(bytes);

			assert.deepEqual(
				Array.from({ length: cube.count }, (_, index) => [...cube.numbersAt(index)]),
				told.numbers.map((/** @type {number[][]} */ frame) => frame.flat()),
			);
			// To 12 digits: if the header has the encoding of the source, values equal those of the source to the last bit.
			const rounded = (/** @type {number | null} */ value) => value?.toPrecision(12) ?? null;
			assert.deepEqual(
				Array.from(cube.numbers, (number) => rounded(cube.valueOf(number))),
				told.values.flat(2).map(rounded),
			);
			assert.deepEqual(
				Array.from(cube.numbers, (number) => cube.beyond(number)),
				told.beyond?.flat(2) ?? Array.from(cube.numbers, () => 0),
			);
			for (const [across, down, row, column] of told.places ?? []) {
				assert.equal(cube.cellAt(across, down), row === null ? -1 : row * cube.header.w + column);
			}
		});
	}
});

describe("random cubes", () => {
	for (let seed = 0; seed < 200; seed++) {
		test(`cube ${seed} comes back`, () => {
			const made = randomCube(seed);
			const cube = decodeCube(encode(made));

			const { nodata } = cube.header;
			const expected = made.numbers.map((frame, t) =>
				frame.map((number, cell) => (made.isGap[t][cell] ? nodata : number)),
			);
			assert.deepEqual(
				expected.map((_, t) => [...cube.numbersAt(t)]),
				expected,
			);
		});
	}
});

describe("what is not whole", () => {
	const whole = encode(SMALL);
	for (let length = 0; length < whole.length; length += 1 + Math.floor(whole.length / 60)) {
		test(`${length} bytes of ${whole.length} are refused`, () => {
			assert.throws(() => decodeCube(whole.slice(0, length)), CubeError);
		});
	}

	test("one byte more is refused", () => {
		assert.throws(() => decodeCube(Uint8Array.of(...whole, 0)), CubeError);
	});

	const wrong = {
		"another version": { v: 2 },
		"no width": { w: 0 },
		"a height that is no whole number": { h: 1.5 },
		floats: { dtype: "float32" },
		"a nodata that no number can be": { nodata: 70_000 },
		"a scale that is none": { scale: "1" },
		"times that are no texts": { times: SMALL.numbers.map(() => 1) },
		"fewer shares than times": { valid: [] },
		"a block of no dates": { blocks: [{ n: 0, mask: 0, pred: 0 }, ...SMALL.blocks] },
		"blocks that are none": { blocks: {} },
		"a flag without a number": { flags: { cloud: "cloud" } },
		"a reach that is no pair": { reach: 7 },
		"an end that is no number": { reach: [0, "all"] },
		"a shift that is none": { source: { shift: "1", offset: 0 } },
	};
	for (const [what, more] of Object.entries(wrong)) {
		test(`${what} is refused`, () => {
			assert.throws(() => decodeCube(encode(SMALL, more)), CubeError);
		});
	}
});

describe("gaps", () => {
	const gap = {
		w: 4,
		h: 1,
		bytes: /** @type {const} */ (1),
		blocks: [{ n: 3, mask: /** @type {const} */ (1), pred: /** @type {const} */ (2) }],
	};
	const made = {
		...gap,
		numbers: [
			[10, 20, 30, 252],
			[11, 21, 31, 41],
			[12, 22, 252, 252],
		],
		isGap: [
			[false, true, true, false],
			[true, false, true, false],
			[true, true, false, false],
		],
	};
	const cube = decodeCube(encode(made, { flags: { 252: "cloud" }, scale: 0.5 }));

	test("are filled with the last value before, never with a flag or a later one", () => {
		assert.deepEqual(
			[0, 1, 2].map((index) => [...cube.filledAt(index)]),
			[
				[10, 255, 255, 252],
				[10, 21, 255, 41],
				[10, 21, 252, 41],
			],
		);
	});

	test("tell the date of the value that fills them", () => {
		assert.deepEqual(
			[0, 1, 2, 3].map((cell) => cube.lastValid(2, cell)),
			[0, 1, -1, 1],
		);
	});

	test("and flags are no values", () => {
		assert.ok([...cube.numbersAt(2)].every((number) => cube.valueOf(number) === null));
		assert.deepEqual([cube.valueOf(252), cube.valueOf(255), cube.valueOf(41)], [null, null, 20.5]);
		assert.deepEqual([cube.exactValueOf(252), cube.exactValueOf(41)], [null, 20.5]);
	});

	test("that are filled count as memory until they are forgotten", () => {
		assert.equal(cube.bytes, 24);
		cube.forgetFilled();
		assert.equal(cube.bytes, 12);
	});
});
