/** The comparison bar: sides and mode; and the controls of a comparison on the map. */

import { make, makeIconButton } from "../base/elements.js";
import { chooseCompareMode, dismiss, compareMode as mode, notify, sideB } from "../base/state.js";
import { text } from "../base/text.js";
import { raiseSheet } from "../shell/sheet.js";
import { effect } from "../vendor/signals-core.js";
import { makeCard, makeDifferenceCard } from "./cards.js";
import { makeDateMenu } from "./date-menu.js";
import { makeSentence } from "./halves.js";
import { makeHandle } from "./handle.js";
import { canSubtract, compare, MODES, split, startSides, stopComparing } from "./second-side.js";

/** @typedef {import("../base/permalink.js").CompareMode} CompareMode */
/** @typedef {{ bar: HTMLElement, frame: HTMLElement, button: HTMLElement }} Page */

/** @type {Record<CompareMode, import("../base/text.js").TextKey>} */
const MODE_TEXTS = {
	swipe: "compare.swipe",
	side: "compare.side",
	opacity: "compare.opacity",
	spy: "compare.spy",
	diff: "compare.difference",
};

/** @param {Page} page @param {boolean} isOpened whether the user opened it, and not a link */
export function startCompare({ bar, frame, button }, isOpened) {
	frame.append(makeCard("a"), makeCard("b"), makeDifferenceCard(), makeHandle(frame));
	bar.setAttribute("role", "group");
	bar.setAttribute("aria-label", text("compare.title"));
	const end = makeIconButton("close", text("compare.end"), () => {
		stopComparing();
		button.focus();
	});
	bar.append(makeSentence(bar), makeModes(), makeFade(), makeDateMenu(bar), end);
	effect(() => {
		bar.hidden = sideB.value === null;
		button.setAttribute("aria-expanded", String(!bar.hidden));
	});
	startSides();
	button.addEventListener("click", () => {
		if (sideB.peek()) stopComparing();
		else open();
	});
	if (isOpened && !sideB.peek()) open();
}

/** Starts a comparison and scrolls to its controls. */
function open() {
	void compare("swipe");
	raiseSheet("middle");
}

function makeModes() {
	const options = MODES.map((each) => new Option(text(MODE_TEXTS[each]), each));
	const select = make("select", { class: "modes", "aria-label": text("compare.mode") }, ...options);
	select.addEventListener("change", () => {
		chooseCompareMode(/** @type {CompareMode} */ (select.value));
	});
	effect(() => {
		select.value = mode.value ?? "";
	});
	effect(() => {
		options[MODES.indexOf("diff")].disabled = canSubtract.value === false;
		if (canSubtract.value) dismiss("difference");
		if (canSubtract.value !== false || mode.value !== "diff") return;
		chooseCompareMode("swipe");
		notify("difference", text("compare.noDifference"));
	});
	return select;
}

/** Returns the slider for the opacity of B over A. */
function makeFade() {
	const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": text("compare.fade") });
	const field = make("div", { class: "fade" }, "A", slider, "B");
	slider.addEventListener("input", () => {
		split.value = Number(slider.value);
	});
	effect(() => {
		field.hidden = mode.value !== "opacity";
		slider.value = String(split.value);
	});
	return field;
}
