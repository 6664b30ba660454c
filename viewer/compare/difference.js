/**
 * The later of two frames of a tile minus the earlier, in colours; hatched where one of them has no value. Pure.
 *
 * @typedef {import("../ctc1/decode.js").Cube} Cube
 * @typedef {import("../ctc1/source.js").Found} Found
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Box
 * @typedef {Found & { cells: Int32Array }} Shown `cells` has the index of the number of each pixel, -1 if there is none
 */
import { colours, pack } from "../base/colours.js";

/** Hatching: diagonal lines that continue in the next tile, on a translucent grey. */
const [LINE, GREY] = [pack([128, 128, 128, 230]), pack([128, 128, 128, 70])];
const HATCH_PX = 8;

/** Number of colours between the ends of the range of a difference. */
const STEPS = 512;

/**
 * Values of all digital numbers of a cube: infinite for numbers that mean all values beyond, NaN for missing values.
 * @type {WeakMap<Cube, Float64Array>}
 */
const known = new WeakMap();

/** @param {Cube} cube */
function valuesOf(cube) {
	let values = known.get(cube);
	if (!values) {
		const count = cube.header.dtype === "uint8" ? 0x100 : 0x10000;
		values = Float64Array.from({ length: count }, (_, number) => {
			const beyond = cube.beyond(number);
			return beyond === 0 ? (cube.valueOf(number) ?? Number.NaN) : beyond * Infinity;
		});
		known.set(cube, values);
	}
	return values;
}

/**
 * Returns a later value minus an earlier one. Each may stand for all values above (1) or below it (-1); the difference
 * then does too. Null if it is undetermined.
 * @param {{ value: number, beyond: number }} later @param {{ value: number, beyond: number }} earlier
 */
export function differenceOf(later, earlier) {
	if (earlier.beyond !== 0 && earlier.beyond === later.beyond) return null;
	return { value: later.value - earlier.value, beyond: Math.sign(later.beyond - earlier.beyond) };
}

/** Returns the colours of a difference: one below the range, STEPS within, one above. @param {PaintedStyle} style */
export function differenceTable(style) {
	const colourOf = colours(style);
	const [low, high] = style.range;
	const table = new Uint32Array(STEPS + 2);
	table[0] = pack(style.below);
	table[STEPS + 1] = pack(style.above);
	for (let step = 0; step < STEPS; step++) {
		table[step + 1] = pack(colourOf(low + ((step + 0.5) / STEPS) * (high - low)));
	}
	return { table, low, high };
}

/**
 * Paints later minus earlier; hatches pixels in which one has no value, and leaves pixels outside the layers empty.
 * @param {Uint32Array} words by pixel of a square tile
 * @param {{ later: Shown, earlier: Shown, isFilled: boolean, reach: Box }} frames `reach` is the extent of the
 *   layers on the tile, in pixels; `isFilled` is whether gaps show the last value
 * @param {ReturnType<typeof differenceTable>} colouring
 */
export function paintDifference(words, { later, earlier, isFilled, reach }, { table, low, high }) {
	const numbersOf = (/** @type {Found} */ { cube, frame }) =>
		frame < 0 ? [] : isFilled ? cube.filledAt(frame) : cube.numbersAt(frame);
	const [numbersL, numbersE] = [numbersOf(later), numbersOf(earlier)];
	const [valuesL, valuesE] = [valuesOf(later.cube), valuesOf(earlier.cube)];
	const scale = STEPS / (high - low || 1);
	const side = Math.sqrt(words.length);
	for (let at = 0; at < words.length; at++) {
		const step = (valuesL[numbersL[later.cells[at]]] - valuesE[numbersE[earlier.cells[at]]] - low) * scale;
		if (Number.isNaN(step)) {
			const [x, y] = [at % side, Math.floor(at / side)];
			const isBeside = x < reach.left || x >= reach.right || y < reach.top || y >= reach.bottom;
			const isNone = isBeside || (later.cells[at] < 0 && earlier.cells[at] < 0);
			words[at] = isNone ? 0 : (x + y) % HATCH_PX === 0 ? LINE : GREY;
			continue;
		}
		words[at] = table[step < 0 ? 0 : step > STEPS ? STEPS + 1 : Math.min(STEPS, Math.floor(step) + 1)];
	}
}
