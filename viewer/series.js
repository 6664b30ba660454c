/**
 * What the chart needs to know of a series before it draws; pure.
 *
 * @typedef {{ valid: number, total: number, mean: number, low: number, high: number }} Summary
 */

/** @param {(number | null)[]} values @returns {Summary | null} null when there is no value at all */
export function summarise(values) {
	const valid = values.filter((value) => value !== null);
	if (valid.length === 0) return null;
	const sum = valid.reduce((total, value) => total + value, 0);
	return {
		valid: valid.length,
		total: values.length,
		mean: sum / valid.length,
		low: valid.reduce((low, value) => Math.min(low, value)),
		high: valid.reduce((high, value) => Math.max(high, value)),
	};
}

/**
 * Ends of the chart's value axis: the values with a margin, and room around values that are all one.
 * @param {number} low @param {number} high @returns {[number, number]}
 */
export function valueRange(low, high) {
	const margin = high > low ? (high - low) * 0.08 : Math.max(Math.abs(low) * 0.1, 0.1);
	return [low - margin, high + margin];
}

/** A derived number for people: four significant digits, no exponent within reason. @param {number} value @param {string} locale */
export const formatNumber = (value, locale) =>
	new Intl.NumberFormat(locale, { maximumSignificantDigits: 4, useGrouping: false }).format(value);

/** A value without the noise of binary fractions: 0.20800000000000002 is 0.208. @param {number} value */
export const withoutNoise = (value) => Number(value.toPrecision(7));

/** "51.2194° N, 4.4025° E". @param {{ lon: number, lat: number }} point */
export function formatPlace({ lon, lat }) {
	const north = `${Math.abs(lat).toFixed(4)}° ${lat < 0 ? "S" : "N"}`;
	return `${north}, ${Math.abs(lon).toFixed(4)}° ${lon < 0 ? "W" : "E"}`;
}
