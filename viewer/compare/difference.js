/**
 * B - A of two frames of one tile, in colours. Pure.
 *
 * @typedef {import("../ctc1/decode.js").Cube} Cube
 * @typedef {import("../ctc1/source.js").Found} Found
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {Found & { cells: Int32Array }} Shown `cells` is which number each pixel shows, -1 of none
 */
import { colours, pack } from "../base/colours.js";

/** Colours between the ends of a difference's range. */
const STEPS = 512;

/** Values of all digital numbers of a cube, infinite of those that stand for all beyond; NaN of those that are none. @type {WeakMap<Cube, Float64Array>} */
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
 * B - A of two values, each of which may stand for all above (1) or below it (-1), as the difference then does too; null
 * where nothing is known of it.
 * @param {{ value: number, beyond: number }} a @param {{ value: number, beyond: number }} b
 */
export function differenceOf(a, b) {
	if (a.beyond !== 0 && a.beyond === b.beyond) return null;
	return { value: b.value - a.value, beyond: Math.sign(b.beyond - a.beyond) };
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
 * Paints B - A; nothing where one of them has no value.
 * @param {Uint32Array} words by pixel
 * @param {{ a: Shown, b: Shown, isFilled: boolean }} frames `isFilled` is whether gaps show the last value
 * @param {ReturnType<typeof differenceTable>} colouring
 */
export function paintDifference(words, { a, b, isFilled }, { table, low, high }) {
	words.fill(0);
	if (a.frame < 0 || b.frame < 0) return;
	const numbersOf = (/** @type {Found} */ { cube, frame }) => (isFilled ? cube.filledAt(frame) : cube.numbersAt(frame));
	const [numbersA, numbersB] = [numbersOf(a), numbersOf(b)];
	const [valuesA, valuesB] = [valuesOf(a.cube), valuesOf(b.cube)];
	const scale = STEPS / (high - low || 1);
	for (let at = 0; at < words.length; at++) {
		// Beside the source there is neither a number nor a value.
		const step = (valuesB[numbersB[b.cells[at]]] - valuesA[numbersA[a.cells[at]]] - low) * scale;
		if (Number.isNaN(step)) continue;
		words[at] = table[step < 0 ? 0 : step > STEPS ? STEPS + 1 : Math.min(STEPS, Math.floor(step) + 1)];
	}
}
