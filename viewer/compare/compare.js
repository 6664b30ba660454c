/** The bar of comparisons: which mode, what the second side shows, and what lies on the map beside the pictures. */

import { formatShortDate } from "../base/dates.js";
import { make, makeIconButton } from "../base/elements.js";
import { chooseLayer, chooseStyle, chooseTime, layers, compareMode as mode, sideA, sideB } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { renderLegend } from "../layers/legend.js";
import { raiseSheet } from "../shell/sheet.js";
import { batch, effect } from "../vendor/signals-core.js";
import { makeDifferenceScale } from "./difference-scale.js";
import { makeHandle, makeRail } from "./handle.js";
import { addYears } from "./offset.js";
import { compare, isHorizontal, joinLinks, MODES, split, stopComparing, swapSides } from "./second-side.js";

/** @typedef {import("../base/permalink.js").CompareMode} CompareMode */
/** @typedef {import("../base/state.js").Side} Side */
/** @typedef {{ bar: HTMLElement, frame: HTMLElement, button: HTMLElement }} Page */

/** @type {Record<CompareMode, import("../base/text.js").TextKey>} */
const MODE_TEXTS = {
	swipe: "compare.swipe",
	side: "compare.side",
	opacity: "compare.opacity",
	spy: "compare.spy",
	diff: "compare.difference",
};

/** @param {Page} page @param {boolean} isOpened whether the user has opened it, and no link */
export function startCompare({ bar, frame, button }, isOpened) {
	frame.append(makeHandle(frame), makeRail(frame), makeTag("a"), makeTag("b"));
	bar.setAttribute("role", "group");
	bar.setAttribute("aria-label", text("compare.title"));
	bar.append(modeButtons(), fadeField(), makeDifferenceScale(), sideFields(), endButtons(button));
	effect(() => {
		bar.hidden = sideB.value === null;
		button.setAttribute("aria-expanded", String(!bar.hidden));
	});
	joinLinks();
	button.addEventListener("click", () => {
		if (sideB.peek()) stopComparing();
		else open();
	});
	if (isOpened && !sideB.peek()) open();
}

/** Begins a comparison, with all of its controls in sight. */
function open() {
	void compare("swipe");
	raiseSheet("middle");
}

/** One button a mode, of which one is pressed. */
function modeButtons() {
	const group = make("div", { class: "joined modes", role: "group", "aria-label": text("compare.mode") });
	for (const each of MODES) {
		const choose = () => {
			mode.value = each;
		};
		const button = make("button", { type: "button", "data-mode": each, onclick: choose }, text(MODE_TEXTS[each]));
		effect(() => button.setAttribute("aria-pressed", String(mode.value === each)));
		group.append(button);
	}
	return group;
}

/** How much of B is seen over A, while the two are faded. */
function fadeField() {
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

/** What the second side shows: its layer, its style and its date. */
function sideFields() {
	const layer = make("select", { "aria-label": text("compare.layer") });
	const style = make("select", { "aria-label": text("compare.style") });
	const date = make("select", { "aria-label": text("compare.date"), class: "date" });
	const onSide = (/** @type {(side: Side) => void} */ act) => () => {
		const side = sideB.peek();
		if (side) act(side);
	};
	const step = (/** @type {number} */ by) => onSide((side) => chooseTime(side.timeIndex.peek() + by, side));
	layer.addEventListener(
		"change",
		onSide((side) => chooseLayer(layer.value, side)),
	);
	style.addEventListener(
		"change",
		onSide((side) => chooseStyle(style.value, side)),
	);
	date.addEventListener(
		"change",
		onSide((side) => chooseTime(Number(date.value), side)),
	);
	const dates = make(
		"div",
		{ class: "joined" },
		makeIconButton("chevron-left", text("compare.previous"), step(-1)),
		date,
		makeIconButton("chevron-right", text("compare.next"), step(1)),
	);
	effect(() => {
		const of = sideB.value?.layer.value;
		layer.replaceChildren(...layers.value.map(({ id, title }) => new Option(title, id)));
		layer.value = of?.id ?? "";
		style.replaceChildren(...(of?.styles ?? []).map(({ id, title }) => new Option(title, id)));
		style.value = sideB.value?.style.value ?? "";
		style.hidden = (of?.styles.length ?? 0) < 2;
	});
	effect(() => {
		const instants = sideB.value?.timeDomain.value.instants ?? [];
		date.replaceChildren(...instants.map(({ ms }, index) => new Option(formatShortDate(ms, locale()), String(index))));
		dates.hidden = instants.length === 0;
	});
	effect(() => {
		const index = sideB.value?.timeIndex.value ?? -1;
		void sideB.value?.timeDomain.value;
		date.value = String(index);
	});
	return make(
		"div",
		{ class: "side-b" },
		make("b", { class: "chip" }, "B"),
		layer,
		style,
		dates,
		yearButtons(),
		coloursOfB(),
	);
}

/** The legend of the second side, in which its colours are changed as those of the first are in the panel. */
function coloursOfB() {
	const legend = make("div", {});
	const details = make("details", { class: "colours-b" }, make("summary", {}, text("compare.colours")), legend);
	effect(() => {
		const side = sideB.value;
		details.hidden = side === null || mode.value === "diff";
		if (side) return renderLegend(side, legend);
	});
	return details;
}

/** The same time of the year before and of the year after. */
function yearButtons() {
	const go = (/** @type {number} */ years) => () => {
		const side = sideB.peek();
		const from = sideA.instant.peek();
		const { instants } = side?.timeDomain.peek() ?? { instants: [] };
		if (!side || !from) return;
		const wanted = addYears(from.ms, years);
		const index = instants.findIndex(({ ms }) => Math.abs(ms - wanted) < 16 * 86_400_000);
		if (index >= 0) chooseTime(nearestTo(instants, wanted), side);
	};
	return make(
		"div",
		{ class: "joined years" },
		make("button", { type: "button", onclick: go(-1) }, text("compare.yearBefore")),
		make("button", { type: "button", onclick: go(1) }, text("compare.yearAfter")),
	);
}

/** @param {import("../base/dates.js").Instant[]} instants @param {number} ms */
const nearestTo = (instants, ms) =>
	instants.reduce(
		(best, { ms: each }, index) => (Math.abs(each - ms) < Math.abs(instants[best].ms - ms) ? index : best),
		0,
	);

/** Turning the handle, swapping the sides, ending. @param {HTMLElement} opener gets the focus back */
function endButtons(opener) {
	const turn = makeIconButton("compare", text("compare.turn"), () => {
		isHorizontal.value = !isHorizontal.peek();
	});
	effect(() => {
		turn.hidden = mode.value !== "swipe";
		turn.setAttribute("aria-pressed", String(isHorizontal.value));
	});
	const end = () => {
		stopComparing();
		opener.focus();
	};
	return make(
		"div",
		{ class: "ends" },
		turn,
		makeIconButton("swap", text("compare.swap"), () => batch(swapSides)),
		makeIconButton("close", text("compare.end"), end),
	);
}

/** Which side a part of the map shows, and of when. @param {"a" | "b"} id */
function makeTag(id) {
	const tag = make("p", { class: `side-tag ${id}` });
	effect(() => {
		const side = id === "a" ? sideA : sideB.value;
		tag.hidden = sideB.value === null || mode.value === "spy";
		const date = side?.instant.value;
		const title = side?.layer.value?.title ?? "";
		const words = date ? text("map.showing", { layer: title, date: formatShortDate(date.ms, locale()) }) : title;
		tag.replaceChildren(make("b", {}, id.toUpperCase()), ` ${words}`);
	});
	return tag;
}
