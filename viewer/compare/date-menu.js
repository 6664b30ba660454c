/** The menu for B relative to A: the same date, a year earlier, usual values; and the button that swaps the sides. */

import { make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { chooseTime, hasAmounts, compareMode as mode, notify, sideA, sideB } from "../base/state.js";
import { text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { batch, effect } from "../vendor/signals-core.js";
import { indexYearsAfter } from "./offset.js";
import { isHorizontal, showUsual, swapSides } from "./second-side.js";

/** @typedef {import("../base/state.js").Side} Side */
/**
 * @typedef
 *   {{ name: import("../base/text.js").TextKey, canBe: (side: Side) => boolean, isSo: (side: Side) => boolean,
 *   choose: (side: Side) => void }}
 *   Choice
 */

/**
 * Returns the choice of B some years after A.
 * @param {import("../base/text.js").TextKey} name
 * @param {number} years
 * @returns {Choice}
 */
function yearsAfter(name, years) {
	const indexFor = (/** @type {Side} */ side) => {
		const from = sideA.instant.value;
		return from ? indexYearsAfter(side.timeDomain.value.instants, from.ms, years) : -1;
	};
	return {
		name,
		canBe: (side) => indexFor(side) >= 0,
		isSo: (side) => !side.isUsual.value && side.timeIndex.value === indexFor(side),
		choose: (side) => {
			showUsual(side, false);
			chooseTime(indexFor(side), side);
		},
	};
}

/** Choices for B; the menu shows the name of the current one. @type {Choice[]} */
const CHOICES = [
	yearsAfter("compare.sameDate", 0),
	yearsAfter("compare.yearBack", -1),
	{
		name: "compare.usual",
		canBe: (side) => hasAmounts(side) !== false && side.timeDomain.value.instants.length > 0,
		isSo: ({ isUsual }) => isUsual.value,
		choose: (side) => showUsual(side, true),
	},
];

/** @param {HTMLElement} host parent of the menu */
export function makeDateMenu(host) {
	const popover = makePopover("compare-menu", { label: text("compare.menu"), host });
	const words = make("span", {});
	const button = make(
		"button",
		{ class: "menu", "aria-haspopup": "dialog", "aria-expanded": "false", title: text("compare.menu") },
		words,
		makeIcon("more"),
	);
	toggleBy(button, popover);
	const row = (/** @type {import("../base/text.js").TextKey} */ name, /** @type {() => void} */ run) => {
		const press = () => {
			popover.close();
			run();
		};
		return make("button", { class: "quiet", onclick: press }, text(name));
	};
	effect(() => {
		const side = sideB.value;
		if (!side?.isUsual.value || hasAmounts(side) !== false) return;
		showUsual(side, false);
		notify("usual", text("period.noUsual", { layer: side.layer.peek()?.title ?? "" }));
	});
	const choices = CHOICES.map((choice) => {
		const element = row(choice.name, () => sideB.peek() && choice.choose(/** @type {Side} */ (sideB.peek())));
		effect(() => {
			const side = sideB.value;
			element.disabled = !side || !choice.canBe(side);
			element.setAttribute("aria-pressed", String(side !== null && choice.canBe(side) && choice.isSo(side)));
		});
		return element;
	});
	const turn = row("compare.turn", () => {
		isHorizontal.value = !isHorizontal.peek();
	});
	popover.element.append(
		...choices,
		row("compare.swap", () => batch(swapSides)),
		turn,
	);
	effect(() => {
		turn.hidden = mode.value !== "swipe";
		const side = sideB.value;
		const is = side && CHOICES.find((choice) => choice.canBe(side) && choice.isSo(side));
		words.textContent = text(is ? is.name : "compare.otherDate");
	});
	return button;
}
