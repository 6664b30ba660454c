/**
 * The one axis of time that strip and chart share: which part of all dates both show, and how it is zoomed and moved.
 *
 * @typedef {import("./window.js").Window} Window
 * @typedef {[from: number, to: number]} Span milliseconds since 1970
 */
import { DAY_MS, parseSpan } from "../../base/dates.js";
import { joinLink, timeDomain } from "../../base/state.js";
import { computed, signal } from "../../vendor/signals-core.js";
import { fitWindow, followWindow, isWhole, msAt, panWindow, windowBetween, zoomWindow } from "./window.js";

/** Ends of shorter parts of time are written to the minute. */
const FEW_DAYS = 4;
const WHEEL_ZOOM = 0.0022;

/** What is shown; null while there are not two dates. */
export const shown = signal(/** @type {Window | null} */ (null));
/** The part of time that the user or a link has chosen, of whichever dates; null for as much as there is room for. */
export const chosen = signal(/** @type {Span | null} */ (null));
/** Whether all dates are what there is room for. */
let isRoomy = true;

/** When what is shown begins and ends. @type {import("@preact/signals-core").ReadonlySignal<Span | null>} */
export const shownSpan = computed(() => {
	const [window, { instants }] = [shown.value, timeDomain.value];
	return window && window.count === instants.length ? spanOf(window, instants) : null;
});

/** @param {Window} window @param {import("../../base/dates.js").Instant[]} instants @returns {Span} */
const spanOf = ({ start, length }, instants) => [msAt(instants, start), msAt(instants, start + length)];

/** @param {Window} next */
function choose(next) {
	shown.value = next;
	chosen.value = isWhole(next) && isRoomy ? null : spanOf(next, timeDomain.peek().instants);
}

/**
 * Shows of other dates the part that was chosen, else those around one of them.
 * @param {number} widthPx
 * @param {number} slot of that date
 */
export function showDates(widthPx, slot) {
	const { instants } = timeDomain.peek();
	const [first, last] = [instants[0].ms, instants[instants.length - 1].ms];
	const usual = fitWindow(instants.length, widthPx, slot);
	const span = chosen.peek();
	const isThere = span !== null && span[0] < last && span[1] > first;
	isRoomy = isWhole(usual);
	if (!isThere) chosen.value = null;
	shown.value = isThere ? windowBetween(instants, span) : usual;
}

/** Moves what is shown as little as it takes to have a date well inside. @param {number} slot */
export function followDate(slot) {
	const now = shown.peek();
	const next = now && followWindow(now, slot);
	if (!next || next === now) return;
	if (chosen.peek()) choose(next);
	else shown.value = next;
}

/** Shows a part of time; null for all of it. @param {Span | null} span */
export function showSpan(span) {
	const { instants } = timeDomain.peek();
	if (instants.length < 2) return;
	choose(windowBetween(instants, span ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]));
}

/**
 * Shows fewer dates, or more.
 * @param {number} factor above 1 for fewer
 * @param {number} share of the width that stays in place
 */
export function zoomAxis(factor, share) {
	const now = shown.peek();
	if (now) choose(zoomWindow(now, factor, Math.max(0, Math.min(1, share))));
}

/** @param {number} share of the width, to the right */
export function panAxis(share) {
	const now = shown.peek();
	if (now) choose(panWindow(now, share * now.length));
}

/**
 * Zooms about the pointer, or pans when the wheel turns sideways.
 * @param {WheelEvent} event
 * @param {number} share of the width where the pointer is
 * @param {number} widthPx
 */
export function turnWheel(event, share, widthPx) {
	event.preventDefault();
	const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
	const [dx, dy] = [event.deltaX * lines, event.deltaY * lines];
	if (Math.abs(dx) > Math.abs(dy) || event.shiftKey) panAxis((dx || dy) / widthPx);
	else zoomAxis(Math.exp(-dy * WHEEL_ZOOM), share);
}

/**
 * First and last day of what is shown, as links name them; of few days with their time.
 * @param {Span} span
 * @returns {[from: string, to: string]}
 */
export function daysOf([from, to]) {
	const length = to - from > FEW_DAYS * DAY_MS ? 10 : 16;
	const write = (/** @type {number} */ ms) => new Date(ms).toISOString().slice(0, length) + (length > 10 ? "Z" : "");
	// What begins at midnight, but for what a division leaves, begins with that day and ends with the day before.
	return [write(from + 1), write(to - 1)];
}

/** What a link says of the part of time that is shown, and hears of it. */
export const joinPeriod = () =>
	joinLink({
		write: () => ({ period: chosen.value ? daysOf(chosen.value) : undefined }),
		read: ({ period }) => {
			const [from, to] = period?.map(parseSpan) ?? [];
			chosen.value = from && to ? [from.start, to.end] : null;
		},
	});
