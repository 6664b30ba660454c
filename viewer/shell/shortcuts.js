/**
 * Single keys for the controls of the page. They can be switched off (WCAG 2.2, 2.1.4), because speech input and
 * unsteady hands press keys by mistake.
 */
import { readStored, store } from "../base/stored.js";
import { signal } from "../vendor/signals-core.js";

const STORED_AS = "chronotile.shortcuts";

/** Key, its text in i18n/, and its control, if any; a text field gets the focus. */
export const SHORTCUTS = /** @type {const} */ ([
	["/", "help.search", "#search-text"],
	["?", "help.help", "#help-button"],
	["l", "help.panel", "#panel-button"],
	["f", "help.find", "#find-button"],
	["c", "help.compare", "#compare-button"],
	["e", "help.export", "#export-button"],
	["s", "help.share", "#share-button"],
	["h", "help.home", "#home-button"],
	["j", "help.previous", "#timeline [data-part=previous]"],
	["k", "help.play", "#timeline [data-part=play]"],
	["n", "help.next", "#timeline [data-part=next]"],
	["i", "help.inspector", ""],
]);

/** Whether the values at the pointer are shown next to it. */
export const isInspectorOn = signal(true);

/** Whether shortcuts work. */
export const hasShortcuts = signal(true);

/** @param {boolean} isOn */
export function switchShortcuts(isOn) {
	hasShortcuts.value = isOn;
	// Without storage the choice lasts until the page is closed.
	store(STORED_AS, isOn ? null : "off");
}

/** Whether the focused element accepts letters. @param {EventTarget | null} target */
const takesKeys = (target) =>
	target instanceof Element && target.closest("input, select, textarea, dialog, [role=grid]") !== null;

/** An embedded viewer leaves keys and storage to the surrounding page. */
export function startShortcuts() {
	if (document.documentElement.dataset.embed !== undefined) return;
	hasShortcuts.value = readStored(STORED_AS) !== "off";
	document.addEventListener("keydown", (event) => {
		if (!hasShortcuts.peek() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
		if (takesKeys(event.target)) return;
		if (event.key === "i") isInspectorOn.value = !isInspectorOn.peek();
		const [, , selector] = SHORTCUTS.find(([key]) => key === event.key) ?? [];
		const control = selector && document.querySelector(selector);
		if (!(control instanceof HTMLElement) || control.closest("[hidden]")) return;
		event.preventDefault();
		control.focus();
		if (control instanceof HTMLButtonElement) control.click();
	});
}
