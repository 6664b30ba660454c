/**
 * The sheet of narrow windows: what stands beside the map in wide ones lies below it here, and is drawn up to one of
 * three heights. Each part is moved, not made twice: what has been chosen or typed stays.
 *
 * @typedef {"low" | "middle" | "high"} Stop
 */
import { places } from "../base/state.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";

const NARROW = "(max-width: 47.99rem), (max-height: 31.24rem)";

/** @type {Stop[]} */
const STOPS = ["low", "middle", "high"];

/** Shares of the window's height between which a drag that ends there goes to the stop. */
const EDGES = [0.4, 0.68];

/** A press that moves less than this is a click. */
const DRAG_PX = 6;

/** How far up the sheet is drawn. */
export const stop = signal(/** @type {Stop} */ ("low"));

/** Draws the sheet up at least as far. @param {Stop} least */
export function raiseSheet(least) {
	if (STOPS.indexOf(stop.peek()) < STOPS.indexOf(least)) stop.value = least;
}

/** @param {HTMLElement} sheet @param {HTMLButtonElement} handle */
export function startSheet(sheet, handle) {
	const narrow = window.matchMedia(NARROW);
	const goHome = rememberHomes(sheet);
	const take = () => {
		handle.hidden = !narrow.matches;
		if (narrow.matches) layOut(sheet, handle);
		else goHome();
	};
	narrow.addEventListener("change", take);
	take();
	effect(() => {
		sheet.dataset.stop = stop.value;
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

/** What lies in the sheet beside what stands there always, above and below the date. */
const ABOVE = ".notices";
const BELOW = ["#compare-bar", "#chart", "#panel"];

/** @param {HTMLElement} sheet @param {HTMLElement} handle */
function layOut(sheet, handle) {
	const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
	handle.after(find(ABOVE));
	sheet.append(...BELOW.map(find));
}

/** Gives back what brings all to where it was in the page. @param {HTMLElement} sheet */
function rememberHomes(sheet) {
	const homes = [ABOVE, ...BELOW].map((selector) => {
		const part = /** @type {HTMLElement} */ (document.querySelector(selector));
		const mark = document.createComment(selector);
		part.before(mark);
		return { part, mark };
	});
	return () => {
		for (const { part, mark } of homes) mark.after(part);
		sheet.style.removeProperty("height");
	};
}

/** A press goes to the next stop and after the last to the first; a drag to the nearest; the arrows up and down. @param {HTMLElement} sheet @param {HTMLButtonElement} handle */
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
