/**
 * The viewer as a part of another page: the map does not take the wheel and the finger of who scrolls by until it is
 * asked to, and a link leads to the whole viewer.
 */

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
	const shield = document.createElement("button");
	shield.type = "button";
	shield.className = "shield plain";
	const words = document.createElement("span");
	words.textContent = text("embed.use");
	shield.append(words);
	// What lies under it is not to be reached by key either.
	map.inert = true;
	shield.addEventListener("click", () => {
		map.inert = false;
		shield.remove();
		map.focus();
	});
	return shield;
}

/** Leads to what is shown, in the whole viewer. */
function makeOpenLink() {
	const anchor = document.createElement("a");
	anchor.className = "open-full";
	anchor.target = "_blank";
	anchor.rel = "noopener";
	anchor.append(text("embed.open"), makeIcon("external"));
	effect(() => {
		if (link.value) anchor.href = addressOf({ ...link.value, embed: undefined, ui: undefined });
	});
	return anchor;
}
