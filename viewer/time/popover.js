/**
 * A panel over the page that belongs to a button or to a position on the strip: it opens above or below it, on phones
 * at the bottom, closes with Escape or a click elsewhere, and restores the focus. It stays at its anchor when the
 * window changes its size, for example when a keyboard opens on a phone.
 *
 * @typedef
 *   {{ element: HTMLElement, open: (anchor: () => DOMRect) => void, close: () => void, isOpen: () => boolean }}
 *   Popover
 */

import { make } from "../base/elements.js";

const GAP_PX = 6;
/** Narrower windows have it at the bottom, all across; as in popovers.css. */
const NARROW = window.matchMedia("(max-width: 35rem)");

/** @param {HTMLElement} element @param {DOMRect} anchor */
function place(element, anchor) {
	if (NARROW.matches) {
		element.style.cssText = "";
		return;
	}
	const { width } = element.getBoundingClientRect();
	const [above, below] = [anchor.top, window.innerHeight - anchor.bottom].map((room) => room - 2 * GAP_PX);
	const isAbove = element.scrollHeight <= above || above >= below;
	const left = Math.max(GAP_PX, Math.min(window.innerWidth - width - GAP_PX, anchor.left));
	element.style.left = `${left}px`;
	element.style.top = isAbove ? "auto" : `${anchor.bottom + GAP_PX}px`;
	element.style.bottom = isAbove ? `${Math.max(GAP_PX, window.innerHeight - anchor.top + GAP_PX)}px` : "auto";
	element.style.maxHeight = `${isAbove ? above : below}px`;
}

/**
 * @param {string} name of its class and of its content
 * @param {{ label: string, host: HTMLElement }} how `host` is its parent element
 * @returns {Popover}
 */
export function makePopover(name, { label, host }) {
	const element = make("div", { class: `popover ${name}`, popover: "auto", role: "dialog", "aria-label": label });
	host.append(element);
	/** Has the focus again afterwards. @type {Element | null} */
	let opener = null;
	const isOpen = () => element.matches(":popover-open");
	element.addEventListener("toggle", (event) => {
		if (/** @type {ToggleEvent} */ (event).newState === "open") return;
		const isLost = document.activeElement === null || document.activeElement === document.body;
		if (isLost && opener instanceof HTMLElement) opener.focus();
	});
	let anchor = () => new DOMRect();
	window.addEventListener("resize", () => {
		if (isOpen()) place(element, anchor());
	});
	return {
		element,
		open: (at) => {
			anchor = at;
			opener = document.activeElement;
			element.showPopover();
			place(element, anchor());
		},
		close: () => element.hidePopover(),
		isOpen,
	};
}

/**
 * Opens and closes a popover by its button.
 * @param {HTMLButtonElement} button
 * @param {Popover} popover
 * @param {() => void} [onOpen]
 */
export function toggleBy(button, popover, onOpen) {
	const show = () => {
		popover.open(() => button.getBoundingClientRect());
		button.setAttribute("aria-expanded", "true");
		onOpen?.();
	};
	popover.element.addEventListener("toggle", (event) => {
		if (/** @type {ToggleEvent} */ (event).newState === "closed") button.setAttribute("aria-expanded", "false");
	});
	// The click that reaches the button has closed an open popover already, unless the button is its invoker.
	button.popoverTargetElement = popover.element;
	button.popoverTargetAction = "hide";
	button.addEventListener("click", (event) => {
		event.preventDefault();
		if (popover.isOpen()) popover.close();
		else show();
	});
	return show;
}
