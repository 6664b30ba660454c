/**
 * The time axis that strip and chart share: its visible part, zoom and movement.
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

/** The visible window; null while there are less than two dates. */
export const shown = signal(/** @type {Window | null} */ (null));
/** The part of time that the user or a link has chosen, of whichever dates; null for as much as there is room for. */
export const chosen = signal(/** @type {Span | null} */ (null));
/** Whether there is room for all dates. */
let isRoomy = true;

/** Start and end of the visible window. @type {import("@preact/signals-core").ReadonlySignal<Span | null>} */
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
 * Shows the chosen part of time for new dates, or the dates around one of them.
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

/** Moves the window by the smallest distance so that a date is well inside. @param {number} slot */
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
 * Zooms around the pointer, or pans if the wheel turns sideways.
 * @param {WheelEvent} event
 * @param {number} share position of the pointer as a fraction of the width
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
 * Returns first and last day of a span for links; with the time if it has few days.
 * @param {Span} span
 * @returns {[from: string, to: string]}
 */
export function daysOf([from, to]) {
	const length = to - from > FEW_DAYS * DAY_MS ? 10 : 16;
	const write = (/** @type {number} */ ms) => new Date(ms).toISOString().slice(0, length) + (length > 10 ? "Z" : "");
	// A start or an end within 1 ms of midnight, after rounding, becomes that day or the day before.
	return [write(from + 1), write(to - 1)];
}

/** Joins the visible part of time with the link. */
export const joinPeriod = () =>
	joinLink({
		write: () => ({ period: chosen.value ? daysOf(chosen.value) : undefined }),
		read: ({ period }) => {
			const [from, to] = period?.map(parseSpan) ?? [];
			chosen.value = from && to ? [from.start, to.end] : null;
		},
	});
