/**
 * Scales of values: positions of values, ticks, and formats of numbers. Pure.
 *
 * @typedef {{ low: number, high: number, isLog: boolean }} Scale from `low` to `high`, logarithmic if `isLog`
 */
import { withoutNoise } from "../ctc1/decode.js";

/** About so many ticks a scale has. */
const TICKS = 6;
const ROUND_STEPS = [1, 2, 2.5, 5, 10];
/** Number of steps of a scale that can be distinguished by hand. */
const FINEST = 400;

/**
 * Returns the position of a value: 0 at the lower end, 1 at the upper one, outside of that beyond the ends.
 * @param {Scale} scale
 * @param {number} value
 */
export function shareOf({ low, high, isLog }, value) {
	if (!(high > low)) return value < low ? -1 : value > high ? 2 : 0;
	if (!isLog) return (value - low) / (high - low);
	return value > 0 ? Math.log(value / low) / Math.log(high / low) : -1;
}

/** The value at a share of the scale. @param {Scale} scale @param {number} share */
export const valueAt = ({ low, high, isLog }, share) =>
	isLog ? low * (high / low) ** share : low * (1 - share) + high * share;

/** The value with no more digits than a hand can set on this scale. @param {Scale} scale @param {number} value */
export function roundOn({ low, high, isLog }, value) {
	const step = isLog ? (Math.abs(value) * Math.log(high / low)) / FINEST : (high - low) / FINEST;
	if (!(step > 0)) return value;
	const decimals = -Math.floor(Math.log10(step));
	const factor = 10 ** Math.abs(decimals);
	return withoutNoise(decimals >= 0 ? Math.round(value * factor) / factor : Math.round(value / factor) * factor);
}

/**
 * Values worth a tick, in order: round ones inside the scale.
 * @param {Scale} scale
 * @param {number} [count] about so many
 * @returns {number[]}
 */
export function roundValues(scale, count = TICKS) {
	if (scale.isLog) {
		const logTicks = logValues(scale, count);
		if (logTicks.length > 1) return logTicks;
	}
	const { low, high } = scale;
	const length = high - low;
	if (!(length / count > Number.MIN_VALUE)) return [...new Set([low, high].map(withoutNoise))];
	const magnitude = 10 ** Math.floor(Math.log10(length / count));
	const step =
		(ROUND_STEPS.find((each) => each * magnitude * count >= length * (1 - 1e-9)) ?? ROUND_STEPS[0]) * magnitude;
	const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
	return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => withoutNoise((first + index) * step));
}

/** Powers of ten, and their doubles and fives while these are few. @param {Scale} scale @param {number} count */
function logValues({ low, high }, count) {
	const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
	const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
	const all = [[1, 2, 5], [1, 5], [1]].map((digits) =>
		powers
			.flatMap((power) => digits.map((digit) => withoutNoise(digit * 10 ** power)))
			.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)),
	);
	return all.find((values) => values.length <= count + 1) ?? all[2];
}

/**
 * Drops values that are closer than `least` to the previous one: those of a logarithmic style crowd on a linear scale.
 * @param {number[]} values in order
 * @param {(value: number) => number} placeOf
 * @param {number} least in the unit of `placeOf`
 */
export function withRoom(values, placeOf, least) {
	/** @type {number[]} */
	const kept = [];
	for (const value of values) {
		const last = kept.at(-1);
		if (last === undefined || placeOf(value) - placeOf(last) >= least) kept.push(value);
	}
	return kept;
}

/** A number as people write it: `0.3`, `12,500`, `1E-7`. @param {number} value @param {string} locale */
export function numberText(value, locale) {
	const size = Math.abs(value);
	const isFar = size !== 0 && (size < 1e-4 || size >= 1e7);
	return value.toLocaleString(locale, { maximumSignificantDigits: 7, ...(isFar ? { notation: "scientific" } : {}) });
}

/** Parses a number with a decimal point or comma; null if invalid. @param {string} text */
export function parseNumber(text) {
	const plain = text.trim().replace("−", "-").replace(",", ".");
	return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(plain) ? Number(plain) : null;
}
