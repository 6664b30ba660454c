/** The handle between two sides: a slider that is dragged over the map or moved by keys. */

import { make, SLIDER } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { compareMode as mode } from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import { clamp, movedBy } from "./handle-position.js";
import { isHorizontal, split } from "./second-side.js";

/** Moves the handle to the pointer. @param {HTMLElement} frame @param {PointerEvent | MouseEvent} event */
function moveTo(frame, { clientX, clientY }) {
	const { left, top, width, height } = frame.getBoundingClientRect();
	const share = isHorizontal.peek() ? (clientY - top) / height : (clientX - left) / width;
	split.value = Number(clamp(share).toFixed(3));
}

/** @param {HTMLElement} frame of the map, over which it moves */
export function makeHandle(frame) {
	const how = { ...SLIDER, class: "grip", "aria-label": text("compare.handle"), "aria-valuemax": 100 };
	const grip = make("div", how, makeIcon("compare"));
	const track = make("div", { class: "swipe" }, grip);
	track.addEventListener("pointerdown", (event) => {
		event.preventDefault();
		event.stopPropagation();
		grip.focus({ preventScroll: true });
		track.setPointerCapture(event.pointerId);
	});
	track.addEventListener("pointermove", (event) => {
		if (track.hasPointerCapture(event.pointerId)) moveTo(frame, event);
	});
	grip.addEventListener("keydown", (event) => {
		const to = movedBy(event.key, split.peek());
		if (to === null) return;
		event.preventDefault();
		event.stopPropagation();
		split.value = to;
	});
	effect(() => {
		track.hidden = mode.value !== "swipe";
		track.classList.toggle("horizontal", isHorizontal.value);
		track.style.setProperty("--split", `${split.value * 100}%`);
		grip.setAttribute("aria-orientation", isHorizontal.value ? "vertical" : "horizontal");
		grip.setAttribute("aria-valuenow", String(Math.round(split.value * 100)));
		grip.setAttribute("aria-valuetext", text("compare.handleAt", { percent: Math.round(split.value * 100) }));
	});
	return track;
}
