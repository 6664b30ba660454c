/** How densely a side is drawn, as a slider. */

import { make } from "../base/elements.js";
import { live } from "../base/live.js";
import { setOpacity } from "../base/state.js";
import { percent } from "../base/text.js";

/** @param {import("../base/state.js").Side} side @returns {{ element: HTMLElement, input: HTMLInputElement }} */
export function makeOpacity(side) {
	const input = make("input", { type: "range", min: 0, max: 100, step: 1 });
	const told = make("output", {});
	input.addEventListener("input", () => {
		setOpacity(side, Number(input.value) / 100);
	});
	live(() => {
		input.value = String(Math.round(side.opacity.value * 100));
		told.textContent = percent(side.opacity.value);
		input.setAttribute("aria-valuetext", told.textContent);
	});
	return { element: make("div", { class: "opacity" }, input, told), input };
}
