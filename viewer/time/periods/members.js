/**
 * Which dates of a layer a period of the calendar is made of. Pure.
 *
 * A date that is a period itself belongs to each period of the calendar with which it shares a moment, as in the
 * server's maps.
 *
 * @typedef {import("../../base/dates.js").Instant} Instant
 * @typedef {import("../../base/dates.js").Slot} Slot
 */
import { DAY_MS, endOf, periodText, startOf } from "../../ctc1/periods.js";

/** Of dates that are further apart, what is usual is that of a month, as the server's normals are. */
const MONTHLY_MS = 28 * DAY_MS;

/**
 * The periods that share a moment with dates, and the indexes of those.
 * @param {Instant[]} dates
 * @param {Slot} slot
 * @returns {{ instants: Instant[], members: number[][] }}
 */
export function periodsOf(dates, slot) {
	/** @type {Map<number, number[]>} */
	const found = new Map();
	for (const [index, { ms, end }] of dates.entries()) {
		for (let start = startOf(slot, ms); start < end; start = endOf(slot, start))
			found.set(start, [...(found.get(start) ?? []), index]);
	}
	const starts = [...found.keys()].sort((one, other) => one - other);
	return {
		instants: starts.map((ms) => ({ text: periodText(slot, ms), ms, end: endOf(slot, ms), slot })),
		members: starts.map((start) => found.get(start) ?? []),
	};
}

/**
 * The index of the date of which most is known to have a value; of equal ones the newest.
 * @param {number[]} members
 * @param {(number | null)[]} shares
 */
export const clearestOf = (members, shares) =>
	members.reduce((best, index) => ((shares[index] ?? -1) >= (shares[best] ?? -1) ? index : best));

/** Of which parts of the year single dates have a usual value. @param {Instant[]} dates @returns {Slot} */
export function usualSlot(dates) {
	const gaps = dates.slice(1).map(({ ms }, at) => ms - dates[at].ms);
	const middle = gaps.sort((one, other) => one - other)[gaps.length >> 1] ?? 0;
	return middle >= MONTHLY_MS ? "month" : "dekad";
}
