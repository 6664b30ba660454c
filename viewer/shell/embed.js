/**
 * The viewer embedded in another page. The map ignores the mouse wheel and touch until it is activated, so that
 * visitors can scroll past it, and a link opens the complete viewer.
 */

import { make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { addressOf } from "../base/permalink.js";
import { link } from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

/** @param {HTMLElement} frame of the map */
export function startEmbed(frame) {
	frame.append(makeShield(frame), makeOpenLink());
}

/** @param {HTMLElement} frame */
function makeShield(frame) {
	const map = /** @type {HTMLElement} */ (frame.querySelector("#map"));
	const use = () => {
		map.inert = false;
		shield.remove();
		map.focus();
	};
	const shield = make("button", { class: "shield plain", onclick: use }, make("span", {}, text("embed.use")));
	// The shield also prevents focus by keyboard.
	map.inert = true;
	return shield;
}

/** Returns the link that opens the current view in the complete viewer. */
function makeOpenLink() {
	const look = { class: "open-full", target: "_blank", rel: "noopener" };
	const anchor = make("a", look, text("embed.open"), makeIcon("external"));
	effect(() => {
		if (link.value) anchor.href = addressOf({ ...link.value, embed: undefined, ui: undefined });
	});
	return anchor;
}
