/** The legends on the map, of the main and the additional layers, and the controls that open from a legend. */

import { make } from "../../base/elements.js";
import { live } from "../../base/live.js";
import { compareMode, extras, sideA } from "../../base/state.js";
import { text } from "../../base/text.js";
import { makeKey, pressed } from "../../layers/key.js";
import { keyOf } from "../../layers/key-content.js";
import { renderLegend } from "../../layers/legend.js";
import { makePopover } from "../../time/popover.js";
import { computed, effect, signal, untracked } from "../../vendor/signals-core.js";

/** @typedef {import("../../base/state.js").Side} Side */
/** @typedef {import("../../layers/key.js").Render} Render */
/** @typedef {import("../../layers/key-content.js").KeyContent} KeyContent */

/**
 * @typedef {{ content: import("@preact/signals-core").ReadonlySignal<KeyContent | null>, body: HTMLElement }} KeyAbove
 */
/** The legend of the overlay above all layers, and the element of the panel with its controls. */
export const keyAbove = signal(/** @type {KeyAbove | null} */ (null));

/** @param {HTMLElement} element contains the legends @param {HTMLElement} frame of the map */
export function startMapKeys(element, frame) {
	// The topmost layer first. In comparisons the legend of the main one is at its name.
	const sides = computed(() => {
		const shown = extras.value.filter(({ isShown }) => isShown);
		const of = (/** @type {boolean} */ isBelow) =>
			shown.filter((each) => each.isBelow === isBelow).map(({ side }) => side);
		return [...of(false), ...(compareMode.value === null ? [sideA] : []), ...of(true)];
	});
	const isAbove = computed(() => Boolean(keyAbove.value?.content.value));
	live(() => {
		const contents = sides.value.map((side) => computed(() => keyOf(side)));
		const keys = sides.value.map((side, at) => {
			const key = makeKey(contents[at], side === sideA ? null : (host) => renderLegend(side, host));
			key.classList.toggle("small", side !== sideA);
			key.dataset.side = side.id;
			return key;
		});
		const above = isAbove.value ? keyAbove.peek() : null;
		element.replaceChildren(...(above ? [makeKey(above.content, borrow(above.body))] : []), ...keys);
		live(() => {
			element.hidden = !above && contents.every(({ value }) => value === null);
		});
	});
	startEditor(frame);
}

/**
 * Moves colour controls from the panel to a host, and later back.
 * @param {HTMLElement} body
 * @returns {Render}
 */
const borrow = (body) => (host) => {
	const place = document.createComment("");
	body.replaceWith(place);
	host.append(body);
	return () => place.replaceWith(body);
};

/** @param {HTMLElement} frame */
function startEditor(frame) {
	const popover = makePopover("key-editor", { label: text("legend.change"), host: frame });
	let stop = () => {};
	popover.element.addEventListener("toggle", (event) => {
		if (/** @type {ToggleEvent} */ (event).newState === "open") return;
		stop();
		stop = () => {};
	});
	const open = (/** @type {HTMLElement} */ key, /** @type {Render | null} */ render) => {
		stop();
		const body = /** @type {HTMLElement} */ (document.getElementById("legend-body"));
		if (render === null && body.checkVisibility()) {
			/** @type {HTMLElement | null} */ (body.querySelector("button, input"))?.focus();
			return;
		}
		const host = make("div");
		popover.element.replaceChildren(host);
		stop = (render ?? borrow(body))(host);
		popover.open(() => key.getBoundingClientRect());
	};
	effect(() => {
		const { key, render } = pressed.value ?? {};
		if (key) untracked(() => open(key, render ?? null));
	});
}
