/**
 * The dates of a layer in a period of the calendar. Pure.
 *
 * A date that is a period itself belongs to each period of the calendar that it overlaps, like in the maps of the
 * server.
 *
 * @typedef {import("../../base/dates.js").Instant} Instant
 * @typedef {import("../../base/dates.js").Slot} Slot
 */
import { DAY_MS, endOf, periodText, startOf } from "../../ctc1/periods.js";

/** For dates with larger gaps, normals are those of months, as on the server. */
const MONTHLY_MS = 28 * DAY_MS;

/**
 * Returns the periods that overlap dates, and the indexes of these dates.
 * @param {Instant[]} dates
 * @param {Slot} slot
 * @returns {{ instants: Instant[], members: number[][] }}
 */
export function periodsOf(dates, slot) {
	/** @type {Map<number, number[]>} */
	const indexesByStart = new Map();
	for (const [index, { ms, end }] of dates.entries()) {
		for (let start = startOf(slot, ms); start < end; start = endOf(slot, start))
			indexesByStart.set(start, [...(indexesByStart.get(start) ?? []), index]);
	}
	const starts = [...indexesByStart.keys()].sort((one, other) => one - other);
	return {
		instants: starts.map((ms) => ({ text: periodText(slot, ms), ms, end: endOf(slot, ms), slot })),
		members: starts.map((start) => indexesByStart.get(start) ?? []),
	};
}

/**
 * Returns the index of the date with the largest known fraction of values; the newest if several are equal.
 * @param {number[]} members
 * @param {(number | null)[]} shares
 */
export const clearestOf = (members, shares) =>
	members.reduce((best, index) => ((shares[index] ?? -1) >= (shares[best] ?? -1) ? index : best));

/** Returns the part of the year for normals of single dates. @param {Instant[]} dates @returns {Slot} */
export function usualSlot(dates) {
	const gaps = dates.slice(1).map(({ ms }, at) => ms - dates[at].ms);
	const middle = gaps.sort((one, other) => one - other)[gaps.length >> 1] ?? 0;
	return middle >= MONTHLY_MS ? "month" : "dekad";
}
