/**
 * Values in numbers for people; pure.
 *
 * @typedef {{ valid: number, total: number, mean: number, std: number, median: number, min: number, max: number }}
 *   Summary
 */

/**
 * @param {(number | null)[]} values
 * @returns {Summary | null} null when there is no value at all; `std` divided by the count, as the server has it
 */
export function summarise(values) {
	const valid = values.filter((value) => value !== null).sort((one, other) => one - other);
	if (valid.length === 0) return null;
	const mean = valid.reduce((sum, value) => sum + value, 0) / valid.length;
	const variance = valid.reduce((sum, value) => sum + (value - mean) ** 2, 0) / valid.length;
	const middle = (valid.length - 1) / 2;
	return {
		valid: valid.length,
		total: values.length,
		mean,
		std: Math.sqrt(variance),
		median: (valid[Math.floor(middle)] + valid[Math.ceil(middle)]) / 2,
		min: valid[0],
		max: valid[valid.length - 1],
	};
}

/**
 * A derived number for people: four significant digits, no exponent within reason.
 * @param {number} value
 * @param {string} locale
 */
export const formatNumber = (value, locale) =>
	new Intl.NumberFormat(locale, { maximumSignificantDigits: 4, useGrouping: false }).format(value);

/**
 * Formats a value without the noise of binary fractions, like the server: 0.20800000000000002 is 0.208. Nine digits
 * distinguish any two numbers of 32 bits.
 * @param {number} value @param {string} locale
 */
export const formatExact = (value, locale) =>
	new Intl.NumberFormat(locale, { maximumSignificantDigits: 9, useGrouping: false }).format(value);
