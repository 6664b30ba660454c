/** Summaries of many measurements. */

/** The value that a share of the values do not exceed. @param {number[]} values @param {number} share from 0 to 1 */
export function percentile(values, share) {
	const sorted = [...values].sort((one, other) => one - other);
	return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** @param {number[]} values */
export const median = (values) => percentile(values, 0.5);

/** @param {number[]} values */
export const most = (values) => values.reduce((one, other) => Math.max(one, other), 0);
