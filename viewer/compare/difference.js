/**
 * The later of two frames of one tile less the earlier, in colours; hatched where one of them has no value. Pure.
 *
 * @typedef {import("../ctc1/decode.js").Cube} Cube
 * @typedef {import("../ctc1/source.js").Found} Found
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Box
 * @typedef {Found & { cells: Int32Array }} Shown `cells` is which number each pixel shows, -1 of none
 */
import { colours, pack } from "../base/colours.js";

/** What is hatched: lines at an angle, which go on in the next tile, on a grey through which the ground is seen. */
const [LINE, GREY] = [pack([128, 128, 128, 230]), pack([128, 128, 128, 70])];
const HATCH_PX = 8;

/** Colours between the ends of a difference's range. */
const STEPS = 512;

/**
 * Values of all digital numbers of a cube, infinite of those that stand for all beyond; NaN of those that are none.
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
 * What a later value is less an earlier one, each of which may stand for all above (1) or below it (-1), as the
 * difference then does too; null
 * where nothing is known of it.
 * @param {{ value: number, beyond: number }} later @param {{ value: number, beyond: number }} earlier
 */
export function differenceOf(later, earlier) {
	if (earlier.beyond !== 0 && earlier.beyond === later.beyond) return null;
	return { value: later.value - earlier.value, beyond: Math.sign(later.beyond - earlier.beyond) };
}

/** Colours of a difference: one below, STEPS in between, one above. @param {PaintedStyle} style */
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
 * Paints later less earlier; where one of them has no value it is hatched, and beside the layers there is nothing.
 * @param {Uint32Array} words by pixel of a tile that is as wide as high
 * @param {{ later: Shown, earlier: Shown, isFilled: boolean, reach: Box }} frames `reach` is where the layers are on
 *   the tile, in pixels; `isFilled` is whether gaps show the last value
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
