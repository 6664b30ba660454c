/** The colours of a difference and how far they reach, which is typed. */

import { colours, cssColour } from "../base/colours.js";
import { make, makeIconButton } from "../base/elements.js";
import { compareMode } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { numberText } from "../base/value-scale.js";
import { effect } from "../vendor/signals-core.js";
import { differenceRange, shownDifference } from "./second-side.js";

/** Colours of the strip, from the lower end to the upper one. */
const STEPS = 16;

export function makeDifferenceScale() {
	const strip = make("div", { class: "strip-of-colours", role: "img" });
	const input = make("input", { type: "number", min: 0, step: "any", "aria-label": text("compare.reach") });
	const reset = makeIconButton("reset", text("compare.reachReset"), () => {
		differenceRange.value = null;
	});
	input.addEventListener("change", () => {
		const reach = Math.abs(Number(input.value));
		differenceRange.value = reach > 0 && Number.isFinite(reach) ? [-reach, reach] : null;
	});
	effect(() => {
		const style = shownDifference.value;
		if (!style) return;
		const [low, high] = style.range;
		const colourOf = colours(style);
		const stops = Array.from({ length: STEPS + 1 }, (_, step) =>
			cssColour(colourOf(low + (step / STEPS) * (high - low))),
		);
		strip.style.setProperty("--ramp", `linear-gradient(to right, ${stops.join(", ")})`);
		const [least, most] = [low, high].map((value) => numberText(value, locale()));
		strip.setAttribute(
			"aria-label",
			text("legend.spoken", { title: text("compare.difference"), low: least, high: most }),
		);
		if (document.activeElement !== input) input.value = String(Number(high.toPrecision(6)));
		reset.disabled = differenceRange.value === null;
	});
	const scale = make("div", { class: "difference-scale" }, text("compare.bLessA"), strip, "±", input, reset);
	effect(() => {
		scale.hidden = compareMode.value !== "diff";
	});
	return scale;
}
