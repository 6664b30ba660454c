/**
 * The sheet of narrow windows: the parts that are next to the map in wide windows are below it here, and the sheet is
 * drawn up to one of three heights. Parts are moved, not created again, so selections and typed text stay.
 *
 * @typedef {"low" | "middle" | "high"} Stop
 */
import { places } from "../base/state.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";

const NARROW = "(max-width: 47.99rem), (max-height: 31.24rem)";

/** @type {Stop[]} */
const STOPS = ["low", "middle", "high"];

/** Limits between the stops, in shares of the height of the window: a drag ends at the stop of its range. */
const EDGES = [0.4, 0.68];

/** A press with less movement is a click. */
const DRAG_PX = 6;

/** Parts that move into the sheet: the first goes above the date, the others below it. */
const PARTS = [".notices", "#compare-bar", "#chart", "#panel"];

/** The current stop. */
export const stop = signal(/** @type {Stop} */ ("low"));

/** Draws the sheet up to a stop or higher. @param {Stop} least */
export function raiseSheet(least) {
	if (STOPS.indexOf(stop.peek()) < STOPS.indexOf(least)) stop.value = least;
}

/** @param {HTMLElement} sheet @param {HTMLButtonElement} handle */
export function startSheet(sheet, handle) {
	const narrow = window.matchMedia(NARROW);
	const homes = PARTS.map((selector) => {
		const part = /** @type {HTMLElement} */ (document.querySelector(selector));
		const mark = document.createComment(selector);
		part.before(mark);
		return { part, mark };
	});
	const take = () => {
		handle.hidden = !narrow.matches;
		const [above, ...below] = homes.map(({ part }) => part);
		if (narrow.matches) {
			handle.after(above);
			sheet.append(...below);
			return;
		}
		for (const { part, mark } of homes) mark.after(part);
		sheet.style.removeProperty("height");
	};
	narrow.addEventListener("change", take);
	take();
	effect(() => {
		sheet.dataset.stop = stop.value;
		/** @type {HTMLElement} */ (sheet.parentElement).dataset.sheet = stop.value;
		handle.setAttribute("aria-label", text(`shell.sheet.${stop.value}`));
		sheet.scrollTop = 0;
	});
	startHandle(sheet, handle);
	let known = 0;
	effect(() => {
		const { length } = places.value;
		if (length > known) raiseSheet("high");
		known = length;
	});
}

/**
 * A click goes to the next stop, from the last to the first; a drag to the nearest; arrow keys up and down.
 * @param {HTMLElement} sheet
 * @param {HTMLButtonElement} handle
 */
function startHandle(sheet, handle) {
	/** @type {{ y: number, height: number, isDragged: boolean } | null} */
	let held = null;
	handle.addEventListener("pointerdown", (event) => {
		handle.setPointerCapture(event.pointerId);
		held = { y: event.clientY, height: sheet.getBoundingClientRect().height, isDragged: false };
	});
	handle.addEventListener("pointermove", (event) => {
		if (!held) return;
		const moved = held.y - event.clientY;
		held.isDragged ||= Math.abs(moved) > DRAG_PX;
		if (held.isDragged) sheet.style.height = `${Math.max(60, held.height + moved)}px`;
	});
	handle.addEventListener("lostpointercapture", () => {
		if (held?.isDragged) {
			const share = sheet.getBoundingClientRect().height / window.innerHeight;
			stop.value = STOPS[EDGES.filter((edge) => share > edge).length];
		}
		sheet.style.removeProperty("height");
	});
	handle.addEventListener("click", () => {
		if (!held?.isDragged) stop.value = STOPS[(STOPS.indexOf(stop.peek()) + 1) % STOPS.length];
		held = null;
	});
	handle.addEventListener("keydown", (event) => {
		const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
		if (step === undefined) return;
		event.preventDefault();
		stop.value = STOPS[Math.max(0, Math.min(STOPS.length - 1, STOPS.indexOf(stop.peek()) + step))];
	});
}
