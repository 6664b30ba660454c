/**
 * Periods instead of dates: their method, and their parameters in links.
 *
 * @typedef {import("../../base/dates.js").Slot} Slot
 * @typedef {import("../../base/permalink.js").Method} Method
 * @typedef {import("../../base/state.js").Side} Side
 * @typedef {import("../../base/state.js").TimeDomain} TimeDomain
 */
import { isStatic } from "../../base/api.js";
import { yearOf } from "../../base/dates.js";
import {
	AS_STYLED,
	changeDates,
	comparedSides,
	hasAmounts,
	joinLink,
	recolour,
	regroup,
	setGrouping,
	setTimeIndex,
	sideA,
} from "../../base/state.js";
import { partOfYear } from "../../ctc1/periods.js";
import { effect, signal, untracked } from "../../vendor/signals-core.js";
import { wholeShares } from "../shares.js";
import { clearestOf, periodsOf, usualSlot } from "./members.js";
import { cubesOfPeriods } from "./period-cubes.js";

/** @type {Slot[]} */
export const SLOTS = ["dekad", "month", "season", "year"];
/** @type {Method[]} */
export const METHODS = ["clearest", "latest", "median", "max", "anomaly"];
/** Methods for classes and composites, which have no values to compute with. */
const CHOSEN_METHODS = METHODS.slice(0, 2);
/** @type {Method} the server's, too */
const USUAL_METHOD = "latest";

/** The shown periods and their method; null while single dates are shown. */
export const period = signal(/** @type {{ slot: Slot, method: Method } | null} */ (null));

/** Returns the methods for a side's layer. @param {Side} side */
export function methodsOf(side) {
	const able = hasAmounts(side) === false ? CHOSEN_METHODS : METHODS;
	// Static sites have no fractions to find the clearest date.
	return isStatic ? able.filter((each) => each !== "clearest") : able;
}

/** @param {Side} side @returns {TimeDomain | null} */
function group(side) {
	const [domain, isUsual, chosen] = [side.dates.value, side.isUsual.value, period.value];
	if (!chosen && !isUsual) return null;
	const { instants: dates, validShares } = domain;
	if (domain.phase !== "ready" || dates.length === 0) return domain;
	const slot = chosen?.slot ?? usualSlot(dates);
	const chosenMethod = chosen?.method ?? USUAL_METHOD;
	// The legend follows the method.
	const supported = untracked(() => methodsOf(side)).includes(chosenMethod) ? chosenMethod : USUAL_METHOD;
	const usual = chosen ? "usual" : "usual_dates";
	const method = isUsual ? usual : supported;
	const { instants, members } = periodsOf(dates, slot);
	const [first, last] = [yearOf(dates[0].ms), yearOf(dates[dates.length - 1].ms)];
	const shown =
		method === "clearest"
			? instants.map((each, at) => ({ ...each, text: dates[clearestOf(members[at], validShares)].text }))
			: instants;
	/** @type {Omit<import("../../base/state.js").Periods, "cubes">} */
	const periods = {
		slot,
		method,
		by: chosenMethod === "median" || chosenMethod === "max" ? chosenMethod : "mean",
		dates,
		members,
		partOfYear: instants.map(({ ms }) => partOfYear(slot, ms)),
		years: first === last ? String(first) : `${first}–${last}`,
	};
	const best = members.map((indexes) => clearestOf(indexes, validShares));
	return {
		phase: "ready",
		why: "",
		instants: shown,
		// Together dates have at least as much as the clearest one.
		validShares: best.map((index) => validShares[index]),
		periods: { ...periods, cubes: cubesOfPeriods(periods, shown, isStatic) },
	};
}

/** @param {{ slot: Slot, method: Method } | null} next null: single dates */
export function choosePeriod(next) {
	const before = period.peek();
	if (next?.slot === before?.slot && next?.method === before?.method) return;
	regroup(() => {
		if (!before) changeDates(sideA, { validShares: wholeShares() });
		// An anomaly has another scale.
		if ((next?.method === "anomaly") !== (before?.method === "anomaly")) {
			for (const side of comparedSides.peek()) recolour(side, AS_STYLED);
		}
		period.value = next;
	});
}

export function startGrouping() {
	joinLink({
		write: () => ({
			slot: period.value?.slot,
			reducer: period.value?.method === USUAL_METHOD ? undefined : period.value?.method,
		}),
		read: ({ slot, reducer = USUAL_METHOD }) => {
			if (slot === period.peek()?.slot && (!slot || reducer === period.peek()?.method)) return;
			// The layer that a link names is opened next, at its date.
			setTimeIndex(sideA, -1);
			period.value = slot ? { slot, method: reducer } : null;
		},
	});
	setGrouping(group);
	// Whether a layer has classes is known when its legend is loaded.
	effect(() => {
		const chosen = period.value;
		if (chosen && !methodsOf(sideA).includes(chosen.method)) choosePeriod({ ...chosen, method: USUAL_METHOD });
	});
}
