/**
 * The choice of a side's colours: the styles of its layer, and the ramps of all other styles, each as it looks.
 *
 * @typedef {import("../base/api.js").Ramp} Ramp
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {{ kind: "style" | "ramp", id: string, title: string, ramp: Ramp | null }} Choice
 */
import { fetchRamps } from "../base/api.js";
import { cssColour, paintedStyle, parseColour } from "../base/colours.js";
import { make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { live } from "../base/live.js";
import { chooseStyle, notify } from "../base/state.js";
import { text } from "../base/text.js";
import { shareOf } from "../base/value-scale.js";
import { computed, signal } from "../vendor/signals-core.js";
import { changeColouring, setLog } from "./colouring.js";

/** The list is no narrower, and as far from the edges of the window. */
const LEAST_WIDTH_PX = 240;
const EDGE_PX = 8;

const ramps = signal(/** @type {Ramp[]} */ ([]));

async function loadRamps() {
	if (ramps.peek().length > 0) return;
	try {
		ramps.value = await fetchRamps(new AbortController().signal);
	} catch (error) {
		notify("ramps", text("legend.rampsFailed", { why: /** @type {Error} */ (error).message }));
	}
}

/**
 * Colours side by side over a scale, as a background.
 * @param {import("../base/value-scale.js").Scale} scale
 * @param {{ value: number, rgba: import("../base/colours.js").Rgba }[]} stops
 */
function gradient(scale, stops) {
	const parts = stops.map(({ value, rgba }) => `${cssColour(rgba)} ${(100 * shareOf(scale, value)).toFixed(2)}%`);
	return `linear-gradient(to right, ${parts.join(", ")})`;
}

/** @param {Ramp} ramp */
function rampGradient({ range: [low, high], stops }) {
	const painted = stops.map(({ value, color }) => ({ value, rgba: parseColour(color) }));
	return gradient({ low, high, isLog: false }, painted);
}

/** Returns the CSS gradient of a style. @param {import("../base/colours.js").PaintedStyle} style */
function styleGradient({ stops, classes, range: [low, high], isLog }) {
	if (stops.length > 0) return gradient({ low, high, isLog }, stops);
	const blocks = classes.flatMap(({ rgba }, at) => [at, at + 1].map((value) => ({ value, rgba })));
	return gradient({ low: 0, high: Math.max(1, classes.length), isLog: false }, blocks);
}

/** @param {string} background */
function makeSwatch(background) {
	const swatch = make("span", { class: "palette-swatch" });
	swatch.style.setProperty("--ramp", background);
	return swatch;
}

/** Makes the button with the chosen palette, and its list. @param {Side} side */
export function makePalettes(side) {
	const id = `palette-${side.id}`;
	const list = make("ul", { id: `${id}-list`, role: "listbox", tabindex: -1, "aria-label": text("legend.palette") });
	const popover = make("div", { class: "palette-popover", popover: "auto" }, list, makeSwitches(side));
	const swatch = makeSwatch("none");
	const name = make("span", { class: "palette-name" });
	const button = make(
		"button",
		{ id, class: "palette-button plain", "aria-haspopup": "listbox", "aria-expanded": "false", onclick: () => open() },
		make("span", { class: "unseen" }, text("legend.palette"), ": "),
		swatch,
		name,
		makeIcon("chevron-down"),
	);
	// Immediately, because keys may follow: the `toggle` event comes later.
	const open = () => {
		popover.showPopover();
		placeBelow(popover, button);
		list.focus();
		void loadRamps();
	};
	const choices = computed(() => choicesOf(side, ramps.value));
	const chosen = computed(() => {
		const { ramp } = side.colouring.value;
		const is = ramp === null ? { kind: "style", id: side.style.value } : { kind: "ramp", id: ramp };
		return choices.value.findIndex((each) => each.kind === is.kind && each.id === is.id);
	});
	const choose = (/** @type {Choice | undefined} */ choice) => {
		if (choice?.kind === "style") chooseStyle(choice.id, side);
		else if (choice) changeColouring(side, { ramp: choice.id });
		popover.hidePopover();
	};
	runList({ list, choices, chosen, choose });
	popover.addEventListener("toggle", (event) => {
		const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
		button.setAttribute("aria-expanded", String(isOpen));
	});
	live(() => {
		const currentLegend = side.legend.value;
		if (currentLegend)
			swatch.style.setProperty("--ramp", styleGradient(paintedStyle(currentLegend, side.colouring.value)));
		button.title = name.textContent = nameOf(side, ramps.value);
		button.dataset.value = side.colouring.value.ramp ?? side.style.value;
		if (side.colouring.value.ramp !== null) void loadRamps();
	});
	live(() => {
		if (choices.value.length > 0 && popover.matches(":popover-open")) placeBelow(popover, button);
		button.disabled = choices.value.length < 2 && ramps.value.length > 0;
	});
	return make("div", { class: "palette" }, button, popover);
}

/** Makes the switches for a reversed and for a logarithmic ramp. @param {Side} side */
function makeSwitches(side) {
	const reversed = makeSwitch(text("legend.reversed"), (isOn) => changeColouring(side, { isReversed: isOn }));
	const log = makeSwitch(text("legend.log"), (isOn) => setLog(side, isOn));
	const element = make("div", { class: "legend-switches" }, reversed, log);
	live(() => {
		const { isReversed, isLog } = side.colouring.value;
		reversed.setAttribute("aria-pressed", String(isReversed));
		log.setAttribute("aria-pressed", String(isLog));
		element.hidden = !canHaveRamp(side);
	});
	return element;
}

/** @param {string} label @param {(isOn: boolean) => void} run */
function makeSwitch(label, run) {
	const button = make("button", { class: "legend-switch", "aria-pressed": "false" }, label);
	button.addEventListener("click", () => run(button.getAttribute("aria-pressed") !== "true"));
	return button;
}

/** @param {Side} side */
const canHaveRamp = (side) => side.legend.value?.type === "ramp" && side.layer.value?.variable !== null;

/** @param {Side} side @param {Ramp[]} known @returns {Choice[]} */
function choicesOf(side, known) {
	const styles = side.layer.value?.styles ?? [];
	const rampOf = (/** @type {string} */ id) => known.find((ramp) => ramp.id === id) ?? null;
	/** @type {Choice[]} */
	const styleChoices = styles.map(({ id, title }) => ({ kind: "style", id, title, ramp: rampOf(id) }));
	if (!canHaveRamp(side)) return styleChoices;
	const otherRamps = known.filter((ramp) => !styles.some(({ id }) => id === ramp.id));
	return [
		...styleChoices,
		...otherRamps.map((ramp) => ({ kind: /** @type {const} */ ("ramp"), id: ramp.id, title: ramp.title, ramp })),
	];
}

/** Returns the name of the chosen palette. @param {Side} side @param {Ramp[]} known */
function nameOf(side, known) {
	const { ramp } = side.colouring.value;
	if (ramp === null && side.timeDomain.value.periods?.method === "anomaly") return text("method.anomaly");
	if (ramp !== null) return known.find(({ id }) => id === ramp)?.title ?? ramp;
	return side.layer.value?.styles.find(({ id }) => id === side.style.value)?.title ?? "";
}

/**
 * Fills a list box and adds its keys: the list has the focus, one of its options is active.
 * @param {{
 *   list: HTMLElement, choices: import("@preact/signals-core").ReadonlySignal<Choice[]>,
 *   chosen: import("@preact/signals-core").ReadonlySignal<number>, choose: (choice: Choice | undefined) => void,
 * }} parts
 */
function runList({ list, choices, chosen, choose }) {
	let active = 0;
	const options = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=option]")]);
	const activate = (/** @type {number} */ index) => {
		const all = options();
		active = Math.min(Math.max(0, index), all.length - 1);
		for (const [at, option] of all.entries()) option.toggleAttribute("data-active", at === active);
		list.setAttribute("aria-activedescendant", all[active]?.id ?? "");
		all[active]?.scrollIntoView({ block: "nearest" });
	};
	const moves = /** @type {Record<string, () => number>} */ ({
		ArrowDown: () => active + 1,
		ArrowUp: () => active - 1,
		PageDown: () => active + 5,
		PageUp: () => active - 5,
		Home: () => 0,
		End: () => options().length - 1,
	});
	list.addEventListener("keydown", (event) => {
		if (event.key === "Enter" || event.key === " ") choose(choices.peek()[active]);
		else if (moves[event.key]) activate(moves[event.key]());
		else return typeTo(event.key);
		event.preventDefault();
	});
	const typeTo = (/** @type {string} */ key) => {
		if (key.length !== 1) return;
		const after = [...choices.peek().keys()].map((index) => (active + 1 + index) % choices.peek().length);
		const match = after.find((index) => choices.peek()[index].title.toLowerCase().startsWith(key.toLowerCase()));
		if (match !== undefined) activate(match);
	};
	list.addEventListener("click", (event) => {
		const option = /** @type {Element} */ (event.target).closest("[role=option]");
		if (option) choose(choices.peek()[options().indexOf(/** @type {HTMLElement} */ (option))]);
	});
	list.addEventListener("focus", () => activate(chosen.peek()));
	live(() => {
		list.replaceChildren(...optionsOf(choices.value, chosen.value, list.id));
		activate(chosen.peek());
	});
}

/**
 * Makes the options, under two headings if there are both kinds.
 * @param {Choice[]} choices
 * @param {number} chosen
 * @param {string} id
 */
function optionsOf(choices, chosen, id) {
	const isMixed = choices.some(({ kind }) => kind === "ramp");
	return choices.flatMap(({ kind, title, ramp }, index) => {
		const option = make(
			"li",
			{ id: `${id}-${index}`, role: "option", "aria-selected": String(index === chosen) },
			makeSwatch(ramp ? rampGradient(ramp) : "none"),
			make("span", { class: "palette-name" }, title),
		);
		const isFirst = index === 0 || choices[index - 1].kind !== kind;
		if (!isMixed || !isFirst) return [option];
		const heading = text(kind === "style" ? "legend.styles" : "legend.ramps");
		return [make("li", { role: "presentation", class: "palette-heading" }, heading), option];
	});
}

/**
 * Places a list below its button, or above if there is more room; with the same width.
 * @param {HTMLElement} popover
 * @param {HTMLElement} button
 */
function placeBelow(popover, button) {
	const { left, top, bottom, width } = button.getBoundingClientRect();
	const [below, above] = [window.innerHeight - bottom, top].map((room) => room - 2 * EDGE_PX);
	const isBelow = below >= Math.min(above, popover.scrollHeight);
	const { style } = popover;
	style.width = `${Math.max(LEAST_WIDTH_PX, width)}px`;
	style.left = `${Math.min(left, window.innerWidth - Math.max(LEAST_WIDTH_PX, width) - EDGE_PX)}px`;
	style.top = isBelow ? `${bottom + EDGE_PX / 2}px` : "auto";
	style.bottom = isBelow ? "auto" : `${window.innerHeight - top + EDGE_PX / 2}px`;
	style.maxHeight = `${isBelow ? below : above}px`;
}
